"""From the settings to an ear: which microphone, which recognizer and where, how talking begins and ends."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hitl.config import Settings
from hitl.remote_recognizer import remote_recognizer_of
from hitl.speech.ear import Ear, Parts
from hitl.speech.ear_messages import Configure, FromEar, Ready
from hitl.speech.heard import Recognizer
from hitl.speech.microphone import Microphone
from hitl.speech.recognizer import open_recognizer
from hitl.speech.spotter import Spotter
from hitl.speech.voice_activity import VoiceActivity

THREADS = 2
"""An utterance takes a tenth of a second on them; between utterances they are idle."""


SHORT_S = 8.0
"""What the recognizer of commands was taught with; longer sound goes to Whisper as published."""


def suited(settings: Settings, seconds: float, *, words: bool = False) -> Settings:
    """The settings with a recognizer that hears so long a sound, and times of `words` where they are asked for."""
    if settings.recognizer != "commands" or not words and seconds <= SHORT_S:
        return settings
    return msgspec.structs.replace(settings, recognizer="faster-whisper", recognizer_model="")


def recognizer_of(settings: Settings) -> Recognizer:
    """The recognizer of the settings, in this process. Raises HitlError where it cannot be opened."""
    return open_recognizer(settings.recognizer, settings.recognizer_model, device=settings.device, threads=THREADS)


def chosen_recognizer(settings: Settings) -> Recognizer:
    """What hears words that are spoken to the robot: here or at the backend. Raises HitlError where it cannot be
    opened."""
    return remote_recognizer_of(settings) if settings.recognizer_at == "backend" else recognizer_of(settings)


def parts_of(settings: Settings, recognizer: Callable[[], Recognizer]) -> Parts:
    """How an ear's parts are made; nothing is opened yet."""
    return Parts(
        source=lambda device: Microphone(device), activity=VoiceActivity, spotter=Spotter, recognizer=recognizer
    )


def ear_of(settings: Settings, tell: Callable[[FromEar], None]) -> Ear:
    """An ear as the settings want it, which has not begun to listen. `tell` is called as `Ear` says.

    With a recognizer at the backend, Ready and Trouble come whenever that comes and goes.
    """
    if settings.recognizer_at == "here":
        return Ear(parts_of(settings, lambda: recognizer_of(settings)), tell, configure_of(settings))

    def pass_on(message: FromEar) -> None:
        # The ear is ready as soon as it can ask, which says nothing: nobody may be there to answer.
        if not (isinstance(message, Ready) and not message.recognizer):
            tell(message)

    parts = parts_of(settings, lambda: remote_recognizer_of(settings, lambda message: ear.tell(message)))
    ear = Ear(parts, pass_on, configure_of(settings))
    return ear


def configure_of(settings: Settings) -> Configure:
    """What an ear is told of the settings."""
    return Configure(
        mode=settings.talk,
        device=settings.microphone,
        wake="" if settings.narrate else settings.wake,
        sounds=settings.sounds,
        aloud=settings.aloud,
        words=settings.narrate,
    )
