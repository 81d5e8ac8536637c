"""The learner: what it learns from, what it forgets, what it never sees, and what it keeps on disk."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from policies.errors import CheckpointError, PolicyError
from policies.rewards.backbone import Backbone
from policies.rewards.checkpoint import load_learner, save_learner
from policies.rewards.documents import FINE_GRAINED, Document, HeadSpec, Label, Preferred, SegmentLabels, Wanted
from policies.rewards.encoder import RewardEncoder
from policies.rewards.learner import RewardLearner
from tests.support.reward_models import RewardModelConformance, document

HEADS = (*FINE_GRAINED, HeadSpec("rude", "token", "error"))
TRUE, MADE_UP = "Mawhood led the British regiments.", "Cornwallis led 1,400 men of Hull."


def corpus(count: int = 40) -> tuple[list[Document], dict[str, Label]]:
    """Answers of a true and a made-up sentence, and labels that say so; pairs that prefer the true one."""
    documents: list[Document] = []
    labels: dict[str, Label] = {}
    rng = random.Random(0)
    for at in range(count):
        prompt = f"Who led the British in year {at}?"
        order = [TRUE, MADE_UP] if rng.random() < 0.5 else [MADE_UP, TRUE]
        text = " ".join(order)
        one = document(text, [len(order[0]) + 1], name=f"d{at}", prompt=prompt)
        good, bad = document(TRUE, name=f"good{at}", prompt=prompt), document(MADE_UP, name=f"bad{at}", prompt=prompt)
        documents += [one, good, bad]
        wrong = tuple(int(piece == MADE_UP) for piece in order)
        labels[f"l{at}"] = SegmentLabels("relevance", one.id, wrong)
        labels[f"p{at}"] = Preferred("completeness", good.id, bad.id)
        labels[f"w{at}"] = Wanted("completeness", good.id, (False, None, True))
    return documents, labels


@pytest.fixture(scope="module")
def reader(encoder: Backbone) -> RewardEncoder:
    return RewardEncoder(backbone=encoder)


def learner_of(reader: RewardEncoder, labels: dict[str, Label], **settings: float) -> RewardLearner:
    learner = RewardLearner(reader, HEADS, **settings)  # type: ignore[arg-type]
    learner.add(corpus()[0])
    for label_id, label in labels.items():
        learner.put(label_id, label)
    return learner


class TestConformance(RewardModelConformance):
    @pytest.fixture(params=["untaught", "taught"])
    def model(self, reader: RewardEncoder, request: pytest.FixtureRequest) -> RewardLearner:
        learner = learner_of(reader, corpus()[1])
        if request.param == "taught":
            learner.update()
        # A head of a density that a document was not cut by says nothing of it.
        return learner


def test_it_learns_what_was_labelled_and_measures_on_what_it_never_saw(reader: RewardEncoder) -> None:
    learner = learner_of(reader, corpus()[1])
    update = learner.update()
    held = {d.id[1:] for d in corpus()[0] if d.id[:2] not in ("go", "ba") and learner.is_held_out(d)}
    assert held and held.isdisjoint(label_id[1:] for label_id in update.labels)
    assert update.scores["relevance"].f1 == 1.0 and update.scores["relevance"].n > 4
    assert update.scores["completeness"].accuracy == 1.0 and update.scores["completeness"].f1 is None
    found = learner.predict([document(f"{TRUE} {MADE_UP}", [len(TRUE) + 1], prompt="Who led them?")])[0]
    assert found.errors["relevance"] == (False, True)
    assert found.rewards["relevance"][0] > 0 > found.rewards["relevance"][1]
    assert abs(found.rewards["relevance"][1]) <= 0.3
    good, bad = learner.predict([document(TRUE), document(MADE_UP)])
    assert good.scores["completeness"] > bad.scores["completeness"]


def test_a_head_without_labels_says_a_half_and_pays_nothing(reader: RewardEncoder) -> None:
    learner = learner_of(reader, corpus()[1])
    learner.update()
    found = learner.predict([document(TRUE)])[0]
    assert found.chances["factuality"] == (0.5,) and found.rewards["factuality"] == (0.0,)
    assert "factuality" not in learner.latest.scores


def test_unknown_segments_teach_nothing(reader: RewardEncoder) -> None:
    labels = {k: v for k, v in corpus()[1].items() if isinstance(v, SegmentLabels)}
    masked = {
        k: SegmentLabels(v.head, v.document, (None, None) if k.endswith("7") else v.values) for k, v in labels.items()
    }
    without = {k: v for k, v in labels.items() if not k.endswith("7")}
    one, two = learner_of(reader, masked, held_out=0.0), learner_of(reader, without, held_out=0.0)
    one.update()
    two.update()
    a, b = (x.predict([document(f"{TRUE} {MADE_UP}", [35])])[0].chances["relevance"] for x in (one, two))
    np.testing.assert_allclose(a, b, atol=1e-9)


def test_a_label_taken_back_is_as_if_it_never_was(reader: RewardEncoder) -> None:
    labels = corpus()[1]
    wrong = {f"l{at}": SegmentLabels("relevance", f"d{at}", (1, 1)) for at in range(8)}
    plain = learner_of(reader, {k: v for k, v in labels.items() if k not in wrong})
    undone = learner_of(reader, labels | wrong)
    plain.update()
    undone.update()
    probe = [document(f"{TRUE} {MADE_UP}", [35])]
    before = undone.predict(probe)[0].chances["relevance"]
    for label_id in wrong:
        undone.remove(label_id)
    undone.remove("no such label")
    update = undone.update()
    after, expected = undone.predict(probe)[0].chances["relevance"], plain.predict(probe)[0].chances["relevance"]
    assert max(abs(a - b) for a, b in zip(before, expected, strict=True)) > 1e-3
    np.testing.assert_allclose(after, expected, atol=1e-5)
    assert not set(wrong) & set(update.labels)


def test_a_changed_label_counts_as_it_is_now(reader: RewardEncoder) -> None:
    learner = learner_of(reader, corpus()[1], held_out=0.0)
    for at in range(40):
        old = corpus()[1][f"l{at}"]
        assert isinstance(old, SegmentLabels)
        learner.put(f"l{at}", SegmentLabels("relevance", old.document, tuple(1 - (v or 0) for v in old.values)))
    learner.update()
    found = learner.predict([document(f"{TRUE} {MADE_UP}", [35])])[0]
    assert found.errors["relevance"] == (True, False)


def test_the_order_of_labels_and_updates_in_between_make_no_difference(reader: RewardEncoder) -> None:
    labels = list(corpus()[1].items())
    one = learner_of(reader, dict(labels))
    random.Random(3).shuffle(labels)
    two = learner_of(reader, {})
    for at, (label_id, label) in enumerate(labels):
        two.put(label_id, label)
        if at % 40 == 20:
            two.update()
    first, second = one.update(), two.update()
    assert first.labels == second.labels
    probe = [document(f"{TRUE} {MADE_UP}", [35]), document("Nobody.")]
    for a, b in zip(one.predict(probe), two.predict(probe), strict=True):
        np.testing.assert_allclose(a.chances["relevance"], b.chances["relevance"], atol=1e-5)
        assert a.scores["completeness"] == pytest.approx(b.scores["completeness"], abs=1e-4)


RUDE = "Nobody of them was of any use to anybody, they were all fools."


def told_apart(reader: RewardEncoder, count: int = 30) -> RewardLearner:
    """A learner that was told of two kinds of error; of a third of the errors only that they are errors."""
    learner = RewardLearner(reader, FINE_GRAINED, held_out=0.0)
    for at in range(count):
        pieces = [TRUE, MADE_UP, RUDE] if at % 2 else [RUDE, TRUE, MADE_UP]
        text = " ".join(pieces)
        cuts = [len(pieces[0]) + 1, len(pieces[0]) + len(pieces[1]) + 2]
        learner.add([document(text, cuts, name=f"d{at}", prompt=f"Who led the British in year {at}?")])
        kinds: dict[str, tuple[str, ...]] = {TRUE: (), MADE_UP: ("Irrelevant",), RUDE: ("Incoherent", "Redundant")}
        known = tuple(kinds[piece] for piece in pieces) if at % 3 else ()
        learner.put(f"l{at}", SegmentLabels("relevance", f"d{at}", tuple(int(p != TRUE) for p in pieces), known))
    learner.update()
    return learner


def test_it_says_which_category_is_likeliest(reader: RewardEncoder, tmp_path: Path) -> None:
    learner = told_apart(reader)
    probe = [document(f"{MADE_UP} {RUDE}", [len(MADE_UP) + 1], prompt="Who led them?")]
    found = learner.predict(probe)[0].categories
    assert found["relevance"][0] == "Irrelevant" and found["relevance"][1] in ("Redundant", "Incoherent")
    assert "factuality" not in found, "nothing was learned of it"
    save_learner(learner, tmp_path)
    assert load_learner(tmp_path, reader).predict(probe) == learner.predict(probe)


def test_where_no_category_was_told_none_is_said(reader: RewardEncoder) -> None:
    learner = learner_of(reader, corpus()[1])
    learner.update()
    assert learner.predict([document(TRUE)])[0].categories["relevance"] == ()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (SegmentLabels("relevance", "d0", (1, 0), (("Irrelevant",),)), "has 1 categories and 2 values"),
        (SegmentLabels("relevance", "d0", (1, 0), (("Rude",), ())), "the category 'Rude', which relevance"),
        (SegmentLabels("relevance", "d0", (1,)), "has 1 values, its document 2"),
        (SegmentLabels("taste", "d0", (1, 0)), "which is not there"),
        (SegmentLabels("relevance", "nobody", (1, 0)), "which is not there"),
        (SegmentLabels("completeness", "d0", (1, 0)), "of kind coverage"),
        (Preferred("relevance", "good0", "bad0"), "of kind error"),
        (Wanted("completeness", "d0", (True,)), "has 1 values, its document 3"),
    ],
)
def test_labels_that_do_not_fit_are_refused(reader: RewardEncoder, label: Label, message: str) -> None:
    with pytest.raises(PolicyError, match=f"x: .*{message}"):
        learner_of(reader, {"x": label})


def test_a_labelled_document_stays_what_it_is(reader: RewardEncoder) -> None:
    learner = learner_of(reader, {"l0": corpus()[1]["l0"]})
    other = document("Nobody.", name="d0")
    with pytest.raises(PolicyError, match="d0: has labels"):
        learner.add([other])
    learner.add(corpus()[0][:1])
    learner.remove("l0")
    learner.add([other])


def test_a_saved_learner_predicts_the_same_and_says_what_it_learned_from(
    reader: RewardEncoder, tmp_path: Path
) -> None:
    learner = learner_of(reader, corpus()[1])
    learner.update()
    save_learner(learner, tmp_path / "v1")
    again = load_learner(tmp_path / "v1", reader)
    probe = [document(f"{TRUE} {MADE_UP}", [35]), document("Nobody.")]
    assert again.predict(probe) == learner.predict(probe)
    assert again.latest.labels == learner.latest.labels and again.latest.scores == learner.latest.scores
    assert json.loads((tmp_path / "v1" / "model.json").read_text())["labels"] == list(learner.latest.labels)
    assert not [path for path in (tmp_path / "v1").iterdir() if path.suffix not in (".json", ".safetensors")]


def test_folders_that_are_damaged_or_of_another_encoder_are_refused(
    reader: RewardEncoder, decoder: Backbone, tmp_path: Path
) -> None:
    learner = learner_of(reader, corpus()[1])
    learner.update()
    save_learner(learner, tmp_path)
    with pytest.raises(CheckpointError, match="belongs to the encoder"):
        load_learner(tmp_path, RewardEncoder(backbone=decoder))
    heads = tmp_path / "heads.safetensors"
    heads.write_bytes(heads.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="digest"):
        load_learner(tmp_path, reader)
    heads.unlink()
    with pytest.raises(CheckpointError, match="missing or damaged"):
        load_learner(tmp_path, reader)
