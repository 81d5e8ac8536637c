"""Outputs that are being written for this window: what was asked for, how far it is, the words so far. Without Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hitl.annotation.items import Prompt
from hitl.annotation_messages import Generate, StopGenerating, Written
from hitl.clock import new_ulid
from hitl.errors import InputError

MAX_PROMPTS = 1_000


@dataclass
class _Wish:
    """What was asked for, and what came of it. asked: None where nothing is being written; added: items that are there
    since; texts: the words so far."""

    asked: Generate | None = None
    done: int = 0
    added: int = 0
    texts: Sequence[str] = ()
    stopping: bool = False
    error: str = ""
    ended: bool = False


class Writing:
    """At most one wish at a time; the answers to others are not for this window."""

    def __init__(self) -> None:
        self._wish = _Wish()

    @property
    def wish(self) -> Generate | None:
        """What is being written; None where nothing is."""
        return self._wish.asked

    @property
    def stopping(self) -> bool:
        """Whether its end was asked for."""
        return self._wish.stopping

    @property
    def error(self) -> str:
        """Why it ended early; empty where it did not."""
        return self._wish.error

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
        wish = Generate(id=new_ulid(), project=project, prompts=prompts, count=count, model=model.strip())
        self._wish = _Wish(wish)
        return wish

    def stop(self) -> StopGenerating | None:
        """What to ask for to end it; None where nothing is being written."""
        if self.wish is None:
            return None
        self._wish.stopping = True
        return StopGenerating(id=self.wish.id)

    def apply(self, message: Written) -> bool:
        """Take in how far it is; returns whether there is a new item."""
        wish = self._wish
        if wish.asked is None or message.id != wish.asked.id:
            return False
        if message.finished:
            wish.asked, wish.error, wish.ended, wish.texts = None, message.error, True, ()
            return False
        wish.done = max(wish.done, message.done)
        wish.texts = message.texts
        wish.added += bool(message.item)
        return bool(message.item)

    def lost(self) -> None:
        """The backend is gone: nobody writes for this window any more."""
        wish = self._wish
        if wish.asked is not None:
            wish.asked, wish.ended, wish.texts = None, True, ()
            wish.error = "The backend was lost. What was finished is kept; begin again to write the rest."

    def words(self) -> str:
        """How far it is, for people."""
        wish = self._wish
        new = f"{wish.added} new {'item' if wish.added == 1 else 'items'}"
        if wish.asked is not None:
            verb = "Stopping" if wish.stopping else "Writing"
            return f"{verb}: {wish.done} of {len(wish.asked.prompts)} prompts, {new}."
        if wish.error:
            return wish.error
        return f"Finished: {new}." if wish.ended else ""

    def preview(self) -> str:
        """The words so far of what is being written."""
        return "\n\n".join(text for text in _ends(self._wish.texts) if text)


def _ends(texts: Sequence[str], most: int = 160) -> list[str]:
    return [text if len(text) <= most else f"… {text[-most:]}" for text in texts]
