"""Opens recognizers by name.

    commands            the default: the packaged Whisper tiny.en, taught commands; works offline at once
    faster-whisper      any Whisper in CTranslate2's format as published: a size, a name or a folder
    openai-whisper      the reference implementation, where it is installed
    endpoint            any server that speaks OpenAI's transcription API, at the address given as its model

A package is imported when its recognizer is opened, so that the others need not be installed.
"""

from __future__ import annotations

from pathlib import Path

from hitl.errors import InputError
from hitl.speech.heard import Recognizer

KINDS = ("commands", "faster-whisper", "openai-whisper", "endpoint")
PACKAGED = "tiny.en"
ADAPTER = Path(__file__).resolve().parents[2] / "assets" / "models" / "commands-tiny-en" / "adapter.safetensors"


def open_recognizer(kind: str = "commands", model: str = "", *, device: str = "cpu", threads: int = 2) -> Recognizer:
    """The recognizer of this kind; `model` is what the kind takes, empty for its default.

    Raises InputError for an unknown kind, CheckpointError where the model is none, MissingPackageError where its
    package is not installed.
    """
    if kind == "commands":
        from hitl.speech.adapted import adapted_folder, packaged_whisper
        from hitl.speech.recognizers.faster_whisper import CommandWhisper

        folder = Path(model).expanduser() if model else adapted_folder(packaged_whisper(), ADAPTER)
        return CommandWhisper(folder, device=device, threads=threads)
    if kind == "faster-whisper":
        from hitl.speech.adapted import packaged_whisper
        from hitl.speech.recognizers.faster_whisper import FasterWhisper

        packaged = model in ("", PACKAGED)
        source = str(packaged_whisper()) if packaged else str(Path(model).expanduser()) if "/" in model else model
        return FasterWhisper(source, device=device, threads=threads, name=PACKAGED if packaged else model)
    if kind == "openai-whisper":
        from hitl.speech.recognizers.openai_whisper import OpenAIWhisper

        return OpenAIWhisper(model, device=device)
    if kind == "endpoint":
        from hitl.speech.recognizers.endpoint import Endpoint

        return Endpoint(model)
    raise InputError(f"“{kind}” is none.", field="recognizer", hint=f"Choose one of: {', '.join(KINDS)}.")
