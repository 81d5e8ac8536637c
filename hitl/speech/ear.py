"""Listens: microphone, voice activity, stop words, utterances and their recognition, put together. It decides nothing.

Three threads: the microphone's; the ear's, which follows the stream block by block and must never wait; and the
recognizer's, which takes a tenth of a second an utterance. Everything is told through one callback, stop words first.
An utterance is recognized when a pause may be its end, and that answer is used if nothing more comes, so that waiting
for the end and recognizing overlap. Knows nothing of buses, windows, commands or robots.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from hitl.clock import Clock, SystemClock
from hitl.errors import HitlError
from hitl.speech.audio import RATE, Audio, clipped_share, level_db
from hitl.speech.capture import BLOCK, Capture, CaptureRules, Discarded, Opened, Partial, Pause, Utterance
from hitl.speech.device_list import names_now
from hitl.speech.ear_messages import (
    Began,
    Cancel,
    Chime,
    Configure,
    DeviceHere,
    DeviceLost,
    Devices,
    Dropped,
    FromEar,
    LetGo,
    Level,
    LookForDevices,
    Press,
    Quit,
    Say,
    StopHeard,
    ToEar,
    Trouble,
)  # fmt: skip
from hitl.speech.heard import Recognizer
from hitl.speech.microphone import Back, Event, Lost
from hitl.speech.recognition import Recognition, Work
from hitl.speech.sounds import Speaker
from hitl.speech.spotter import SOUNDS_S, Spotter
from hitl.speech.text import plain

log = logging.getLogger("hitl.speech")

LEVEL_EVERY = RATE // 10
_NS = 1_000_000_000
STOP_REST_NS, OPINION_NS = _NS, _NS // 2
"""How long a stop is not told again, and how long it waits for a second opinion: a recognizer may be busy or gone."""


class Source(Protocol):
    """What an ear needs of `microphone.Microphone`."""

    events: queue.SimpleQueue[Event]

    def start(self) -> None: ...
    def close(self) -> None: ...


class Activity(Protocol):
    """What an ear needs of `voice_activity.VoiceActivity`."""

    def probability(self, block: Audio) -> float: ...
    def reset(self) -> None: ...


@dataclass(frozen=True)
class Parts:
    """How the parts are made; each may raise HitlError, which is told and leaves the others working."""

    source: Callable[[str], Source]
    activity: Callable[[], Activity]
    spotter: Callable[[], Spotter]
    recognizer: Callable[[], Recognizer]
    speaker: Callable[[], Speaker] = Speaker
    devices: Callable[[], Sequence[str]] = names_now
    """May take a second."""


class Ear:
    """`tell` is called from the ear's threads, one at a time."""

    def __init__(
        self,
        parts: Parts,
        tell: Callable[[FromEar], None],
        configure: Configure | None = None,
        rules: CaptureRules | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._parts = parts
        self._tell_anybody = tell
        self._telling = threading.Lock()
        self._stopped_ns = -STOP_REST_NS
        self._doubted: dict[int, StopHeard] = {}
        self._clock = clock or SystemClock()
        self._now = configure or Configure()
        self._capture = Capture(self._now.mode, rules)
        self._asked: queue.SimpleQueue[ToEar] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._stamp_ns = 0
        self._at = 0
        self._levelled = self._recent = np.zeros(0, np.float32)
        self._speech = 0.0
        self._source: Source | None = None
        self._device = ""
        self._looking: threading.Thread | None = None
        self._speaker = parts.speaker()
        self._aloud: list[str] = []
        self._listening = threading.Thread(target=self._listen, name="ear", daemon=True)
        self._recognizing = Recognition(self)

    def start(self) -> None:
        """Begin to listen; the recognizer loads meanwhile."""
        self._listening.start()
        self._recognizing.start()

    def ask(self, asked: ToEar) -> None:
        """Safe from any thread; done before the next block of sound."""
        self._asked.put(asked)

    def close(self) -> None:
        """Let go of everything."""
        self._closing.set()
        self._recognizing.close()
        for thread in (self._listening, self._recognizing):
            if thread.is_alive():
                thread.join(timeout=5.0)
        self._speaker.close()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until it was told to quit."""
        return self._closing.wait(timeout_s)

    # -- the ear's thread -----------------------------------------------------------------------------------------

    def tell(self, message: FromEar) -> None:
        """Tell the owner; for this file's threads. A stop that both ways of hearing it find is told once."""
        with self._telling:
            if isinstance(message, StopHeard):
                if message.stamp_ns - self._stopped_ns < STOP_REST_NS:
                    return
                self._stopped_ns = message.stamp_ns
            self._tell_anybody(message)

    def _listen(self) -> None:
        try:
            self._follow()
        except Exception as problem:  # a library failed: who owns the ear must hear of it, and may open another
            log.exception("listening failed")
            self.tell(Trouble(part="recognizer", why=f"listening failed: {problem}"))
        finally:
            self._closing.set()
            if self._source is not None:
                self._source.close()

    def _follow(self) -> None:
        try:
            activity: Activity | None = self._parts.activity()
        except HitlError as problem:
            activity = None
            self.tell(Trouble(part="recognizer", why=str(problem)))
        try:
            spotter: Spotter | None = self._parts.spotter()
        except HitlError as problem:
            spotter = None
            self.tell(Trouble(part="stop words", why=str(problem)))
        self._open()
        while not self._closing.is_set():
            self._obey()
            try:
                event = self._source.events.get(timeout=0.02) if self._source else None
            except queue.Empty:
                self._speak_when_quiet()
                continue
            if event is not None:
                self._hear(event, activity, spotter)

    def _open(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = self._parts.source(self._now.device)
        self._source.start()

    def _obey(self) -> None:
        while True:
            try:
                asked = self._asked.get_nowait()
            except queue.Empty:
                return
            match asked:
                case Press():
                    self._capture.press()
                case LetGo():
                    self._capture.release()
                case Cancel():
                    self._capture.cancel()
                case Configure():
                    self._configure(asked)
                case Say():
                    if self._now.aloud:
                        self._aloud.append(asked.text)
                case Chime():
                    if self._now.sounds:
                        self._speaker.play("ask")
                case LookForDevices():
                    self._look_for_devices()
                case Quit():
                    self._closing.set()
            self._pass_on()

    def _look_for_devices(self) -> None:
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._list_devices, name="devices", daemon=True)
            self._looking.start()

    def _list_devices(self) -> None:
        try:
            names = list(self._parts.devices())
        except HitlError as problem:
            log.debug("%s", problem)  # asked for again and again
            return
        device = self._device  # it may be missing where this ear alone uses it
        self.tell(Devices(names=names if device in names or not device else [*names, device]))

    def _configure(self, new: Configure) -> None:
        old, self._now = self._now, new
        if new.mode != old.mode:
            self._capture.use(new.mode)
        if new.device != old.device:
            self._capture.cancel()
            self._capture.lost()
            self._device = ""
            self._open()

    def _hear(self, event: Event, activity: Activity | None, spotter: Spotter | None) -> None:
        if isinstance(event, Lost):
            self._device = ""
            self._capture.lost()
            self._pass_on()
            self.tell(DeviceLost(device=event.device, why=event.why))
        elif isinstance(event, Back):
            if activity is not None:
                activity.reset()
            if spotter is not None:
                spotter.reset()
            self._device = event.device
            self.tell(DeviceHere(device=event.device))
        else:
            self._block(event, activity, spotter)

    def _block(self, block: Audio, activity: Activity | None, spotter: Spotter | None) -> None:
        self._stamp_ns, self._at = self._clock.now_ns(), self._capture.now + len(block)
        self._recent = np.concatenate((self._recent, block))[-round(SOUNDS_S * RATE) :]
        if spotter is not None:
            self._spot(block, spotter)
        speech = activity.probability(block) if activity is not None and len(block) == BLOCK else 1.0
        if self._speaker.speaking:
            speech = 0.0  # it hears itself
        self._capture.feed(block, speech)
        self._pass_on()
        self._levels(block, speech)

    def _spot(self, block: Audio, spotter: Spotter) -> None:
        found = spotter.feed(block)
        if found is not None:
            stop = StopHeard(word=found.word, probability=found.probability, stamp_ns=self._stamp_ns)
            self._doubted[stop.stamp_ns] = stop
            if not self._recognizing.check(self._recent, partial(self._judge, stop, spotter)):
                self._judge(stop, spotter, None)
        for stop in list(self._doubted.values()):
            if self._stamp_ns - stop.stamp_ns > OPINION_NS:
                self._judge(stop, spotter, None)

    def _judge(self, stop: StopHeard, spotter: Spotter, share: float | None) -> None:
        """Tell a stop that was spotted, or not. `share`: the second opinion, which counts however late it comes; where
        there is none (None) the network alone decides, more strictly."""
        waited = self._doubted.pop(stop.stamp_ns, None) is not None
        if (waited or share is not None) and spotter.rules.believe(stop.probability, share):
            spotter.believe()
            self.tell(stop)

    def _levels(self, block: Audio, speech: float) -> None:
        self._levelled = np.concatenate((self._levelled, block))
        self._speech = max(self._speech, speech)
        if len(self._levelled) >= LEVEL_EVERY:
            db, clipped = level_db(self._levelled), clipped_share(self._levelled)
            self.tell(Level(db=db, clipped=clipped, speech=self._speech))
            self._levelled, self._speech = np.zeros(0, np.float32), 0.0
            self._speak_when_quiet()

    def _pass_on(self) -> None:
        for output in self._capture.drain():
            match output:
                case Opened():
                    self._sound("begin")
                    self.tell(Began(number=output.number, stamp_ns=self.stamp_of(output.at)))
                case Partial():
                    self._recognizing.put(Work(output.number, output.audio, -1, partial=True))
                case Pause():
                    self._recognizing.put(Work(output.number, output.audio, output.spoken_until))
                case Utterance():
                    self._sound("end")
                    self._recognizing.put(Work.of(output))
                case Discarded():
                    self._sound("end")
                    self.tell(Dropped(number=output.number, reason=output.reason))

    def _sound(self, kind: str) -> None:
        if self._now.sounds and self._now.mode != "hands-free":
            self._speaker.play(kind)

    def _speak_when_quiet(self) -> None:
        if self._aloud and not self._capture.is_open and not self._speaker.speaking:
            self._speaker.speak(self._aloud.pop(0), lambda why: self.tell(Trouble(part="sound", why=why)))

    # -- for the recognizer's thread ------------------------------------------------------------------------------

    def stamp_of(self, sample: int) -> int:
        """When a sample of the stream came, by the last block's arrival."""
        return self._stamp_ns - (self._at - sample) * _NS // RATE

    def now_ns(self) -> int:
        """The clock."""
        return self._clock.now_ns()

    def open_recognizer(self) -> Recognizer:
        """Raises HitlError."""
        return self._parts.recognizer()

    @property
    def wake(self) -> str:
        """Words that must begin an utterance now; empty for none."""
        return plain(self._now.wake) if self._now.mode == "hands-free" else ""

    @property
    def words(self) -> bool:
        """Whether the times of words are wanted now."""
        return self._now.words
