"""What is annotated: a prompt with sources and outputs, or a recording. Plain data; labels are not in it.

Nothing of an imported text is changed, so that offsets hold; what a format has beside is kept in `extra`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hitl.errors import InputError
from hitl.labels import TIME_TRACK

MAX_TEXT_CHARS = 1_000_000
"""Longest prompt, sentence or output; longer ones are refused by name."""
MAX_ITEM_BYTES = 3 << 20
"""Largest item, as JSON: it must fit a message."""


class SourceText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One passage, cut into sentences by whoever made it, or on import."""

    title: str = ""
    sentences: list[str] = []


class Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What outputs are to be written for."""

    text: str
    sources: list[SourceText] = []


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text to judge. track: its name within the item; origin: the model that wrote it, where that is known."""

    track: str
    text: str
    origin: str = ""


class Stretch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[start_ms, end_ms)` of a recording and the command that was under way; `by`: who wanted it, "policy" or a
    person's name. An empty text: none was."""

    start_ms: int
    end_ms: int
    text: str = ""
    by: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to annotate. A recording has no outputs, but a length."""

    id: str
    prompt: str = ""
    sources: list[SourceText] = []
    outputs: list[Output] = []
    reference: str = ""
    """A known good output, which is not shown unless asked for."""
    recording: str = ""
    """`session/episode`."""
    duration_ms: int = 0
    stretches: list[Stretch] = []
    """What was done in the recording, in order; together they are the whole of it. It is walked by them, as a text is
    by sentences."""
    extra: dict[str, Any] = {}

    def length(self, track: str) -> int:
        """Characters of a text, or milliseconds of the recording. Raises InputError where there is no such track."""
        if track == TIME_TRACK and self.recording:
            return self.duration_ms
        return len(self.output(track).text)

    def output(self, track: str) -> Output:
        """The output of this name. Raises InputError."""
        for output in self.outputs:
            if output.track == track:
                return output
        tracks = ", ".join(output.track for output in self.outputs)
        raise InputError(f"{track!r} is no output of item {self.id}", field="track", hint=f"It has {tracks}.")


def checked_item(item: Item) -> Item:
    """`item`, or InputError naming what cannot be used."""
    where = f"items.{item.id}"
    if not item.id or len(item.id) > 200 or not item.id.isprintable():
        raise InputError("must be 1 to 200 printable characters", field="items.id", hint="Give every item its own.")
    _check_recording(item, where)
    if not item.outputs and not item.recording:
        raise InputError("has nothing to annotate", field=where, hint="Give an output or a recording.")
    tracks = [output.track for output in item.outputs]
    if (
        len(set(tracks)) < len(tracks)
        or not all(tracks)
        or TIME_TRACK in tracks
        or any(":" in name for name in tracks)
    ):
        raise InputError(f"has outputs named {tracks}", field=where, hint="Give each its own name, without a colon.")
    texts = [("prompt", item.prompt), *((f"outputs.{output.track}", output.text) for output in item.outputs)]
    texts += [(f"sources.{i}", text) for i, source in enumerate(item.sources) for text in source.sentences]
    for field, text in texts:
        if len(text) > MAX_TEXT_CHARS:
            why = f"has {len(text)} characters; at most {MAX_TEXT_CHARS} are taken"
            raise InputError(why, field=f"{where}.{field}", hint="Cut it into several items.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"holds half of a surrogate pair at character {error.start}",
                field=f"{where}.{field}",
                hint="Write the file again as UTF-8.",
            ) from error
    size = len(msgspec.json.encode(item))
    if size > MAX_ITEM_BYTES:
        why = f"has {size} bytes in all; at most {MAX_ITEM_BYTES} are taken"
        raise InputError(why, field=where, hint="Cut it into several items, or give fewer sources.")
    return item


def _check_recording(item: Item, where: str) -> None:
    """Whether a recording and its stretches fit each other; and that an item is a recording or a text, not both."""
    if not item.recording:
        if item.duration_ms or item.stretches:
            raise InputError("has a length but no recording", field=where, hint="Name the recording: session/episode.")
        return
    if item.outputs:
        raise InputError("has outputs and a recording", field=where, hint="Make two items of it.")
    if item.duration_ms <= 0:
        why = f"is {item.duration_ms} ms long"
        raise InputError(why, field=f"{where}.duration_ms", hint="Give the length of the recording.")
    at = 0
    for number, stretch in enumerate(item.stretches):
        if stretch.start_ms != at or stretch.end_ms <= at:
            why = f"is {stretch.start_ms} to {stretch.end_ms} ms, where the one before ends at {at}"
            raise InputError(why, field=f"{where}.stretches.{number}", hint="Give them in order and without gaps.")
        at = stretch.end_ms
    if item.stretches and at != item.duration_ms:
        why = f"end at {at} of {item.duration_ms} ms"
        raise InputError(why, field=f"{where}.stretches", hint="Give them for the whole recording.")
