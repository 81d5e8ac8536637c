"""What a person may send as a correction. Knows nothing of Qt."""

from __future__ import annotations

import re
import unicodedata

from hitl.errors import InputError
from hitl.messages import MAX_TEXT_CHARS

_SPACE = re.compile(r"\s+")


class TextError(InputError):
    """Text that cannot be sent; `start` and `length` say which characters are at fault, in the text as given."""

    def __init__(self, message: str, *, hint: str = "", start: int = 0, length: int = 0) -> None:
        super().__init__(message, field="text", hint=hint)
        self.start = start
        self.length = length


def checked_text(text: str) -> str:
    """`text` with runs of white space as one blank.

    TextError if nothing is left, if it is longer than MAX_TEXT_CHARS, or if it has control characters.
    """
    for place, letter in enumerate(text):
        if not letter.isspace() and unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn"):
            raise TextError(
                f"The text has a control character (U+{ord(letter):04X}) that nobody can say.",
                hint="It is selected: press Delete, then Enter.", start=place, length=1,
            )  # fmt: skip
    words = _SPACE.sub(" ", text).strip()
    if not words:
        raise TextError("There is nothing to send yet.", hint="Write what the robot should do, then press Enter.")
    if len(words) > MAX_TEXT_CHARS:
        raise TextError(
            f"The text has {len(words):,} characters; a correction has at most {MAX_TEXT_CHARS}.",
            hint="Shorten it, then press Enter.", start=MAX_TEXT_CHARS, length=len(text) - MAX_TEXT_CHARS,
        )  # fmt: skip
    return words
