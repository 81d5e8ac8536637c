"""What a person's words ask of the loop itself, before they can be a command: stop, go on, undo, or nothing of these.

Pure text, and as quick as it is: words that stop must not wait for a model. Only words that stand alone, give or take
politeness, mean "go on" or "undo"; with more behind them ("keep going left") they are said to the policy. Doubt about
stopping is resolved towards stopping (`stop_words.py`). Knows nothing of commands, robots or messages.
"""

from __future__ import annotations

import re
from typing import Literal

from hitl.messages import MAX_TEXT_CHARS
from hitl.speech.stop_words import is_stop
from hitl.speech.text import plain, without_fillers

Intent = Literal["stop", "go on", "undo", "say"]

_WAIT = re.compile(r"(?:no )*(?:wait|hold it)(?: (?:wait|hold it|no))*")
"""Bare words only: "wait a moment" is a command to hold still, which ends by itself."""
_GO_ON = re.compile(r"(?:go on|continue|carry on|resume|go ahead|keep going)(?: (?:go on|continue|carry on))*")
_UNDO = re.compile(
    r"scratch (?:that|it)|undo(?: (?:that|it|this|the last one|that one))?|take that back|forget (?:that|it)"
    r"|never ?mind(?: that)?"
)


SAME_SOUND = {
    "frees": "freeze", "frieze": "freeze", "weight": "wait", "weights": "wait", "wade": "wait", "go and": "go on",
    "go an": "go on", "scratch bat": "scratch that",
}  # fmt: skip
"""What a recognizer may write for a few words said alone, since nothing else tells them apart."""


_PLACES = {
    "first": 0, "the first": 0, "one": 0, "number one": 0, "1": 0, "number 1": 0, "former": 0, "the former": 0,
    "second": 1, "the second": 1, "two": 1, "number two": 1, "2": 1, "number 2": 1, "latter": 1, "the latter": 1,
}  # fmt: skip


def place_of(text: str) -> int | None:
    """Which of the commands that are asked about these words count out ("the second one"), 0 for the first; None
    where they say something else."""
    words = without_fillers(plain(text[:MAX_TEXT_CHARS]))
    for behind in (" one", " option", " command"):
        shorter = words.removesuffix(behind)
        if shorter != words and shorter in _PLACES and "number" not in shorter:
            return _PLACES[shorter]
    return _PLACES.get(words)


def as_meant(text: str) -> str:
    """Spoken words as they were meant where they are all that was said; else the text as it is."""
    return SAME_SOUND.get(without_fillers(plain(text)), text)


def intent_of(text: str) -> Intent:
    """What the words ask for: "stop", "go on" after a stop by words, "undo" of the last correction, else "say"."""
    if is_stop(text):
        return "stop"
    said = plain(text[:MAX_TEXT_CHARS])
    words = without_fillers(said)
    if _WAIT.fullmatch(words) and "wait for" not in said:  # "for me" counts as politeness elsewhere
        return "stop"
    if _GO_ON.fullmatch(words):
        return "go on"
    return "undo" if _UNDO.fullmatch(words) else "say"
