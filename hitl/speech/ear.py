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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hitl.clock import Clock, SystemClock
from hitl.errors import HitlError
from hitl.messages import MAX_TEXT_CHARS, Reading
from hitl.speech.audio import RATE, Audio, clipped_share, level_db, to_int16
from hitl.speech.capture import BLOCK, Capture, CaptureRules, Discarded, Opened, Pause, Utterance
from hitl.speech.capture import Partial as SoFar
from hitl.speech.ear_messages import (
    Began,
    Cancel,
    Configure,
    DeviceHere,
    DeviceLost,
    Dropped,
    Finished,
    FromEar,
    LetGo,
    Level,
    Partial,
    Press,
    Quit,
    Ready,
    Say,
    StopHeard,
    ToEar,
    Trouble,
)  # fmt: skip
from hitl.speech.heard import Heard, Recognizer
from hitl.speech.intents import as_meant, intent_of
from hitl.speech.microphone import Back, Event, Lost
from hitl.speech.sounds import Speaker
from hitl.speech.spotter import SOUNDS_S, Spotter, says_stop
from hitl.speech.text import plain

log = logging.getLogger("hitl.speech")

READINGS = 5
LEVEL_EVERY = RATE // 10
_AFTER_S = 0.3
"""Silence kept behind the last word for the recognizer."""
_CLIPPED = 0.01
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


@dataclass(frozen=True)
class _Work:
    """Sound for the recognizer. `spoken_until` tells a pause's answer from one that is out of date."""

    number: int
    audio: Audio
    spoken_until: int
    whole: Utterance | None = None
    partial: bool = False


_Check = tuple[StopHeard, Audio, Callable[[], None]]


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
        self._speaker = parts.speaker()
        self._aloud: list[str] = []
        self._listening = threading.Thread(target=self._listen, name="ear", daemon=True)
        self._recognizing = _Recognition(self)

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
                case Quit():
                    self._closing.set()
            self._pass_on()

    def _configure(self, new: Configure) -> None:
        old, self._now = self._now, new
        if new.mode != old.mode:
            self._capture.use(new.mode)
        if new.device != old.device:
            self._capture.cancel()
            self._open()

    def _hear(self, event: Event, activity: Activity | None, spotter: Spotter | None) -> None:
        if isinstance(event, Lost):
            self._capture.lost()
            self._pass_on()
            self.tell(DeviceLost(device=event.device, why=event.why))
        elif isinstance(event, Back):
            if activity is not None:
                activity.reset()
            if spotter is not None:
                spotter.reset()
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
            if not self._recognizing.check(stop, self._recent, spotter.believe):
                self._alone(stop, spotter)
        for stop in list(self._doubted.values()):
            if self._stamp_ns - stop.stamp_ns > OPINION_NS:
                self._alone(stop, spotter)

    def _alone(self, stop: StopHeard, spotter: Spotter) -> None:
        """Nobody gives a second opinion in time."""
        if self._doubted.pop(stop.stamp_ns, None) is not None and stop.probability >= spotter.rules.alone:
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
                case SoFar():
                    self._recognizing.put(_Work(output.number, output.audio, -1, partial=True))
                case Pause():
                    self._recognizing.put(_Work(output.number, output.audio, output.spoken_until))
                case Utterance():
                    self._sound("end")
                    self._recognizing.put(_Work(output.number, _cut(output), output.spoken_until, output))
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

    def settled(self, stop: StopHeard) -> None:
        """A second opinion has come."""
        self._doubted.pop(stop.stamp_ns, None)

    def open_recognizer(self) -> Recognizer:
        """Raises HitlError."""
        return self._parts.recognizer()

    @property
    def wake(self) -> str:
        """Words that must begin an utterance now; empty for none."""
        return plain(self._now.wake) if self._now.mode == "hands-free" else ""


def _cut(utterance: Utterance) -> Audio:
    """Without the silence behind the last word, of which a little stays."""
    return utterance.audio[: max(BLOCK, utterance.spoken_until - utterance.at + round(_AFTER_S * RATE))]


class _Recognition(threading.Thread):
    """The recognizer's thread. Of partial sounds only the newest is recognized, whole ones all of them."""

    def __init__(self, ear: Ear) -> None:
        super().__init__(name="recognizer", daemon=True)
        self._ear = ear
        self._recognizer: Recognizer | None = None
        self._why = ""
        self._condition = threading.Condition()
        self._checks: list[_Check] = []
        self._wholes: list[_Work] = []
        self._newest: _Work | None = None
        self._closing = False
        self._known: tuple[int, int, Heard] | None = None

    def put(self, work: _Work) -> None:
        """Sound to recognize; never waits."""
        with self._condition:
            if work.whole is not None:
                self._wholes.append(work)
                if self._newest is not None and self._newest.number == work.number:
                    self._newest = None if self._newest.partial else self._newest
            elif self._newest is None or self._newest.partial or not work.partial:
                self._newest = work
            self._condition.notify()

    def check(self, stop: StopHeard, audio: Audio, believed: Callable[[], None]) -> bool:
        """Have a stop word read before it is told; False where nothing can read it now."""
        with self._condition:
            if self._recognizer is None or len(self._checks) > 1:
                return False
            self._checks.append((stop, audio, believed))
            self._condition.notify()
            return True

    def close(self) -> None:
        """End after the sound that is being recognized."""
        with self._condition:
            self._closing = True
            self._condition.notify()

    def run(self) -> None:
        """Load the recognizer, then recognize until closed."""
        try:
            self._recognizer = self._ear.open_recognizer()
            self._recognizer.hear(np.zeros(RATE, np.float32))  # the first call takes longer
            self._ear.tell(Ready(recognizer=self._recognizer.name))
        except Exception as problem:  # whatever its libraries raise: people are told, and typing works
            if not isinstance(problem, HitlError):
                log.exception("the recognizer cannot be opened")
            self._recognizer = None
            self._why = str(problem)
            self._ear.tell(Trouble(part="recognizer", why=self._why))
        while (work := self._next()) is not None:
            if not isinstance(work, _Work):
                self._read_stop(*work)
            elif work.whole is not None:
                self._whole(work, work.whole)
            else:
                self._early(work)

    def _next(self) -> _Work | _Check | None:
        with self._condition:
            while not (self._closing or self._checks or self._wholes or self._newest is not None):
                self._condition.wait()
            if self._closing:
                return None
            if self._checks:
                return self._checks.pop(0)
            newest = self._newest
            # A pause that its whole waits behind goes first: the whole needs its answer.
            if newest is not None and (not self._wholes or self._is_pause_of(newest, self._wholes[0])):
                self._newest = None
                return newest
            return self._wholes.pop(0)

    @staticmethod
    def _is_pause_of(work: _Work, whole: _Work) -> bool:
        return not work.partial and (work.number, work.spoken_until) == (whole.number, whole.spoken_until)

    def _read_stop(self, stop: StopHeard, audio: Audio, believed: Callable[[], None]) -> None:
        found, _ = self._hear(audio, READINGS)
        self._ear.settled(stop)
        if found is None or says_stop(found.shares()):
            believed()
            self._ear.tell(stop)

    def _early(self, work: _Work) -> None:
        found, _ = self._hear(work.audio, 1 if work.partial else READINGS)
        if found is None:
            return
        if not work.partial:
            self._known = (work.number, work.spoken_until, found)
            if found.text and intent_of(as_meant(found.text)) == "stop":
                stamp_ns = self._ear.stamp_of(work.spoken_until)
                self._ear.tell(StopHeard(word=plain(found.text), probability=found.probability, stamp_ns=stamp_ns))
        if found.text:
            self._ear.tell(Partial(number=work.number, text=found.text[:MAX_TEXT_CHARS]))

    def _whole(self, work: _Work, whole: Utterance) -> None:
        known, self._known = self._known, None
        if known is not None and known[:2] == (work.number, work.spoken_until):
            found, why = known[2], ""
        else:
            maybe, why = self._hear(work.audio, READINGS)
            found = maybe or Heard(())
        found, woken = _woken(found, self._ear.wake)
        if not woken:
            self._ear.tell(Dropped(number=work.number, reason="no wake words"))
            return
        self._ear.tell(
            Finished(
                number=work.number,
                text=found.text[:MAX_TEXT_CHARS],
                heard=found.probability,
                readings=[Reading(text=text[:MAX_TEXT_CHARS], probability=share) for text, share in found.shares()],
                recognizer=self._recognizer.name if self._recognizer else "",
                audio=to_int16(whole.audio),
                began_ns=self._ear.stamp_of(whole.at),
                spoken_ns=self._ear.stamp_of(whole.spoken_until),
                ended_ns=self._ear.stamp_of(whole.ended),
                known_ns=self._ear.now_ns(),
                note=why or _note(whole, found),
            )
        )

    def _hear(self, audio: Audio, best: int) -> tuple[Heard | None, str]:
        if self._recognizer is None:
            return None, self._why
        try:
            return self._recognizer.hear(audio, best=best), ""
        except HitlError as problem:
            return None, str(problem)
        except Exception as problem:  # the thread must go on: people are told, and typing works
            log.exception("the recognizer failed")
            return None, f"the recognizer failed: {problem}"


def _woken(found: Heard, wake: str) -> tuple[Heard, bool]:
    """Without the wake words, and whether they were there (always, where none are asked for)."""
    if not wake:
        return found, True
    readings = [h for h in found.hypotheses if plain(h.text).startswith(f"{wake} ")]
    cut = [type(h)(plain(h.text).removeprefix(wake).strip(), h.log_probability) for h in readings]
    return Heard(tuple(cut), found.no_speech), bool(cut)


def _note(whole: Utterance, found: Heard) -> str:
    if whole.ending == "device lost":
        return "The microphone was lost in the middle; this is what was heard before."
    if whole.ending == "too long":
        return f"That is as long as one correction may be ({len(whole.audio) / RATE:.0f} s); the rest was not heard."
    if clipped_share(whole.audio) > _CLIPPED:
        return "The microphone is turned up too far: the sound is clipped."
    return "" if found.hypotheses else "No words were heard."
