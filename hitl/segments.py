"""`hitl segments SESSION`: what was narrated in a session, as segments with their commands, and as training data.

Reads the recording, hears its voices with the times of words where the log has none, and puts both on the session
clock. What a phrase means is decided as it is live; nobody can be asked, so what is not clear is left out. Knows
nothing of models beyond what it is given of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitl.backend.loaded_model import Model
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.hearing import recognizer_of, suited
from hitl.messages import Reading, TimedWord
from hitl.segment_shards import OTHER_FAMILY, Template, Written, write_shards
from hitl.sessions.catalog import Catalog, Session, find_session
from hitl.sessions.recorded import Recorded, RecordedVoice, read_recorded
from hitl.speech.audio import RATE, Audio
from hitl.speech.certainty import Decided
from hitl.speech.grounding import Grounded
from hitl.speech.heard import Recognizer
from hitl.speech.narration import (
    Alignment,
    Episode,
    LeftOut,
    Phrase,
    Rules,
    SaidWord,
    align,
    on_session_clock,
    phrases_of,
)
from hitl.speech.recognition import READINGS
from hitl.speech.text import plain, without_fillers

ALL = "all"
"""Among new commands: whatever the bank does not know."""
_AROUND_S = 0.2
"""Sound kept around a phrase when it is heard again by itself."""


@dataclass(frozen=True)
class Narrated:
    """A session's recording and what was narrated in it, by a model's bank of commands."""

    session: Session
    recorded: Recorded
    alignment: Alignment
    model: Model


def segments_of(
    name: str,
    settings: Settings,
    load_model: Callable[[Settings], Model],
    rules: Rules,
    new_commands: Sequence[str] = (),
) -> Narrated:
    """The segments of a session: its id, or "last".

    new_commands: words that are a command, although the bank does not know it and they may look like other talk; "all"
    for whatever is said.
    Raises InputError where there is no such session, no recording, no voice or no narration in it; UnavailableError
    where the recognizer gives no times of words; and what opening a recognizer or a model raises.
    """
    session = find_session(Catalog(settings.data_folder), name)
    recorded = read_recorded(_recording_of(session))
    voices = _narration(session, recorded)
    hearing = _Hearing(settings)
    words: dict[str, list[SaidWord]] = {}
    for voice in voices:
        words.setdefault(_author(voice), []).extend(on_session_clock(hearing.words(voice), voice.begins_ns))
    phrases = [phrase for author, said in words.items() for phrase in phrases_of(said, author, rules.pause_s)]
    if not phrases:
        why = f"no words are heard in its {len(voices)} narrated utterances."
        raise InputError(why, field=f"session {session.id}", hint="Try another --recognizer, or listen to /voice.")
    model = load_model(settings)
    understand = _Understanding(model, hearing, voices, new_commands)
    alignment = align(phrases, episodes_of(recorded), understand, rules)
    return Narrated(session, recorded, alignment, model)


def episodes_of(recorded: Recorded) -> list[Episode]:
    """The recorded episodes; the last one of a recording without its end is cut off."""
    last = len(recorded.episodes) - 1
    return [
        Episode(e.id, e.start_ns, e.end_ns, e.away(), cut_off=at == last and not recorded.whole)
        for at, e in enumerate(recorded.episodes)
    ]


def write_dataset(
    out: Path, narrated: Narrated, records: Sequence[Mapping[str, Any]], kinds: Sequence[str]
) -> Written:
    """Write the segments into a dataset folder, new or begun; raises as `write_shards`.

    records: commands with family and wordings, of those that a new folder begins with: the model's. kinds: of objects.
    """
    found, session, model = narrated.recorded, narrated.session, narrated.model
    known = {record["text"]: record for record in records}
    bare = {"family": OTHER_FAMILY, "held_out": []}
    commands = [known.get(text, {"text": text, "train": [text], **bare}) for text in model.commands]
    template = Template(model.cameras, kinds, commands)
    return write_shards(out, session.id, session.recording, found.episodes, narrated.alignment.segments, template)


# -- reading ------------------------------------------------------------------------------------------------------


def _recording_of(session: Session) -> Path:
    if not session.recording.is_file():
        why = f"the session has none ({session.recording})."
        raise InputError(why, field="recording", hint="Sessions are recorded where the setting record is true.")
    return session.recording


def _narration(session: Session, recorded: Recorded) -> list[RecordedVoice]:
    """The narrated utterances. InputError says what is missing."""
    field = f"session {session.id}"
    cut = "" if recorded.whole else f" (it is cut off after {recorded.end_ns / 1e9:.0f} s, or still being written)"
    if not recorded.voices:
        why = f"nobody's voice is in its recording{cut}."
        raise InputError(why, field=field, hint="Narrate with: hitl listen --narrate, or in the window's settings.")
    voices = [voice for voice in recorded.voices if voice.event is not None and voice.event.narration]
    if not voices:
        why = f"what was said was corrections, and none of it narration{cut}."
        raise InputError(why, field=field, hint="Narrate with: hitl listen --narrate, or in the window's settings.")
    if not recorded.episodes:
        why = f"no episode of a robot is in its recording{cut}."
        raise InputError(why, field=field, hint="Start a robot before you narrate.")
    return voices


def _author(voice: RecordedVoice) -> str:
    return voice.event.author if voice.event is not None else ""


def _audio(samples: bytes) -> Audio:
    return (np.frombuffer(samples[: len(samples) // 2 * 2], "<i2") / np.float32(32768)).astype(np.float32)


class _Hearing:
    """Recognizers, opened when they are needed: one for times of words, one for what a short phrase says."""

    def __init__(self, settings: Settings) -> None:
        self._timing, self._saying = suited(settings, 0.0, words=True), settings
        self._opened: dict[str, Recognizer] = {}

    @property
    def twice(self) -> bool:
        """Whether another recognizer than that of the times understands commands better."""
        return self._timing is not self._saying

    def words(self, voice: RecordedVoice) -> Sequence[TimedWord]:
        """The words of an utterance: as the log has them, else heard now. Raises UnavailableError without times."""
        if voice.event is not None and voice.event.words:
            return voice.event.words
        recognizer = self._open(self._timing)
        audio = _audio(voice.samples)
        heard = recognizer.hear(audio, words=True)
        if plain(heard.text) and not heard.words:
            why = f"{recognizer.name} gives no times of words."
            raise UnavailableError(why, field="recognizer", hint="Use: --recognizer faster-whisper")
        return heard.timed(len(audio) / RATE)

    def again(self, audio: Audio) -> tuple[str, float, list[Reading]]:
        """What a phrase by itself says, how sure that is, and its readings; no text where nothing is heard."""
        heard = self._open(self._saying).hear(audio, best=READINGS)
        return heard.text, heard.probability, [Reading(text=text, probability=p) for text, p in heard.shares()]

    def _open(self, settings: Settings) -> Recognizer:
        if settings.recognizer not in self._opened:
            self._opened[settings.recognizer] = recognizer_of(settings)
        return self._opened[settings.recognizer]


class _Understanding:
    """What phrases are taken for, as live corrections are. The recognizer of commands hears each phrase again."""

    def __init__(
        self, model: Model, hearing: _Hearing, voices: Sequence[RecordedVoice], new_commands: Sequence[str]
    ) -> None:
        self._model, self._hearing, self._voices = model, hearing, voices
        self._new = {without_fillers(plain(text)) for text in new_commands}

    def __call__(self, phrase: Phrase) -> Decided:
        """The decision about one phrase."""
        given = without_fillers(plain(phrase.text))
        if given in self._new:
            return Decided(Grounded("new", given, 0.0), given, "low")
        text, sure, readings = phrase.text, 1.0, []
        if self._hearing.twice:
            heard, sure_of_it, others = self._hearing.again(sound_of(phrase, self._voices))
            if plain(heard):
                text, sure, readings = heard, sure_of_it, others
        found = self._decided(text, sure, readings)
        if found.ignored and ALL in self._new:
            return Decided(Grounded("new", given, 0.0), given, "low")
        return found

    def _decided(self, text: str, sure: float, readings: list[Reading]) -> Decided:
        model = self._model
        if model.decide is None:
            return Decided(_grounded(model.ground(text)), text)
        found = model.decide(text, sure, readings, spoken=True)
        return Decided(_grounded(found.grounded), found.text, found.certainty, tuple(found.choices), found.ignored)


def _grounded(found: Any) -> Grounded:
    return found if isinstance(found, Grounded) else Grounded(found.kind, found.command, found.similarity)


def sound_of(phrase: Phrase, voices: Sequence[RecordedVoice]) -> Audio:
    """The sound of a phrase `(n,)` and a moment around it; it may go over from one utterance into the next."""
    start_ns = phrase.start_ns - round(_AROUND_S * 1e9)
    length = math.ceil((phrase.end_ns - start_ns) / 1e9 * RATE) + round(_AROUND_S * RATE)
    sound = np.zeros(length, np.float32)
    for voice in voices:
        if _author(voice) == phrase.author:
            audio, at = _audio(voice.samples), round((voice.begins_ns - start_ns) / 1e9 * RATE)
            first, end = max(0, at), min(length, at + len(audio))
            if first < end:
                sound[first:end] = audio[first - at : end - at]
    return sound


# -- telling ------------------------------------------------------------------------------------------------------


def as_records(narrated: Narrated) -> list[dict[str, Any]]:
    """One JSON object a segment and one for what was left out, in order of time; seconds of the session clock."""
    found = narrated.alignment
    segments = [
        {
            "kind": "segment", **_times(s.start_ns, s.end_ns), "command": s.command, "known": s.known, "said": s.said,
            "author": s.author, "episode": s.episode, "resumed": s.resumed, "cut_short": s.cut_short,
        }
        for s in found.segments
    ]  # fmt: skip
    left_out = [_left_out_record(left) for left in found.left_out]
    return sorted(segments + left_out, key=lambda record: (record["start_s"], record["end_s"]))


def _left_out_record(left: LeftOut) -> dict[str, Any]:
    return {"kind": "left_out", **_times(left.start_ns, left.end_ns), "said": left.said, "reason": left.reason}


def _times(start_ns: int, end_ns: int) -> dict[str, float]:
    return {"start_s": round(start_ns / 1e9, 3), "end_s": round(end_ns / 1e9, 3)}


def as_table(narrated: Narrated) -> str:
    """The same for people."""
    lines = []
    for record in as_records(narrated):
        times = f"{record['start_s']:9.2f} {record['end_s']:9.2f}  "
        if record["kind"] == "segment":
            new = "" if record["known"] else " (new)"
            lines.append(f"{times}{record['command'] + new:<40}  “{record['said']}”")
        else:
            lines.append(f"{times}{'-':<40}  “{record['said']}”: {record['reason']}")
    found = narrated.alignment
    head = f"{'from [s]':>9} {'to [s]':>9}  {'command':<40}  said"
    return "\n".join([head, *lines, f"{len(found.segments)} segments, {len(found.left_out)} left out"])


def warning(narrated: Narrated) -> str:
    """What is not as it should be with the recording; empty where all is well."""
    recorded = narrated.recorded
    if recorded.whole:
        return ""
    end_s = recorded.end_ns / 1e9
    return f"recording: cut off after {end_s:.0f} s, or still being written; what is there is used"


def as_text(written: Written, out: Path) -> str:
    """What was written, for people."""
    lines = [
        f"left out of the data: “{left.said}” at {left.start_ns / 1e9:.2f} s: {left.reason}"
        for left in written.left_out
    ]
    if written.new_commands:
        lines.append(f"new commands: {', '.join(written.new_commands)}")
    counts = f"{written.segments} segments and {written.frames:,} frames in {written.shards} shards"
    return "\n".join([*lines, f"wrote {counts} to {out}"])
