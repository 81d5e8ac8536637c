"""What the policies raise on purpose when a file or a request cannot be used.

    PolicyError            `field` names the file or the thing, `hint` says what to do next
    ├── DatasetError         a dataset folder or one of its shards is missing, truncated or of another format
    └── CheckpointError      a model folder or one of its files is missing, truncated, of another kind or version

Knows nothing of the rest of hitl: whoever calls the policies turns these into the errors that people see.
"""

from __future__ import annotations


class PolicyError(Exception):
    """Base class. `field` is the file or key the error is about; `hint` says what to do next."""

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.field}: {self.message}" if self.field else self.message
        if not self.hint:
            return head
        return f"{head} {self.hint}" if head.endswith((".", "!", "?", ")")) else f"{head}. {self.hint}"


class DatasetError(PolicyError):
    """Training data is missing, incomplete or of another format."""


class CheckpointError(PolicyError):
    """A model folder is missing, truncated, of another kind, or of another version."""
