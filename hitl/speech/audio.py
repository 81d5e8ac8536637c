"""Sound as numbers: mono float32 at 16 kHz, one second is 16,000 samples, full scale is 1.

Everything that is not so is brought to it here: files (WAV of any rate, width and number of channels) and blocks from
a device, whose rate and channels are what the device happens to have. Knows nothing of microphones or recognizers.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from hitl.errors import InputError

Audio = NDArray[np.float32]

RATE = 16_000
MAX_FILE_S = 3600.0
"""Longer files are refused: a command takes seconds."""
_QUIET_DB = -80.0
_FULL_SCALE = {1: 128.0, 2: 32768.0, 3: 8388608.0, 4: 2147483648.0}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class Converter:
    """A stream of blocks of one device to blocks at 16 kHz; keeps what a block's end needs from the next one."""

    def __init__(self, rate: int, channels: int) -> None:
        self._channels = channels
        self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")

    def convert(self, block: bytes) -> Audio:
        """Interleaved int16 samples of all channels -> mono `(n,)` float32; n varies by a sample or two."""
        mono = _mono(from_int16(block).reshape(-1, self._channels))
        if self._resampler is None:
            return mono
        return np.asarray(self._resampler.resample_chunk(mono), np.float32)


def level_db(audio: Audio) -> float:
    """Root mean square below full scale, dB; -80 for silence."""
    if not len(audio):
        return _QUIET_DB
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    return max(_QUIET_DB, 10 * float(np.log10(power + 1e-12)))


def clipped_share(audio: Audio) -> float:
    """Share of samples at full scale, 0 to 1: a microphone that is turned up too far."""
    return float(np.mean(np.abs(audio) >= 0.999)) if len(audio) else 0.0


def to_int16(audio: Audio) -> bytes:
    """Samples as little-endian int16, the nearest ones: sound that was int16 before comes out as it was."""
    return np.clip(np.rint(audio * _FULL_SCALE[2]), -_FULL_SCALE[2], _FULL_SCALE[2] - 1).astype("<i2").tobytes()


def from_int16(sound: bytes | memoryview) -> Audio:
    """Little-endian int16 as samples `(n,)`."""
    return np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(_FULL_SCALE[2])


def write_wav(path: Path, audio: Audio) -> None:
    """Write 16-bit mono WAV at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(to_int16(audio))


def read_wav(path: Path | str) -> Audio:
    """A WAV file (PCM 8, 16, 24, 32 bit or float 32, 64) as mono at 16 kHz.

    Raises InputError naming the file where it is missing, no WAV, cut off in its head, empty or longer than an hour. A
    file whose sound is cut off is read as far as it goes. Format: RIFF/WAVE, Microsoft, "Multimedia Programming
    Interface and Data Specifications 1.0", and WAVE_FORMAT_EXTENSIBLE.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise InputError(f"cannot be read ({problem.strerror}).", field=str(path)) from problem
    kind, channels, rate, width, data = _parse_wav(raw, str(path))
    frame = channels * width
    data = data[: len(data) // frame * frame]
    if not data:
        raise InputError("holds no sound.", field=str(path))
    if len(data) / frame / rate > MAX_FILE_S:
        raise InputError("is longer than an hour.", field=str(path), hint="Cut it into parts.")
    mono = _mono(_samples(data, kind, width).reshape(-1, channels))
    if rate != RATE:
        mono = np.asarray(soxr.resample(mono, rate, RATE, quality="HQ"), np.float32)
    return mono


def _parse_wav(raw: bytes, name: str) -> tuple[int, int, int, int, bytes]:
    """Format tag, channels, rate, bytes a sample, and the sound's bytes."""

    def wrong(why: str) -> InputError:
        return InputError(why, field=name, hint="Give a WAV file, for instance from: sox IN -r 16000 -c 1 OUT.wav")

    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise wrong("is no WAV file.")
    head: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(raw):
        tag, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        body = raw[at + 8 : at + 8 + size]
        if tag == b"fmt ":
            head = _format(body)
            if head is None:
                raise wrong("has a damaged head, or its kind of WAV is not known.")
        elif tag == b"data":
            if head is None:
                raise wrong("says nothing about its format before its sound.")
            return (*head, body)
        at += 8 + size + size % 2
    raise wrong("ends before its sound.")


def _format(body: bytes) -> tuple[int, int, int, int] | None:
    if len(body) < 16:
        return None
    kind, channels = int.from_bytes(body[0:2], "little"), int.from_bytes(body[2:4], "little")
    rate, width = int.from_bytes(body[4:8], "little"), int.from_bytes(body[14:16], "little") // 8
    if kind == _EXTENSIBLE and len(body) >= 26:
        kind = int.from_bytes(body[24:26], "little")
    known = kind == _PCM and width in _FULL_SCALE or kind == _FLOAT and width in (4, 8)
    sensible = 1 <= channels <= 64 and 1000 <= rate <= 768_000
    return (kind, channels, rate, width) if known and sensible else None


def _samples(data: bytes, kind: int, width: int) -> Audio:
    if kind == _FLOAT:
        found = np.nan_to_num(np.frombuffer(data, f"<f{width}").astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
        return np.clip(found, -1.0, 1.0)
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / _FULL_SCALE[1]
    if width == 3:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        values = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
        return ((values ^ 0x800000) - 0x800000).astype(np.float32) / _FULL_SCALE[3]
    return (np.frombuffer(data, f"<i{width}").astype(np.float64) / _FULL_SCALE[width]).astype(np.float32)


def _mono(samples: NDArray[np.float32]) -> Audio:
    """`(n, channels)` -> `(n,)`: the mean of the channels that carry sound; a dead channel must not halve the
    voice."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    live = np.abs(samples).max(0, initial=0.0) > 0
    return np.ascontiguousarray(samples[:, live].mean(1) if live.any() else samples[:, 0])
