"""Whether hands-free listening finds the end of an utterance, with silence behind it and with other talk behind it.

Sound goes through voice activity and `Capture` as fast as they take it; time is counted in samples. Nothing is
recognized. Part of `hitl bench speech`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.evaluation.speech_test_set import LEVELS, heard_at
from hitl.evaluation.statistics import percentiles, share
from hitl.evaluation.stop_word_corpus import trimmed
from hitl.speech.audio import RATE, Audio
from hitl.speech.capture import BLOCK, Capture, Utterance
from hitl.speech.voice_activity import VoiceActivity

BEFORE_S, AFTER_S = 3.0, 4.0
PEOPLE = "people talking, 10 dB"
QUIETER_DB = -6.0
_KINDS = 4
"""Of noise that `heard_at` has; the first is people talking."""


@dataclass(frozen=True)
class Found:
    """One utterance of a stream, seconds into it: its sound begins, its end was known."""

    began_s: float
    ended_s: float


def utterances(sound: Audio, activity: VoiceActivity) -> list[Found]:
    """What is cut out of `(n,)` samples, hands-free; one that never ends is not among it."""
    activity.reset()
    capture = Capture("hands-free")
    found = []
    for first in range(0, len(sound) - BLOCK, BLOCK):
        block = np.ascontiguousarray(sound[first : first + BLOCK])
        capture.feed(block, activity.probability(block))
        for output in capture.drain():
            if isinstance(output, Utterance):
                found.append(Found(output.at / RATE, output.ended / RATE))
    return found


def ends(sounds: Sequence[Audio], talk: Sequence[Audio], seed: int = 0) -> dict[str, Any]:
    """A table of every level, also with people talking alone, and with voices that become quieter by 6 dB.

    sounds: utterances; talk: what other people say. Of each: share that ended within four seconds; share whose end
    came before that of the last word; and milliseconds from that to the end, where it came after it.
    """
    activity = VoiceActivity()
    table = {}
    for name, fade_db in (("", 0.0), (", quieter", QUIETER_DB)):
        for level, snr_db in (LEVELS | {PEOPLE: 10.0}).items():
            step = _KINDS if level == PEOPLE else 1
            rows = [
                _one(sound, fade_db, snr_db, talk, step * (seed + number), activity)
                for number, sound in enumerate(sounds)
            ]
            table[level + name] = {
                "ended": share([delay is not None for _, delay in rows]),
                "cut": share([cut for cut, _ in rows]),
                "delay_ms": percentiles([delay for _, delay in rows if delay is not None]),
            }
    return table


def _one(
    sound: Audio, fade_db: float, snr_db: float | None, talk: Sequence[Audio], seed: int, activity: VoiceActivity
) -> tuple[bool, float | None]:
    """Whether its end came too early, and when it came after the last word, ms."""
    voice = trimmed(sound)
    around = (round(BEFORE_S * RATE), round(AFTER_S * RATE))
    faded = voice * 10 ** (np.linspace(0.0, fade_db, len(voice), dtype=np.float32) / 20)
    mixed = heard_at(np.pad(voice, around), snr_db, talk, seed)
    if fade_db:  # the noise stays as loud as it is beside a voice that does not fade
        mixed = mixed + np.pad(faded - voice, around)
    begin_s, end_s = BEFORE_S, BEFORE_S + len(voice) / RATE
    found = utterances(mixed.astype(np.float32), activity)
    cut = any(begin_s + 0.1 < one.ended_s <= end_s for one in found)
    whole = [one for one in found if one.began_s < end_s < one.ended_s]
    return cut, (whole[0].ended_s - end_s) * 1e3 if whole else None
