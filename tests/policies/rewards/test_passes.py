"""One pass reads what each answer alone would read: packing, states, surprise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from policies.errors import PolicyError
from policies.rewards.backbone import Backbone, load_backbone
from policies.rewards.documents import Document, HeadSpec
from tests.support.reward_models import document

ANSWERS = ["Mawhood led them, and he lost.", "Washington.", "It was fought in 1777 by nobody."]


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_answers_that_share_a_pass_have_the_states_of_answers_alone(kind: str, request: pytest.FixtureRequest) -> None:
    backbone: Backbone = request.getfixturevalue(kind)
    together = backbone.encode([document(answer) for answer in ANSWERS])
    for answer, shared in zip(ANSWERS, together, strict=True):
        alone = backbone.encode([document(answer)])[0]
        torch.testing.assert_close(shared.answer, alone.answer, atol=1e-5, rtol=1e-4)
        assert shared.offsets == alone.offsets
        if shared.surprise is not None and alone.surprise is not None:
            torch.testing.assert_close(shared.surprise, alone.surprise, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_prompt_and_sources_stand_once_in_the_row(kind: str, request: pytest.FixtureRequest) -> None:
    backbone: Backbone = request.getfixturevalue(kind)
    one, three = (len(backbone.pack([document(a) for a in ANSWERS[:n]]).row.ids) for n in (1, 3))
    single = [len(backbone.pack([document(a)]).row.ids) for a in ANSWERS]
    shared = single[0] + single[1] - len(backbone.pack([document(a) for a in ANSWERS[:2]]).row.ids)
    assert shared > 30
    assert one == single[0] and three == sum(single) - 2 * shared


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_offsets_are_characters_of_the_text(kind: str, request: pytest.FixtureRequest) -> None:
    backbone: Backbone = request.getfixturevalue(kind)
    packed = backbone.pack([document("Mawhood led them.")])
    for part in (packed.prompt, *packed.sources, *packed.answers):
        said = "".join(part.text[start:end] for start, end in part.offsets)
        assert said.replace(" ", "") == part.text.replace(" ", "")
        ids = [packed.row.ids[place] for place in part.places]
        assert backbone.tokenizer.decode(ids).replace(" ", "") == part.text.lower().replace(" ", "")


def test_a_decoder_s_surprise_is_that_of_the_plain_sequence(decoder: Backbone) -> None:
    packed = decoder.pack([document("Mawhood led them.")])
    ids = torch.tensor([packed.row.ids])
    with torch.no_grad():
        logits = decoder.head(decoder.model(input_ids=ids).last_hidden_state)[0]
    places = packed.answers[0].places
    expected = [-float(logits[place - 1].log_softmax(-1)[packed.row.ids[place]]) for place in places]
    surprise = decoder.encode([document("Mawhood led them.")])[0].surprise
    torch.testing.assert_close(surprise, torch.tensor(expected), atol=1e-4, rtol=1e-4)


def test_an_answer_longer_than_the_encoder_is_read_in_blocks_and_whole(encoder: Backbone) -> None:
    long = " ".join(f"word{n}" for n in range(400))
    encoded = encoder.encode([document(long)])[0]
    assert encoded.offsets[-1][1] == len(long) and len(encoded.answer) == len(encoded.offsets) > 400
    assert torch.isfinite(encoded.answer).all()


def test_sources_that_do_not_fit_into_a_decoder_are_an_error_that_says_so(decoder: Backbone) -> None:
    sources = (("title", *("a sentence of seven words it is" for _ in range(800))),)
    with pytest.raises(PolicyError, match="the encoder reads 4096"):
        decoder.encode([Document("long", "Who?", sources, "Nobody.")])


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=str(tmp_path)):
        load_backbone(str(tmp_path), "cpu")


def test_a_fingerprint_is_of_the_weights_and_not_of_the_folder(encoder: Backbone, tmp_path: Path) -> None:
    shutil.copytree(encoder.name, tmp_path / "copy")
    again = load_backbone(str(tmp_path / "copy"), "cpu")
    assert again.fingerprint.rpartition("-")[2] == encoder.fingerprint.rpartition("-")[2]
    with torch.no_grad():
        again.model.embeddings.word_embeddings.weight[200] += 1
    again.save(tmp_path / "other")
    other = load_backbone(str(tmp_path / "other"), "cpu")
    assert other.fingerprint.rpartition("-")[2] != encoder.fingerprint.rpartition("-")[2]


@pytest.mark.parametrize("spans", [((0, 3), (2, 5)), ((3, 3),), ((0, 9),)])
def test_segments_are_checked(spans: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(PolicyError, match="a: sentence"):
        Document("a", "?", (), "abcdef", {"sentence": spans})


def test_heads_that_compare_are_of_whole_answers() -> None:
    with pytest.raises(PolicyError, match="whole"):
        HeadSpec("completeness", "sentence", "coverage")
