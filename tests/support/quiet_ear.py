"""An ear without microphone and models, for tests that need a real process: it tells its process id as the name of its
recognizer, and each device that it is given, with `$NAME` as its environment has it."""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence

from hitl.speech.audio import Audio
from hitl.speech.ear import Ear, Parts
from hitl.speech.ear_messages import Configure
from hitl.speech.ear_service import serve
from hitl.speech.heard import Heard
from hitl.speech.microphone import Back, Event
from hitl.speech.spotter import Spotter


class Source:
    def __init__(self, device: str) -> None:
        self.device = device
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def start(self) -> None:
        if self.device.startswith("print"):
            print(self.device, flush=True)
            os.write(1, b"a library speaks\n")
        self.events.put(Back(os.path.expandvars(self.device)))

    def close(self) -> None: ...


class Activity:
    def probability(self, block: Audio) -> float:
        return 0.0

    def reset(self) -> None: ...


class Recognizer:
    name = str(os.getpid())

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        return Heard(())


class Deaf(Spotter):
    def __init__(self) -> None:
        self.reset()

    def feed(self, sound: Audio) -> None:
        return None


if __name__ == "__main__":
    serve(lambda tell: Ear(Parts(Source, Activity, Deaf, Recognizer), tell, Configure()))
