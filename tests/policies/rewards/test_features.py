"""What is counted about segments, what is covered, and the cache on disk."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from policies.rewards.backbone import Backbone
from policies.rewards.documents import Document
from policies.rewards.encoder import RewardEncoder
from policies.rewards.features import COUNTED, PROJECTED, SOURCE_FEATURES
from policies.rewards.lexical import LEXICAL_FEATURES, LexicalReader
from tests.support.reward_models import document


def counted(answer: str, cuts: list[int] | None = None) -> list[dict[str, float]]:
    one = document(answer, cuts or [])
    rows = LexicalReader(one).features(one.spans("sub_sentence"))
    assert {len(row) for row in rows} == {len(LEXICAL_FEATURES)}
    return [dict(zip(LEXICAL_FEATURES, row, strict=True)) for row in rows]


def test_what_is_copied_and_what_is_made_up() -> None:
    copied = counted("Mawhood led the British regiments in Princeton.")[0]
    assert copied["words in sources"] == copied["fours in sources"] == copied["content in best"] == 1
    assert copied["copied share"] == 1 and copied["numbers not in sources"] == 0
    made_up = counted("There Cornwallis led 1,400 men.")[0]
    assert made_up["numbers not in sources"] == made_up["names not in sources"] == pytest.approx(np.log1p(1))
    assert made_up["content in sources"] == pytest.approx(1 / 4)


def test_a_number_of_another_sentence_is_in_the_sources_and_not_in_the_best_one() -> None:
    mixed = counted("Mawhood led the British regiments in Princeton in 1777.")[0]
    assert mixed["numbers not in sources"] == 0
    assert mixed["numbers not in best"] == pytest.approx(np.log1p(1))


def test_repetition_looks_back_and_never_ahead() -> None:
    answer = "Mawhood led the British. Mawhood led the British."
    first, second = counted(answer, [25])
    assert first["triples before"] == first["content before"] == 0
    assert second["triples before"] == second["content before"] == second["content before, best"] == 1
    assert second["best used before"] == 1 and second["new content"] == 0


def test_a_covered_sentence_is_the_one_that_was_copied(encoder: Backbone) -> None:
    reader = RewardEncoder(backbone=encoder)
    copied, other = reader.features(
        [document("Mawhood led the British regiments in Princeton."), document("Bananas.")]
    )
    assert copied.covered[2] > 0.9 and copied.covered[:2].max() < 0.1
    assert other.covered.max() < 0.1


def test_shapes(encoder: Backbone) -> None:
    found = RewardEncoder(backbone=encoder).features([document("Mawhood led them, and he lost.", [17])])[0]
    assert found.segments["sub_sentence"].shape == (2, COUNTED + PROJECTED)
    assert found.sources.shape == (3, SOURCE_FEATURES) and found.covered.shape == (3,)
    assert found.whole.shape == (COUNTED + PROJECTED,)


def test_a_segment_without_words_and_one_of_spaces(encoder: Backbone) -> None:
    one = Document("odd", "Who?", (), "… —  x", {"token": ((0, 1), (2, 3), (3, 5))})
    assert np.isfinite(RewardEncoder(backbone=encoder).features([one])[0].segments["token"]).all()


class Counting:
    """A backbone that counts how many answers it read."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone, self.answers = backbone, 0
        self.size, self.causal, self.fingerprint = backbone.size, backbone.causal, backbone.fingerprint

    def encode(self, documents: list[Document]) -> list:
        self.answers += len(documents)
        return self._backbone.encode(documents)


def test_no_answer_is_read_twice_not_even_by_another_process(encoder: Backbone, tmp_path: Path) -> None:
    documents = [document("Mawhood led them."), document("Nobody."), document("Mawhood led them.", name="again")]
    one, two = Counting(encoder), Counting(encoder)
    reader = RewardEncoder(backbone=one, cache=tmp_path)  # type: ignore[arg-type]
    first = reader.features(documents)
    reader.features(documents)
    assert one.answers == 2
    second = RewardEncoder(backbone=two, cache=tmp_path).features(documents)  # type: ignore[arg-type]
    assert two.answers == 0
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.whole, b.whole)
        np.testing.assert_array_equal(a.segments["sentence"], b.segments["sentence"])


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, None])
def test_a_damaged_cache_is_told_of_and_made_anew(
    encoder: Backbone, tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    expected = RewardEncoder(backbone=encoder, cache=tmp_path).features([document("Nobody.")])[0]
    file = next(tmp_path.rglob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-30] if damage is None else damage)
    with caplog.at_level(logging.WARNING):
        again = RewardEncoder(backbone=encoder, cache=tmp_path).features([document("Nobody.")])[0]
    assert str(file) in caplog.text
    np.testing.assert_allclose(again.whole, expected.whole, atol=1e-5)
    caplog.clear()
    RewardEncoder(backbone=encoder, cache=tmp_path).features([document("Nobody.")])
    assert not caplog.text


def test_another_encoder_has_a_cache_of_its_own(encoder: Backbone, decoder: Backbone, tmp_path: Path) -> None:
    for backbone in (encoder, decoder):
        RewardEncoder(backbone=backbone, cache=tmp_path).features([document("Nobody.")])
    assert len(list(tmp_path.iterdir())) == 2
