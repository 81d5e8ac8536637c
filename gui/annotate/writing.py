"""Outputs that are being written for this window: what was asked for, how far it is, the words so far. Without Qt."""

from __future__ import annotations

from collections.abc import Sequence

from hitl.annotation.items import Prompt
from hitl.annotation_messages import Generate, StopGenerating, Written
from hitl.clock import new_ulid
from hitl.errors import InputError

MAX_PROMPTS = 1_000


class Writing:
    """At most one wish at a time; the answers to others are not for this window."""

    def __init__(self) -> None:
        self.wish: Generate | None = None
        """What is being written; None where nothing is."""
        self.done = 0
        self.added = 0
        """Items that are there since the wish was made."""
        self.texts: list[str] = []
        self.stopping = False
        self.error = ""
        self.ended = False

    def begin(self, project: str, text: str, count: int, model: str = "") -> Generate:
        """What to ask for. text: a prompt a line. Raises InputError that names the field."""
        if self.wish is not None:
            raise InputError("Something is being written already", field="prompts", hint="Stop it first.")
        prompts = [Prompt(text=line.strip()) for line in text.splitlines() if line.strip()]
        if not prompts:
            raise InputError("There is no prompt", field="prompts", hint="Write one a line.")
        if len(prompts) > MAX_PROMPTS:
            why = f"There are {len(prompts)} prompts; at most {MAX_PROMPTS} are taken at once"
            raise InputError(why, field="prompts", hint="Use hitl write for more.")
        self.__init__()  # type: ignore[misc]
        self.wish = Generate(id=new_ulid(), project=project, prompts=prompts, count=count, model=model.strip())
        return self.wish

    def stop(self) -> StopGenerating | None:
        """What to ask for to end it; None where nothing is being written."""
        if self.wish is None:
            return None
        self.stopping = True
        return StopGenerating(id=self.wish.id)

    def apply(self, message: Written) -> bool:
        """Take in how far it is; returns whether there is a new item."""
        if self.wish is None or message.id != self.wish.id:
            return False
        if message.finished:
            self.wish, self.error, self.ended, self.texts = None, message.error, True, []
            return False
        self.done = max(self.done, message.done)
        self.texts = list(message.texts)
        self.added += bool(message.item)
        return bool(message.item)

    def lost(self) -> None:
        """The backend is gone: nobody writes for this window any more."""
        if self.wish is not None:
            self.wish, self.ended, self.texts = None, True, []
            self.error = "The backend was lost. What was finished is kept; begin again to write the rest."

    def words(self) -> str:
        """How far it is, for people."""
        new = f"{self.added} new {'item' if self.added == 1 else 'items'}"
        if self.wish is not None:
            verb = "Stopping" if self.stopping else "Writing"
            return f"{verb}: {self.done} of {len(self.wish.prompts)} prompts, {new}."
        if self.error:
            return self.error
        return f"Finished: {new}." if self.ended else ""

    def preview(self) -> str:
        """The words so far of what is being written."""
        return "\n\n".join(text for text in _ends(self.texts) if text)


def _ends(texts: Sequence[str], most: int = 160) -> list[str]:
    return [text if len(text) <= most else f"… {text[-most:]}" for text in texts]
