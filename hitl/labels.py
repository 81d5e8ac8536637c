"""What a label says: values under keys, of one item of an annotation project. Nothing here does IO.

A step of a person is a list of changes; a change puts a value under a key, or takes the key away. What is true now is
the latest value under each key (`hitl/annotation/state.py`), so that an undo is one more step and nothing is lost.
A span is an interval `[start, end)` on a track: code points of an output's text, or milliseconds of a recording.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TIME_TRACK = "time"
"""The track of a recording; every other track is the text of one output."""
Winner = Literal["first", "second", "tie"]
ReviewState = Literal["open", "done", "skipped", "flagged"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sentence of a source. source: from 0; sentence: 0 is the title, the first sentence is 1."""

    source: int
    sentence: int


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="is"):
    """Base of all values; the tag is the kind of the key that they stand under."""


class Span(_Value, frozen=True, kw_only=True, tag="span"):
    """This part of a track is of these categories, of which there is at least one; in the order of marking."""

    track: str
    start: int
    end: int
    categories: list[str]
    severity: str = ""
    note: str = ""
    evidence: list[Evidence] = []
    repeats: tuple[int, int] | None = None
    """The earlier part of the same track that it repeats."""
    suggested_by: str = ""
    """Version of the model whose suggestion was accepted; empty where a person marked it."""


class Missing(_Value, frozen=True, kw_only=True, tag="missing"):
    """The output lacks something that it should say; `evidence`: where the sources say it."""

    track: str
    category: str
    evidence: list[Evidence] = []
    note: str = ""


class Rewrite(_Value, frozen=True, kw_only=True, tag="rewrite"):
    """What the output should have been."""

    track: str
    text: str


class Preference(_Value, frozen=True, kw_only=True, tag="preference"):
    """Which of two outputs is better; `first` comes before `second` in the item."""

    first: str
    second: str
    winner: Winner


class Judged(_Value, frozen=True, kw_only=True, tag="judged"):
    """This part of a track was looked at: what is not marked there has nothing of these heads; of any, where empty."""

    track: str
    start: int
    end: int
    heads: list[str] = []


class Unsure(_Value, frozen=True, kw_only=True, tag="unsure"):
    """Who looked at this part cannot say, or was not asked to: nothing is known of these heads there; of any, where
    empty. It goes before all else that says that the part was looked at."""

    track: str
    start: int
    end: int
    heads: list[str] = []


class Rejected(_Value, frozen=True, kw_only=True, tag="rejected"):
    """A model suggested this category here, and a person says no."""

    track: str
    start: int
    end: int
    category: str


class Review(_Value, frozen=True, kw_only=True, tag="review"):
    """How far this person is with the item. done: the first output, and every other with a span, a rewrite or
    something missing, is judged whole."""

    state: ReviewState
    note: str = ""


Value = Span | Missing | Rewrite | Preference | Judged | Unsure | Rejected | Review


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put `value` under `key`; None takes the key away."""

    key: str
    value: Value | None


def key_of(value: Value, name: str = "") -> str:
    """The key under which a value stands. name: what tells spans or missing items of one item apart, such as a ULID;
    the others say themselves what they are about, so that a second one replaces the first."""
    kind = value.__struct_config__.tag
    match value:
        case Span() | Missing():
            about = name
        case Rewrite():
            about = value.track
        case Preference():
            about = f"{value.first}:{value.second}"
        case Judged() | Unsure():
            about = f"{value.track}:{value.start}:{value.end}"
        case Rejected():
            about = f"{value.track}:{value.start}:{value.end}:{value.category}"
        case _:
            return str(kind)
    return f"{kind}:{about}"
