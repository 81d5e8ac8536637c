"""What the window knows of talking: the microphone, whether somebody speaks, what was heard. No Qt, no IO."""

from __future__ import annotations

from typing import Literal

from hitl.speech.ear_messages import (
    Began,
    DeviceHere,
    DeviceLost,
    Devices,
    Dropped,
    Finished,
    FromEar,
    Level,
    Mode,
    Partial,
    Ready,
    StopHeard,
    Trouble,
)

Kind = Literal["words", "answer", "note"]
"""What a caption is: somebody's words, what they were understood as, or why there are none."""
Phase = Literal["off", "starting", "lost", "idle", "listening", "working"]
CAPTION_NS = 6_000_000_000
"""How long the caption stays after what was heard."""
_LOUD_DB, _QUIET_DB = -6.0, -60.0
_DROPPED = {
    "too short": "That was too short. Hold the key while you speak.",
    "no speech": "Nobody spoke.",
    "cancelled": "",
    "no wake words": "",
}


class VoiceState:
    """All that is known, from the messages applied so far."""

    def __init__(self, mode: Mode = "hold", *, there: bool = False) -> None:
        self.there = there
        """Whether this window has an ear at all."""
        self.mode: Mode = mode
        self.narrating = False
        """Whether words are recorded and not obeyed."""
        self.device = ""
        self.devices: list[str] | None = None
        """Names of the microphones that are there; None before somebody looked."""
        self.lost = ""
        self.troubles: dict[str, str] = {}
        self.recognizer = ""
        self.level = 0.0
        """Loudness of now, 0 to 1."""
        self.clipped = False
        self.speech = 0.0
        self.caption = ""
        """What was heard, or why nothing was."""
        self.kind: Kind = "note"
        self.partial = ""
        self._open: set[int] = set()
        self._working: set[int] = set()
        self._caption_ns = 0

    def apply(self, message: FromEar, now_ns: int) -> None:
        """Take one message in."""
        match message:
            case Ready():
                self.recognizer = message.recognizer
                self.troubles.pop("recognizer", None)
            case Trouble():
                self.troubles[message.part] = message.why
                if message.part == "recognizer":
                    self._open.clear()
                    self._working.clear()
            case DeviceHere():
                self.device, self.lost = message.device, ""
            case DeviceLost():
                self.lost, self.level, self.speech = message.why, 0.0, 0.0
                self._working |= self._open
                self._open.clear()
            case Devices():
                self.devices = message.names
            case Level():
                self.level = min(1.0, max(0.0, (message.db - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)))
                self.clipped, self.speech = message.clipped > 0.01, message.speech
            case Began():
                self._open.add(message.number)
                self.partial, self.caption = "", ""
            case Partial():
                if message.number in self._open or message.number in self._working:
                    self.partial = message.text
            case Finished():
                self._end(message.number)
                if message.text:
                    self.say(message.text, now_ns, "words")
                else:
                    self.say(message.note or "No words were heard.", now_ns, "note")
            case Dropped():
                self._end(message.number)
                self.say(_DROPPED[message.reason], now_ns, "note")
            case StopHeard():
                self.say(message.word, now_ns, "words")

    def let_go(self) -> None:
        """The key is up: what was said is being understood."""
        self._working |= self._open
        self._open.clear()

    def say(self, caption: str, now_ns: int, kind: Kind) -> None:
        """Show this caption for a while."""
        self.caption, self.kind, self._caption_ns, self.partial = caption, kind, now_ns, ""

    def shown(self, now_ns: int) -> str:
        """The caption of now: words as they are heard, then what came of them."""
        if self.partial:
            return f"{self.partial} …"
        return self.caption if now_ns - self._caption_ns < CAPTION_NS else ""

    @property
    def phase(self) -> Phase:
        """In one word."""
        if not self.there:
            return "off"
        if self.lost:
            return "lost"
        if not self.device:
            return "starting"
        if self._open:
            return "listening"
        return "working" if self._working else "idle"

    def _end(self, number: int) -> None:
        self._open.discard(number)
        self._working.discard(number)
