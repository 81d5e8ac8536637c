"""Files and device blocks of every kind become mono float32 at 16 kHz."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import InputError
from hitl.speech.audio import RATE, Converter, clipped_share, from_int16, level_db, read_wav, to_int16, write_wav

SECONDS = 0.5


def tone(rate: int, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(SECONDS * rate)) / rate)


def wav(path: Path, body: bytes, *, kind: int = 1, channels: int = 1, rate: int = RATE, width: int = 2) -> Path:
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * width, channels * width, 8 * width)
    if kind == 0xFFFE:
        head += struct.pack("<HHI", 22, 8 * width, 0) + struct.pack("<H", 1) + b"\0" * 14
    chunks = b"LIST\x03\0\0\0abc\0" + b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"data" + struct.pack("<I", len(body)) + body
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def encoded(samples: np.ndarray, width: int, kind: int) -> bytes:
    if kind == 3:
        return samples.astype(f"<f{width}").tobytes()
    if width == 1:
        return (samples * 127 + 128).astype(np.uint8).tobytes()
    whole = np.round(samples * (2 ** (8 * width - 1) - 1)).astype("<i8")
    return whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize(("kind", "width"), [(1, 1), (1, 2), (1, 3), (1, 4), (3, 4), (3, 8), (0xFFFE, 2)])
def test_every_kind_of_wav_is_the_same_tone(tmp_path: Path, rate: int, kind: int, width: int) -> None:
    stereo = np.repeat(tone(rate)[:, None], 2, 1).ravel()
    path = wav(tmp_path / "a.wav", encoded(stereo, width, kind), kind=kind, channels=2, rate=rate, width=width)
    audio = read_wav(path)
    assert audio.dtype == np.float32 and abs(len(audio) - SECONDS * RATE) <= 2
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert abs(np.argmax(spectrum) / SECONDS - 440) < 3
    assert level_db(audio[1000:-1000]) == pytest.approx(level_db(tone(RATE).astype(np.float32)), abs=0.3)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    write_wav(tmp_path / "a.wav", audio)
    assert np.abs(read_wav(tmp_path / "a.wav") - audio).max() < 1e-4
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (RATE, 1, 5000)


def test_a_dead_channel_does_not_halve_the_voice(tmp_path: Path) -> None:
    samples = np.zeros((8000, 2))
    samples[:, 1] = tone(RATE)
    audio = read_wav(wav(tmp_path / "a.wav", encoded(samples.ravel(), 2, 1), channels=2))
    assert np.abs(audio).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no WAV"),
        (b"OggS" + b"\0" * 100, "no WAV"),
        (b"RIFF\0\0\0\0WAVE", "ends before its sound"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", "damaged head"),
        (b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", "nothing about its format"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x55\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\x04\0\0\0abcd",
            "not known",
        ),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\0\0\0", "no sound"),
    ],
)
def test_what_is_no_wav_is_named(tmp_path: Path, body: bytes, says: str) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(body)
    with pytest.raises(InputError, match=says) as caught:
        read_wav(path)
    assert caught.value.field == str(path)


def test_a_missing_file_is_named_and_one_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_wav(tmp_path / "none.wav")
    path = wav(tmp_path / "cut.wav", encoded(tone(RATE), 2, 1))
    path.write_bytes(path.read_bytes()[:-8001])
    assert len(read_wav(path)) == 8000 - 4001


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + body)
    with pytest.raises(InputError):
        read_wav(path)


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2), (44_100, 1)])
def test_blocks_of_a_device_are_one_stream_without_clicks(rate: int, channels: int) -> None:
    converter = Converter(rate, channels)
    whole = np.repeat(tone(rate)[:, None], channels, 1).astype(np.float32)
    parts = [converter.convert(to_int16(whole[at : at + 480].ravel())) for at in range(0, len(whole), 480)]
    audio = np.concatenate(parts)
    assert abs(len(audio) - SECONDS * RATE) < 600, "no more than a moment is kept back"
    wanted = tone(RATE)[: len(audio)]
    assert np.abs(audio[300:-300] - wanted[300 : len(audio) - 300]).max() < 0.01


def test_levels() -> None:
    assert level_db(np.zeros(100, np.float32)) == level_db(np.zeros(0, np.float32)) == -80.0
    assert level_db(np.ones(100, np.float32)) == pytest.approx(0.0, abs=0.01)
    assert clipped_share(np.array([0.0, 1.0, -1.0, 0.5], np.float32)) == 0.5


def test_every_int16_sample_is_itself_again_and_others_are_the_nearest(tmp_path: Path) -> None:
    every = np.arange(-(2**15), 2**15).astype("<i2")
    assert to_int16(from_int16(every.tobytes())) == every.tobytes()
    sound = np.linspace(-1, 1, 999, dtype=np.float32)
    assert np.abs(from_int16(to_int16(sound)) - sound).max() <= 1 / 2**15
    assert np.frombuffer(to_int16(np.array([-2.0, -1.0, 1.0, 2.0], np.float32)), "<i2").tolist() == [
        -(2**15), -(2**15), 2**15 - 1, 2**15 - 1,
    ]  # fmt: skip
    write_wav(tmp_path / "a.wav", from_int16(every.tobytes()))
    assert np.array_equal(read_wav(tmp_path / "a.wav"), from_int16(every.tobytes()))
