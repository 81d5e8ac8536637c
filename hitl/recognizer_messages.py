"""What an ear asks of a recognizer on the backend's computer, and the answer: two messages of the control plane that
are neither acknowledged nor kept nor resent nor logged, since an answer that comes late is worth nothing.

Both travel as they are through the backend. Nothing here does IO.
"""

from __future__ import annotations

import msgspec

from hitl.messages import AUDIO_RATE, MAX_AUDIO_BYTES, Message

RECOGNIZE_S = 3.0
MAX_HYPOTHESES = 10
MAX_HINTS = 200
MAX_SOUND_S = MAX_AUDIO_BYTES // (2 * AUDIO_RATE)


def patience_s(sound_bytes: int) -> float:
    """How long who asks waits for the answer: three seconds, and as long as the sound lasts."""
    return RECOGNIZE_S + sound_bytes / (2 * AUDIO_RATE)


class Recognize(Message, frozen=True, kw_only=True):
    """Ear -> backend -> recognizer: what is said in this sound? Answered by one `Recognized` of the same id, or by an
    Ack that says why it was refused. Payload: int16 samples, little-endian, mono, 16 kHz, of at most a minute.

    best: how many hypotheses, at most `MAX_HYPOTHESES`; words: whether their times are wanted; hints: what is likely.
    """

    id: str
    best: int = 1
    words: bool = False
    hints: list[str] = []


class ScoredText(msgspec.Struct, frozen=True, kw_only=True):
    """One hypothesis; natural logarithm of the probability of the whole text given the sound."""

    text: str
    log_probability: float


class HeardWord(msgspec.Struct, frozen=True, kw_only=True):
    """One word and when it was said, seconds into the sound; probability 0 to 1."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Recognized(Message, frozen=True, kw_only=True):
    """The answer to Recognize, by the recognizer of this name, or by the backend where there is none.

    hypotheses: the most probable first; no_speech: probability that nobody spoke; error: why nothing could be
    recognized, with the field that it is about and what to do; empty where it was.
    """

    id: str
    hypotheses: list[ScoredText] = []
    no_speech: float = 0.0
    words: list[HeardWord] = []
    recognizer: str = ""
    error: str = ""
    field: str = ""
    hint: str = ""


RecognizerMessage = Recognize | Recognized
