"""From the settings to an ear: which microphone, which recognizer, how talking begins and ends."""

from __future__ import annotations

import msgspec

from hitl.config import Settings
from hitl.speech.ear import Parts
from hitl.speech.ear_messages import Configure
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
    """The recognizer of the settings. Raises HitlError where it cannot be opened."""
    return open_recognizer(settings.recognizer, settings.recognizer_model, device=settings.device, threads=THREADS)


def parts_of(settings: Settings) -> Parts:
    """How an ear's parts are made; nothing is opened yet."""
    return Parts(
        source=lambda device: Microphone(device),
        activity=VoiceActivity,
        spotter=Spotter,
        recognizer=lambda: recognizer_of(settings),
    )


def configure_of(settings: Settings) -> Configure:
    """What an ear is told of the settings."""
    return Configure(
        mode=settings.talk,
        device=settings.microphone,
        wake=settings.wake,
        sounds=settings.sounds,
        aloud=settings.aloud,
    )
