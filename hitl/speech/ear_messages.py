"""What an ear tells and what it is told, as msgspec Structs: the ear may be in a process of its own. No IO here.

Stamps are nanoseconds of this computer's monotonic clock. Sound travels inside, int16 little-endian mono at 16 kHz.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hitl.messages import Reading, TimedWord

Mode = Literal["hold", "tap", "hands-free"]


class EarMessage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all; the tag is the class name."""


# -- told to an ear -----------------------------------------------------------------------------------------------


class Press(EarMessage, frozen=True, kw_only=True):
    """The talk key goes down."""


class LetGo(EarMessage, frozen=True, kw_only=True):
    """The talk key goes up."""


class Cancel(EarMessage, frozen=True, kw_only=True):
    """Drop what is being said."""


class Configure(EarMessage, frozen=True, kw_only=True):
    """From now on. `device`: name of a microphone, empty for the system's; `wake`: words that begin every hands-free
    utterance, empty for none; `sounds`: whether start, end and `Chime` are heard; `aloud`: whether `Say` is; `words`:
    whether the times of words are wanted, from a recognizer that gives them."""

    mode: Mode = "hold"
    device: str = ""
    wake: str = ""
    sounds: bool = True
    aloud: bool = False
    words: bool = False


class Say(EarMessage, frozen=True, kw_only=True):
    """Say this aloud, where that is switched on, as soon as nobody speaks."""

    text: str


class Chime(EarMessage, frozen=True, kw_only=True):
    """Something is asked: play the notes for that, where sounds are switched on."""


class LookForDevices(EarMessage, frozen=True, kw_only=True):
    """Tell which microphones there are now."""


class Quit(EarMessage, frozen=True, kw_only=True):
    """Let go of the microphone and end."""


ToEar = Press | LetGo | Cancel | Configure | Say | Chime | LookForDevices | Quit

# -- told by an ear -----------------------------------------------------------------------------------------------


class Ready(EarMessage, frozen=True, kw_only=True):
    """The recognizer is loaded."""

    recognizer: str


class Trouble(EarMessage, frozen=True, kw_only=True):
    """A part does not work; typing still does. `part`: the recognizer, the spotter of stop words, or sound output."""

    part: Literal["recognizer", "stop words", "sound"]
    why: str


class DeviceHere(EarMessage, frozen=True, kw_only=True):
    """Sound comes from this microphone."""

    device: str


class DeviceLost(EarMessage, frozen=True, kw_only=True):
    """No sound comes; `why` in words. It is looked for, and DeviceHere follows."""

    device: str
    why: str


class Devices(EarMessage, frozen=True, kw_only=True):
    """Names of the microphones that are there now, each once."""

    names: list[str]


class Level(EarMessage, frozen=True, kw_only=True):
    """About ten a second. `db`: below full scale; `clipped`: share of samples at full scale; `speech`: 0 to 1."""

    db: float
    clipped: float
    speech: float


class Began(EarMessage, frozen=True, kw_only=True):
    """An utterance begins."""

    number: int
    stamp_ns: int


class Partial(EarMessage, frozen=True, kw_only=True):
    """What it was heard as so far."""

    number: int
    text: str


class Finished(EarMessage, frozen=True, kw_only=True):
    """A whole utterance. Without text nothing was heard in it.

    began_ns: of its sound; spoken_ns: the last word ended; ended_ns: its end was known; known_ns: its words were.
    """

    number: int
    text: str
    heard: float = 0.0
    readings: list[Reading] = []
    recognizer: str = ""
    audio: bytes = b""
    began_ns: int = 0
    spoken_ns: int = 0
    ended_ns: int = 0
    known_ns: int = 0
    words: list[TimedWord] = []
    note: str = ""
    """Why it may be incomplete or was not heard, in words; empty where all is well."""


class Dropped(EarMessage, frozen=True, kw_only=True):
    """An utterance that is none."""

    number: int
    reason: Literal["too short", "no speech", "cancelled", "no wake words"]


class StopHeard(EarMessage, frozen=True, kw_only=True):
    """A stop word, ahead of everything else."""

    word: str
    probability: float
    stamp_ns: int


FromEar = (
    Ready | Trouble | DeviceHere | DeviceLost | Devices | Level | Began | Partial | Finished | Dropped | StopHeard
)
