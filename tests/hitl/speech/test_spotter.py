"""The spotter's arithmetic: the same however the sound is cut, and the same as the network that was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import CheckpointError
from hitl.speech import spotter
from hitl.speech.audio import RATE
from hitl.speech.spotter import (
    BANDS,
    EVERY,
    FFT,
    HOP,
    WORDS,
    Features,
    Network,
    Spotter,
    SpotterRules,
    normalised,
    stop_share,
)
from policies.speech.stop_words import StopWordNetwork

SOUND = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)


@given(st.lists(st.integers(0, 3000), max_size=12))
@settings(deadline=None)
def test_features_do_not_depend_on_how_the_sound_is_cut(cuts: list[int]) -> None:
    whole = Features().feed(SOUND)
    assert len(whole) == (len(SOUND) - FFT) // HOP + 1
    features, parts, at = Features(), [], 0
    for cut in [*cuts, len(SOUND)]:
        parts.append(features.feed(SOUND[at : at + cut]))
        at += cut
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_network_is_the_one_that_was_trained(seed: int) -> None:
    torch.manual_seed(seed)
    trained = StopWordNetwork(BANDS, len(WORDS)).eval()
    tensors = {name: tensor.detach().numpy() for name, tensor in trained.state_dict().items()}
    frames = normalised(Features().feed(SOUND)[:100])
    with torch.no_grad():
        wanted = trained(torch.from_numpy(frames)[None]).softmax(-1)[0].numpy()
    np.testing.assert_allclose(Network(tensors).probabilities(frames), wanted, rtol=1e-4, atol=1e-5)


def test_loudness_does_not_matter() -> None:
    loud, quiet = (normalised(Features().feed(SOUND * gain)) for gain in (1.0, 0.05))
    np.testing.assert_allclose(loud, quiet, atol=0.02)


class Scripted:
    """Gives the same answer to every question."""

    def __init__(self, tensors: object) -> None:
        self.probability = 0.0

    def probabilities(self, frames: object) -> np.ndarray:
        rest = (1.0 - self.probability) / len(WORDS)
        return np.array([rest, self.probability, *[rest] * (len(WORDS) - 1)], np.float32)


def test_a_word_that_was_believed_rests_longer_than_one_that_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotter, "Network", Scripted)
    found = Spotter(rules=SpotterRules(threshold=0.4, again_s=0.15, rest_s=1.0))
    block = np.zeros(EVERY, np.float32)
    found._network.probability = 0.3  # type: ignore[attr-defined]
    assert found.feed(block) is None
    found._network.probability = 0.9  # type: ignore[attr-defined]
    heard = found.feed(block)
    assert heard is not None and (heard.word, heard.at) == (WORDS[0], 2 * EVERY)
    again = next(number for number in range(100) if found.feed(block))
    assert again * EVERY / RATE < 0.3
    found.believe()
    again = next(number for number in range(100) if found.feed(block))
    assert 0.9 < again * EVERY / RATE < 1.1
    found.reset()
    assert found.feed(block) is not None


def test_what_is_no_network_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for content in (None, b"", b"nonsense" * 100):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CheckpointError, match="model.safetensors"):
            Spotter(path)
    from safetensors.numpy import save_file

    save_file({"out.weight": np.zeros((2, 2), np.float32)}, path)
    with pytest.raises(CheckpointError):
        Spotter(path)


def test_silence_and_noise_are_no_stop() -> None:
    shipped = Spotter()
    for sound in (np.zeros(5 * RATE, np.float32), np.tile(SOUND, 5)):
        for at in range(0, len(sound), 512):
            found = shipped.feed(sound[at : at + 512])
            assert found is None or found.probability < shipped.rules.alone


@pytest.mark.parametrize(
    ("probability", "share", "counts"),
    [
        (0.5, 0.29, False),
        (0.5, 0.31, True),
        (0.9, 0.04, False),
        (0.9, 0.06, True),
        (0.79, None, False),
        (0.8, None, True),
    ],
)
def test_network_and_readings_decide_together(probability: float, share: float | None, counts: bool) -> None:
    assert SpotterRules().believe(probability, share) is counts


def test_readings_with_a_stop_word_add_up() -> None:
    assert stop_share([("wait wait", 0.2), ("frees", 0.1), ("go left", 0.7)]) == pytest.approx(0.3)
    assert stop_share([]) == 0.0
