"""Tells whether words ask to stop. Pure text; needs no model, so that it works while everything else is loading.

Doubt is resolved towards stopping: a wrong stop costs a press on Resume, a missed one may cost more. What clearly
says the opposite ("don't stop") or only contains the letters ("the stopper") is no stop.
"""

from __future__ import annotations

import re

from hitl.messages import MAX_TEXT_CHARS
from hitl.speech.text import clauses, plain, without_fillers

_STOP = frozenset("stop halt freeze abort estop stahp whoa woah".split())
_REAL_WORDS = frozenset("step shop top slop stow atop swop stomp strop sop".split())
"""Words one slip away from "stop" that people mean as they are."""
_ALONE = frozenset({"emergency", "emergency stop", "e stop", "emergency halt", "cease", "cut it out", "full stop"})
_AROUND = frozenset(
    "emergency it now that this there here moving everything all right away immediately at once the robot arm arms"
    " both left hand gripper please motion what you are doing e full instantly already quick quickly".split()
)
_LEET = str.maketrans("05$71!|4@3", "osstliiaae")
_NEGATED = re.compile(
    r"\b(?:don't|dont|do not|never|not|cannot|can't|won't|didn't|non|without|no need to)(?: \w+)? stop"
)
_NOT_BEFORE = frozenset(
    "bus non full truck pit and then to the a until before after when if why did do i he they".split()
)
_ASKING = frozenset("why when if how what where who did does".split())
_MAX_WORDS_BEFORE = 4


def is_stop(text: str) -> bool:
    """Whether any part of the text asks to stop: "STOP!!", "st0p", "s-t-o-p", "please stop it now", "left, stop"."""
    text = text[:MAX_TEXT_CHARS]
    letters = re.sub(r"[\W_]+", "", _spell(text))
    if re.fullmatch(r"(?:(?:emergency|e)?(?:stop|halt|freeze|stahp))+", letters):
        return True
    return any(_clause_stops(part) for part in clauses(text))


def _spell(text: str) -> str:
    """Words as they sound: look-alike digits read as letters, letters held down let go ("stooopp" -> "stop")."""
    words = plain(text, keep="$!|@").split()
    read = [
        word.translate(_LEET) if re.search(r"[a-z]", word) and re.search(r"[\d$@|]", word) else word for word in words
    ]
    return " ".join(_let_go(word.rstrip("$!|@")) for word in read)


def _let_go(word: str) -> str:
    single = re.sub(r"(.)\1+", r"\1", word)
    return single if single in _STOP else word


def _clause_stops(clause: str) -> bool:
    spelled = _spell(clause)
    if spelled.split()[:1] and spelled.split()[0] in _ASKING:
        return False
    if _NEGATED.search(" ".join("stop" if word in _STOP else word for word in spelled.split())):
        return False
    rest = without_fillers(spelled)
    words = rest.split()
    if not words:
        return False
    if rest in _ALONE or words[0] in _STOP:
        return True
    if len(words) == 1:
        return words[0] not in _REAL_WORDS and _one_slip(words[0], "stop")
    if any(word in _STOP for word in words) and all(word in _STOP or word in _AROUND for word in words):
        return True
    before = words[:-1]
    return words[-1] in _STOP and len(before) <= _MAX_WORDS_BEFORE and before[-1] not in _NOT_BEFORE


def _one_slip(word: str, wanted: str) -> bool:
    """One letter missing, extra, wrong, or two neighbours swapped."""
    if abs(len(word) - len(wanted)) > 1 or not word.isalpha():
        return False
    if sorted(word) == sorted(wanted):
        swaps = (wanted[:at] + wanted[at + 1] + wanted[at] + wanted[at + 2 :] for at in range(len(wanted) - 1))
        return word == wanted or word in swaps
    shorter, longer = sorted((word, wanted), key=len)
    if len(shorter) < len(longer):
        return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
    return sum(a != b for a, b in zip(word, wanted, strict=True)) == 1
