"""Words in, sound out: the speech synthesizers of the system, each with its voices.

espeak-ng (formants; accents and dozens of variants of the voice box), flite and festival (recorded people), and the
learned voices of `neural_voices.py`. Whoever wants sound asks for a voice by name; `voices()` says which are there.
Used to answer people, to make test sets and to train recognizers. Knows nothing of recognition.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from hitl.errors import InputError, UnavailableError
from hitl.speech import neural_voices
from hitl.speech.audio import RATE, Audio, read_wav

PLAIN_WORDS_PER_MINUTE = 170
_TIMEOUT_S = 60.0
_LONGEST_CHARS = 2000
_FLITE = ("kal", "kal16", "awb", "rms", "slt")
_FESTIVAL = {"kal": "voice_kal_diphone", "ked": "voice_ked_diphone", "slt-hts": "voice_cmu_us_slt_arctic_hts"}
NEURAL = ("kokoro", "hibari", "piper", "pico")
ENGINES = ("espeak", "flite", "festival", *NEURAL)
_FESTIVAL_FOLDER = Path("/usr/share/festival/voices")


@dataclass(frozen=True)
class Voice:
    """`engine:name`, for espeak-ng `espeak:ACCENT+VARIANT`."""

    engine: str
    name: str

    def __str__(self) -> str:
        return f"{self.engine}:{self.name}"


def voice_named(name: str) -> Voice:
    """The voice of `engine:name`. Raises InputError where the engine is none, UnavailableError where it is not
    there."""
    engine, _, rest = name.partition(":")
    if engine not in ENGINES or not rest:
        raise InputError(
            f"“{name}” is no voice.", field="voice", hint="Give for instance espeak:en-us+f3 or flite:slt."
        )
    voice = Voice(engine, rest)
    if not is_there(voice):
        raise UnavailableError(f"the voice “{name}” is not installed.", field="voice", hint="hitl doctor says how.")
    return voice


def is_there(voice: Voice) -> bool:
    """Whether it is installed; of espeak-ng, whether that is."""
    return voice.engine in engines() if voice.engine == "espeak" else voice.name in _named(voice.engine)


@cache
def engines() -> tuple[str, ...]:
    """The synthesizers that are installed as programs."""
    programs = {"espeak": "espeak-ng", "flite": "flite", "festival": "text2wave"}
    return tuple(engine for engine, program in programs.items() if shutil.which(program))


def voices() -> list[Voice]:
    """Every voice that is there; of espeak-ng only one for each accent."""
    accents = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029")
    found = [Voice("espeak", accent) for accent in accents] if "espeak" in engines() else []
    return found + [Voice(engine, name) for engine in ENGINES[1:] for name in _named(engine)]


@cache
def _named(engine: str) -> tuple[str, ...]:
    if engine in NEURAL:
        return neural_voices.named(engine)
    if engine not in engines():
        return ()
    if engine == "flite":
        return _FLITE
    there = {path.name for path in _FESTIVAL_FOLDER.glob("*/*")}
    return tuple(name for name, call in _FESTIVAL.items() if call.removeprefix("voice_") in there)


def speak(text: str, voice: Voice, *, speed: float = 1.0, pitch: float = 1.0) -> Audio:
    """`text` in this voice. speed: 1 is normal, 2 twice as fast; pitch: 1 is the voice's own.

    Raises UnavailableError where the synthesizer is missing, fails or takes a minute.
    """
    return speak_all([text], voice, speed=speed, pitch=pitch)[0]


def speak_all(texts: Sequence[str], voice: Voice, *, speed: float = 1.0, pitch: float = 1.0) -> list[Audio]:
    """`speak` for several texts; festival takes a second to start and then says all of them."""
    texts = [text[:_LONGEST_CHARS] for text in texts]
    if voice.engine in NEURAL:
        return [_resampled(*neural_voices.say(text, voice.engine, voice.name, speed)) for text in texts]
    with tempfile.TemporaryDirectory(prefix="hitl-speak-") as folder:
        paths = [Path(folder) / f"{number}.wav" for number in range(len(texts))]
        if voice.engine == "festival":
            script = Path(folder) / "say.scm"
            script.write_text(_festival_script(texts, paths, voice, speed), encoding="utf-8")
            _run(["festival", "--batch", str(script)])
        else:
            for text, path in zip(texts, paths, strict=True):
                _run(_command(text, path, voice, speed, pitch))
        missing = [text for text, path in zip(texts, paths, strict=True) if not path.exists()]
        if missing:
            raise UnavailableError(f"{voice} did not say “{missing[0][:40]}”.", field="voice")
        return [read_wav(path) if path.stat().st_size > _HEAD_BYTES else _SILENCE for path in paths]


def _resampled(sound: Audio, rate: int) -> Audio:
    return sound if rate == RATE else np.asarray(soxr.resample(sound, rate, RATE), np.float32)


_SILENCE = np.zeros(160, np.float32)
"""What a text without sounds becomes, such as "..."."""
_HEAD_BYTES = 44


def _command(text: str, path: Path, voice: Voice, speed: float, pitch: float) -> list[str]:
    if voice.engine == "espeak":
        words = str(round(PLAIN_WORDS_PER_MINUTE * speed))
        height = str(round(min(99, max(0, 50 * pitch))))
        return ["espeak-ng", "-v", voice.name, "-s", words, "-p", height, "-w", str(path), "--", text]
    options = [
        "--setf",
        f"duration_stretch={1 / speed:.3f}",
        "--setf",
        f"int_f0_target_mean={_flite_mean(voice) * pitch:.0f}",
    ]
    return ["flite", "-voice", voice.name, *(options if pitch != 1.0 else options[:2]), "-t", text, "-o", str(path)]


def _flite_mean(voice: Voice) -> float:
    return {"slt": 170.0, "awb": 125.0, "rms": 95.0}.get(voice.name, 105.0)


def _festival_script(texts: Sequence[str], paths: Sequence[Path], voice: Voice, speed: float) -> str:
    lines = [f"({_FESTIVAL[voice.name]})", f"(Parameter.set 'Duration_Stretch {1 / speed:.3f})"]
    if voice.name.endswith("hts"):
        lines[1] = ""
    for text, path in zip(texts, paths, strict=True):
        said = text.replace("\\", " ").replace('"', " ")
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{said}")) "{path}" \'riff)')
    return "\n".join(lines)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise UnavailableError(
            f"{command[0]} is not installed.", field="voice", hint=f"Install it: apt-get install {command[0]}"
        ) from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{command[0]} did not answer within a minute.", field="voice") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"{command[0]} failed: {why}", field="voice")
