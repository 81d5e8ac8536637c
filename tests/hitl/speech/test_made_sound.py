"""Noise, rooms, voices and what recognizers write in silence."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import InputError, UnavailableError
from hitl.speech import noise, sounds, synthesis
from hitl.speech.audio import RATE
from hitl.speech.silence import is_hallucination
from hitl.speech.sounds import Speaker, tone
from hitl.speech.synthesis import Voice, speak, voice_named


@given(st.floats(-5, 30), st.integers(0, 2**32 - 1), st.floats(0.01, 0.3))
@settings(deadline=None, max_examples=40)
def test_noise_is_as_far_below_the_voice_as_was_asked(snr_db: float, seed: int, loudness: float) -> None:
    rng = np.random.default_rng(seed)
    voice = np.zeros(RATE, np.float32)
    voice[RATE // 4 : RATE // 2] = loudness * rng.standard_normal(RATE // 4)
    added = noise.coloured(RATE, 1.0, rng)
    mixed = noise.mix(voice, added, snr_db)
    assert np.abs(mixed).max() <= 1.0
    gain = np.dot(mixed[RATE // 2 :], added[RATE // 2 :]) / np.dot(added[RATE // 2 :], added[RATE // 2 :])
    scale = np.dot(mixed - gain * added, voice) / np.dot(voice, voice)  # it is turned down where it would clip
    measured = 10 * np.log10(noise.speech_power(scale * voice) / np.mean(np.square(gain * added)))
    assert measured == pytest.approx(snr_db, abs=0.2)


@pytest.mark.parametrize("kind", [noise.motor, noise.hum, noise.music, noise.knocks])
def test_noises_have_unit_power_and_are_the_same_for_a_seed(kind: object) -> None:
    made = [kind(RATE, np.random.default_rng(3)) for _ in range(2)]  # type: ignore[operator]
    np.testing.assert_array_equal(*made)
    assert np.mean(np.square(made[0])) == pytest.approx(1.0, rel=1e-3)
    assert made[0].dtype == np.float32


def test_silence_takes_noise_and_nothing_breaks() -> None:
    silence, rng = np.zeros(RATE, np.float32), np.random.default_rng(0)
    for sound in (silence, silence[:0], silence[:100]):
        assert np.isfinite(noise.mix(sound, noise.coloured(RATE, 0.0, rng), 10.0)).all()
    assert np.isfinite(noise.in_room(silence, rng, 0.3, 0.5)).all()


def test_a_room_and_a_microphone_keep_the_length() -> None:
    rng = np.random.default_rng(0)
    voice = rng.normal(0, 0.1, RATE).astype(np.float32)
    for changed in (noise.in_room(voice, rng, 0.4, 1.0), noise.through(voice, rng)):
        assert changed.shape == voice.shape and np.isfinite(changed).all()
        assert not np.allclose(changed, voice)


@pytest.mark.parametrize(
    ("text", "no_speech", "log_probability", "nobody"),
    [
        ("", 0.0, 0.0, True),
        (" ... ", 0.0, 0.0, True),
        ("Thanks for watching!", 0.0, 0.0, True),
        ("[Music]", 0.0, 0.0, True),
        ("you", 0.0, -0.1, False),
        ("you", 0.9, -0.1, True),
        ("Thank you.", 0.0, -1.5, True),
        ("go left", 0.9, -0.2, False),
        ("go left", 0.1, -2.0, False),
        ("go left", 0.9, -2.0, True),
    ],
)
def test_what_is_written_in_silence(text: str, no_speech: float, log_probability: float, nobody: bool) -> None:
    assert is_hallucination(text, no_speech, log_probability) is nobody


# -- voices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "slt", "nobody:slt", "flite:", ":", "flite"])
def test_a_voice_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="voice"):
        voice_named(name)


def test_a_voice_that_is_not_there_is_told() -> None:
    with pytest.raises(UnavailableError, match="not installed"):
        voice_named("flite:nobody")


def test_a_synthesizer_that_is_missing_fails_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(problem: Exception | None) -> None:
        def ran(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            if problem is not None:
                raise problem
            return subprocess.CompletedProcess(command, 1, "", "first line\nno such voice\n")

        monkeypatch.setattr(synthesis.subprocess, "run", ran)

    for problem, why in (
        (FileNotFoundError(), "not installed"),
        (subprocess.TimeoutExpired("flite", 60), "did not answer"),
        (None, "no such voice"),
    ):
        run(problem)
        with pytest.raises(UnavailableError, match=why):
            speak("go left", Voice("flite", "slt"))


@pytest.mark.skipif("flite" not in synthesis.engines(), reason="flite is not installed")
def test_a_voice_speaks() -> None:
    said = speak("go left", voice_named("flite:slt"))
    assert 0.3 * RATE < len(said) < 3 * RATE and np.abs(said).max() > 0.05


def test_tones_are_soft_and_short() -> None:
    for kind in sounds.TONES:
        assert np.abs(tone(kind)).max() <= 0.13 and len(tone(kind)) < RATE // 4


def test_a_speaker_that_cannot_play_says_so_once_and_never_stays_speaking() -> None:
    def play(sound: object) -> None:
        raise UnavailableError("there is no device for sound.", field="sound")

    told: list[str] = []
    speaker = Speaker(play)
    speaker.play("begin")
    for _ in range(3):
        speaker.speak("going left", told.append)
    speaker.close()
    assert not speaker.speaking
    assert len(told) == 1
    broken: list[str] = []

    def crash(sound: object) -> None:
        raise RuntimeError("a library broke")

    speaker = Speaker(crash)
    for _ in range(2):
        speaker.speak("going left", broken.append)
    speaker.close()
    assert not speaker.speaking and broken
