"""Plain forms of what people type or say. Pure text: knows nothing of commands or models."""

from __future__ import annotations

import re
import unicodedata

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "`": "'"})
_BEFORE = (
    "please|could you|can you|would you|will you|would you mind|now|ok|okay|hey|hi|hello|robot|no|nope|just|so|well"
    "|i want you to|i would like you to|i'd like you to|try to|you should|you need to|you have to|you must|let's|and"
    "|and now|hmm|um|uh|er|oh|ah|actually|i said|wait no|alright|all right|next|then|yes|kindly|quickly|sorry|come on"
    "|for god's sake|oh my god|my god|god|mate|dude"
)
_AFTER = (
    "please|now|for me|thanks|thank you|will you|would you|could you|can you|if you can|ok|okay|right now|robot|then"
    "|immediately|at once|already"
)
_LEADING = re.compile(rf"^(?:{'|'.join(sorted(_BEFORE.split('|'), key=len, reverse=True))})\b ?")
_TRAILING = re.compile(rf" (?:{'|'.join(sorted(_AFTER.split('|'), key=len, reverse=True))})$")


def clean(text: str) -> str:
    """One line of printable text: Unicode NFKC, control characters and runs of blanks as one blank."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text).split())


def plain(text: str, keep: str = "") -> str:
    """Lower-case words divided by single blanks; no punctuation but apostrophes in words and what `keep` lists."""
    lowered = unicodedata.normalize("NFKD", clean(text).casefold())
    letters = "".join(c for c in lowered if not unicodedata.combining(c))
    kept = "".join(c if c.isalnum() or c == "'" or c in keep else " " for c in letters)
    return " ".join(word.strip("'") for word in kept.split() if word.strip("'"))


def without_fillers(words: str) -> str:
    """Plain words without the politeness around them; the words themselves where nothing else is left."""
    rest = words
    while True:
        shorter = _TRAILING.sub("", _LEADING.sub("", rest, count=1), count=1).strip()
        if not shorter:
            return rest
        if shorter == rest:
            return rest
        rest = shorter


def clauses(text: str) -> list[str]:
    """The parts of a text between commas, full stops, question and exclamation marks."""
    return [part for part in (p.strip() for p in re.split(r"[,.;:!?\n\u2013\u2014]+", clean(text))) if part]
