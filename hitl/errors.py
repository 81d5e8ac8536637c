"""Every error that hitl raises on purpose, as one tree.

    HitlError
    ├── InputError          what a person or a file gave is not usable; `field` names it
    │   ├── ConfigError       a setting
    │   ├── MessageError      a message on the wire or a line of a log
    │   ├── CheckpointError   a model folder
    │   └── DatasetError      generated or recorded training data
    ├── UnavailableError    something needed is not there (backend, port, device, display, package)
    │   ├── PortInUseError
    │   └── MissingPackageError
    ├── StorageError        a log or recording could not be written (full disk, permissions)
    └── RobotError          the driver refused or failed; the robot holds still

Messages say what happened, what is safe, and what to do next. The command line prints them without a traceback.
"""

from __future__ import annotations


class HitlError(Exception):
    """Base class. `field` is the dotted path or id the error is about; `hint` says what to do next."""

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


class InputError(HitlError):
    """Something given to hitl cannot be used as it is."""


class ConfigError(InputError):
    """A setting has a wrong name, type or value."""


class MessageError(InputError):
    """Bytes that are no valid message of this protocol version."""


class CheckpointError(InputError):
    """A model folder is missing, truncated, of another kind, or of another version."""


class DatasetError(InputError):
    """Training data is missing, incomplete or of another format."""


class UnavailableError(HitlError):
    """Something that is needed is not there now; trying again later may help."""


class PortInUseError(UnavailableError):
    """Another process is bound to the endpoint."""


class MissingPackageError(UnavailableError):
    """An optional part of hitl is not installed."""


class StorageError(HitlError):
    """Nothing more can be written; what was acknowledged before is safe."""


class RobotError(HitlError):
    """The driver refused an action or failed; the robot holds still."""
