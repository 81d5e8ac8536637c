"""`hitl bench speech`: how well and how fast spoken commands are understood, for each recognizer and noise.

Four measurements: what is understood (every utterance through the recognizer and grounding), when (utterances at
their own pace through a whole ear, by key and hands-free), where hands-free utterances end (`utterance_ends.py`), and
the stop words (the stream through the spotter, whose delay is counted in samples). Voices, noises and wording are
those that nothing learned from (`speech_test_set.py`).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hitl.config import Settings
from hitl.errors import MissingPackageError
from hitl.evaluation.speech_test_set import LEVELS, Item, heard_at, make_set, read_set
from hitl.evaluation.statistics import percentiles, share
from hitl.evaluation.stop_word_corpus import trimmed
from hitl.evaluation.utterance_ends import ends
from hitl.messages import Reading
from hitl.speech.audio import RATE, Audio
from hitl.speech.capture import BLOCK
from hitl.speech.certainty import Decided, decide
from hitl.speech.ear import Ear, Parts
from hitl.speech.ear_messages import Configure, Finished, FromEar, LetGo, Mode, Press, Ready
from hitl.speech.grounding import BankLike
from hitl.speech.heard import Heard, Recognizer
from hitl.speech.intents import as_meant, intent_of
from hitl.speech.microphone import Back, Event
from hitl.speech.recognition import READINGS
from hitl.speech.recognizer import open_recognizer
from hitl.speech.spotter import SOUNDS_S, Spotter, stop_share
from hitl.speech.text import plain
from hitl.speech.voice_activity import VoiceActivity

RECOGNIZERS = {"commands": ("commands", ""), "tiny.en": ("faster-whisper", "")}
LIVE_LEVELS = ("clean", "10 dB")
ENDS = 64
"""Utterances whose ends are looked for at each level: a minute of work."""
_BEFORE_S, _AFTER_S = 0.6, 1.2
_STOPPING = frozenset({"stop", "freeze", "wait", "stopped", "stopping"})
Say = Callable[[str], None]


class Bank(BankLike, Protocol):
    """Grounding's lookups."""


def load_bank(settings: Settings) -> Bank:
    """The command space of the settings' model. Raises CheckpointError, MissingPackageError."""
    from hitl.backend.models import model_folder

    try:
        import torch

        from policies.hierarchy.policy import HierarchicalPolicy
    except ModuleNotFoundError as problem:
        raise MissingPackageError(
            f"it needs {problem.name}.", field="bench speech", hint="Run: make setup"
        ) from problem
    torch.set_num_threads(1)
    return HierarchicalPolicy.load(model_folder(settings)[1], device="cpu").space


def run(
    settings: Settings,
    *,
    folder: Path | None = None,
    recognizers: Sequence[str] = tuple(RECOGNIZERS),
    live: int = 20,
    limit: int | None = None,
    seed: int = 0,
    say: Say = lambda _text: None,
) -> dict[str, Any]:
    """All of it as one table. `folder`: a set of one's own; `live`: utterances at their own pace for each recognizer,
    mode and level; `limit`: only so many utterances, spread over the set."""
    made = settings.data_folder / "speech-test-set"
    items = read_set(folder) if folder else make_set(made, told=lambda done, all_: say(f"test set: {done} of {all_}"))
    if limit is not None and limit < len(items):
        items = [items[at] for at in np.linspace(0, len(items) - 1, limit).round().astype(int)]
    bank = load_bank(settings)
    bench = _Bench(items, bank, seed, say)
    hours = sum(len(sound) for sound in bench.sounds) / RATE / 3600
    about = {"utterances": len(items), "voices": len({item.voice for item in items}), "hours": round(hours, 3)}
    result: dict[str, Any] = {"set": about | {"folder": str(folder or made)}, "stop_words": bench.stop_words()}
    say("where hands-free utterances end")
    result["ends"] = bench.ends()
    result["recognizers"] = {name: bench.recognizer(name, live) for name in recognizers}
    return result


@dataclass
class _Bench:
    items: Sequence[Item]
    bank: Bank
    seed: int
    say: Say
    sounds: list[Audio] = field(default_factory=list)
    talk: list[Audio] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sounds = [item.audio() for item in self.items]
        self.talk = [sound for sound, item in zip(self.sounds, self.items, strict=True) if item.kind != "stop"]

    def at(self, index: int, level: str) -> Audio:
        """Utterance `index` in the noise of `level`."""
        return heard_at(self.sounds[index], LEVELS[level], self.talk, self.seed + index)

    def ends(self) -> dict[str, Any]:
        """Whether hands-free listening finds the ends of commands."""
        return ends([self.sounds[at] for at in self._commands(ENDS)], self.talk, self.seed)

    def _commands(self, count: int) -> list[int]:
        """Up to so many commands, spread over the set."""
        commands = [index for index, item in enumerate(self.items) if item.kind == "command"]
        return [
            commands[at] for at in np.linspace(0, len(commands) - 1, min(count, len(commands))).round().astype(int)
        ]

    # -- what is understood ---------------------------------------------------------------------------------------

    def recognizer(self, name: str, live: int) -> dict[str, Any]:
        """One recognizer at every level."""
        recognizer = open_recognizer(*RECOGNIZERS.get(name, (name, "")))
        recognizer.hear(self.sounds[0], best=READINGS)
        table = {}
        for level in LEVELS:
            self.say(f"{name}, {level}: understanding")
            table[level] = self._understood(recognizer, level)
            if live and level in LIVE_LEVELS:
                table[level] |= self._live(recognizer, level, live)
        return table

    def _understood(self, recognizer: Recognizer, level: str) -> dict[str, Any]:
        outcomes = [self._one(recognizer, index, level) for index in range(len(self.items))]
        commands = [o for o in outcomes if o.item.kind == "command"]
        others = [o for o in outcomes if o.item.kind == "other"]
        silence_h = sum(len(trimmed(o.audio)) for o in others) / RATE / 3600
        stops = [o for o in outcomes if o.item.kind == "stop"]
        return {
            "command_accuracy": share([o.right for o in commands]),
            "asked": share([o.decided is not None and o.decided.certainty == "low" for o in commands]),
            "right_or_asked_right": share([o.right or o.offered for o in commands]),
            "text_accuracy": share([self._expected(o.item.text) == self._expected(o.item.command) for o in commands]),
            "wer": round(word_error_rate([(o.item.text, o.heard.text) for o in outcomes if o.item.text]), 4),
            "false_accepts_per_hour": round(sum(o.acts for o in others) / silence_h, 1) if silence_h else 0.0,
            "false_accepts": share([o.acts for o in others]),
            "stop_accuracy": share([intent_of(as_meant(o.heard.text)) == "stop" for o in stops]),
            "recognition_ms": percentiles([o.ms for o in outcomes]),
        }

    def _one(self, recognizer: Recognizer, index: int, level: str) -> _Outcome:
        audio, item = self.at(index, level), self.items[index]
        begun = time.perf_counter()
        heard = recognizer.hear(audio, best=READINGS)
        ms = (time.perf_counter() - begun) * 1e3
        decided = understood(heard, self.bank)
        expected = self._expected(item.command) if item.command else ""
        return _Outcome(item, audio, heard, decided, ms, expected)

    def _expected(self, command: str) -> str:
        """What a command typed without a fault means."""
        return decide(command, 1.0, [], self.bank, spoken=False).grounded.command if command else ""

    # -- when -----------------------------------------------------------------------------------------------------

    def _live(self, recognizer: Recognizer, level: str, count: int) -> dict[str, Any]:
        chosen = self._commands(count)
        found = {}
        modes: dict[Mode, str] = {"hold": "release_to_command_ms", "hands-free": "handsfree_end_to_command_ms"}
        for mode, name in modes.items():
            self.say(f"{recognizer.name}, {level}: {mode} at its own pace")
            delays = [delay for index in chosen if (delay := self._paced(recognizer, index, level, mode)) is not None]
            found[name] = percentiles(delays)
        return found

    def _paced(self, recognizer: Recognizer, index: int, level: str, mode: Mode) -> float | None:
        """Milliseconds from the end of the words (hands-free) or the key (held until 100 ms later) to the command."""
        voice = trimmed(self.sounds[index])
        sound = np.pad(voice, (round(_BEFORE_S * RATE), round(_AFTER_S * RATE)))
        sound = heard_at(sound, LEVELS[level], self.talk, self.seed + index)
        end_s = _BEFORE_S + len(voice) / RATE
        return paced(recognizer, self.bank, sound, end_s, mode)

    # -- stop words -----------------------------------------------------------------------------------------------

    def stop_words(self) -> dict[str, Any]:
        """The stop words' own path at every level: spotter, and the recognizer's second opinion."""
        recognizer = open_recognizer(*RECOGNIZERS["commands"])
        return {level: self._stops(Spotter(), recognizer, level) for level in LEVELS}

    def _stops(self, spotter: Spotter, recognizer: Recognizer, level: str) -> dict[str, Any]:
        self.say(f"stop words, {level}")
        delays: list[float] = []
        heard: list[bool] = []
        false, hours = 0, 0.0
        for index, item in enumerate(self.items):
            audio = self.at(index, level)
            found = spotted(spotter, recognizer, audio)
            if item.kind == "stop":
                end_ms = _end_of(self.sounds[index]) / RATE * 1e3
                after = [ms for ms in found if ms > end_ms - 500]
                heard.append(bool(after))
                delays += [after[0] - end_ms] if after else []
            elif _STOPPING.isdisjoint(plain(item.text).split()):
                false += len(found)
                hours += len(audio) / RATE / 3600
        return {
            "stops_heard": share(heard),
            "stop_ms": percentiles(delays),
            "false_stops_per_hour": round(false / hours, 1) if hours else 0.0,
            "hours": round(hours, 3),
        }


@dataclass(frozen=True)
class _Outcome:
    item: Item
    audio: Audio
    heard: Heard
    decided: Decided | None
    ms: float
    expected: str

    @property
    def acts(self) -> bool:
        """Whether the robot would do something at once."""
        d = self.decided
        return d is not None and not d.ignored and d.certainty != "low" and d.grounded.kind != "stop"

    @property
    def right(self) -> bool:
        """Whether it would do what was said."""
        return self.acts and self.decided is not None and self.decided.grounded.command == self.expected

    @property
    def offered(self) -> bool:
        """Whether what was said is one of the two that are asked about."""
        return self.decided is not None and self.decided.certainty == "low" and self.expected in self.decided.choices


def understood(heard: Heard, bank: Bank) -> Decided | None:
    """What is made of a recognizer's answer; None where nothing was heard."""
    if not heard.hypotheses or not plain(heard.text):
        return None
    readings = [Reading(text=text, probability=part) for text, part in heard.shares() if plain(text)]
    return decide(heard.text, heard.probability, readings, bank, spoken=True)


class _Paced:
    """A microphone that plays a sound at its own pace."""

    def __init__(self, sound: Audio, at: Callable[[float], None]) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._sound, self._at = sound, at
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        self.events.put(Back("test"))
        begun = time.perf_counter()
        for first in range(0, len(self._sound) - BLOCK, BLOCK):
            wait_s = begun + (first + BLOCK) / RATE - time.perf_counter()
            if self._closing.wait(max(0.0, wait_s)):
                return
            self.events.put(self._sound[first : first + BLOCK])
            self._at((first + BLOCK) / RATE)


def paced(recognizer: Recognizer, bank: Bank, sound: Audio, end_s: float, mode: Mode) -> float | None:
    """Milliseconds from the end to the grounded command; None where nothing came of it."""
    answer: queue.SimpleQueue[tuple[FromEar, float]] = queue.SimpleQueue()
    ready = threading.Event()
    release_s = end_s + 0.1 if mode == "hold" else end_s
    marks: dict[str, float] = {}

    def at(now_s: float) -> None:
        if mode == "hold" and "press" not in marks and now_s >= _BEFORE_S - 0.15:
            marks["press"] = time.perf_counter()
            ear.ask(Press())
        if "end" not in marks and now_s >= release_s:
            marks["end"] = time.perf_counter()
            if mode == "hold":
                ear.ask(LetGo())

    def tell(message: FromEar) -> None:
        if isinstance(message, Ready):
            ready.set()
        elif isinstance(message, Finished):
            answer.put((message, time.perf_counter()))

    parts = Parts(lambda _device: _Paced(sound, at), VoiceActivity, Spotter, lambda: recognizer)
    ear = Ear(parts, tell, Configure(mode=mode, sounds=False))
    ear.start()
    try:
        message, _ = answer.get(timeout=len(sound) / RATE + 10)
    except queue.Empty:
        return None
    finally:
        ear.close()
    if not isinstance(message, Finished) or not plain(message.text) or "end" not in marks:
        return None
    decide(message.text, message.heard, message.readings, bank, spoken=True)
    return (time.perf_counter() - marks["end"]) * 1e3


def spotted(spotter: Spotter, recognizer: Recognizer, audio: Audio) -> list[float]:
    """When stop words are known in a stream of this sound, milliseconds into it: counted in samples, and to that the
    time that a second opinion took."""
    spotter.reset()
    found: list[float] = []
    for first in range(0, len(audio), BLOCK):
        spot = spotter.feed(audio[first : first + BLOCK])
        if spot is None:
            continue
        begun = time.perf_counter()
        heard = recognizer.hear(audio[max(0, spot.at - round(SOUNDS_S * RATE)) : spot.at], best=READINGS)
        if not spotter.rules.believe(spot.probability, stop_share(heard.shares())):
            continue
        spotter.believe()
        found.append(spot.at / RATE * 1e3 + (time.perf_counter() - begun) * 1e3)
    return found


def _end_of(sound: Audio) -> int:
    """The sample at which the words end."""
    step = RATE // 100
    power = np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(1)
    return int(np.flatnonzero(power >= power.max() / 10**3.5)[-1] + 1) * step


def word_error_rate(pairs: Sequence[tuple[str, str]]) -> float:
    """Wrong, missing and extra words over words said, of (said, heard) pairs in plain form."""
    wrong = words = 0
    for said, heard in pairs:
        one, two = plain(said).split(), plain(heard).split()
        row = list(range(len(two) + 1))
        for i, a in enumerate(one, 1):
            before, row[0] = row[0], i
            for j, b in enumerate(two, 1):
                before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
        wrong, words = wrong + row[-1], words + len(one)
    return wrong / words if words else 0.0
