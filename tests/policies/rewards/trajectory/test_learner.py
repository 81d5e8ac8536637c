"""A reward model of trajectories: what it learns, what it forgets, what it does not claim to know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from policies.errors import CheckpointError, PolicyError
from policies.rewards.trajectory.calibration import calibrated, platt
from policies.rewards.trajectory.features import Features
from policies.rewards.trajectory.fitting import Settings
from policies.rewards.trajectory.labels import TimeHead, TimeLabel
from policies.rewards.trajectory.learner import TrajectoryLearner
from policies.rewards.trajectory.model import TrajectoryRewards
from policies.rewards.trajectory.network import NetworkConfig, TrajectoryNetwork, pooled
from policies.rewards.trajectory.windows import MOMENTS, Example, label_weights, windows_of

RATE_HZ = 5.0
HEADS = (TimeHead("progress"), TimeHead("safety", 2.0), TimeHead("done", praise=True))
GROUPS = ("vision", "hands")
QUICK = Settings(steps=40, members=3)


def toy(number: int) -> tuple[Features, dict[str, TimeLabel]]:
    """Twenty seconds; in every other two seconds the first number of "vision" is high, and that is a mistake; in the
    last of these the first number of "hands" is high: something is done."""
    rng = np.random.default_rng(number)
    vision, hands = rng.normal(0, 1, (100, 6)).astype(np.float32), rng.normal(0, 1, (100, 3)).astype(np.float32)
    labels = {}
    for at in range(10):
        rows = slice(10 * at, 10 * at + 10)
        bad, done = at % 2 == 0, at > 7
        vision[rows, 0] += 3 * bad
        hands[rows, 0] += 3 * done
        labels[f"{number}:{at}"] = TimeLabel(2000 * at, 2000 * at + 2000, "progress", bad)
        labels[f"{number}:{at}:done"] = TimeLabel(2000 * at, 2000 * at + 2000, "done", done)
    return Features(RATE_HZ, {"vision": vision, "hands": hands}, np.ones(100, bool)), labels


def learner(numbers: list[int], **fields: object) -> TrajectoryLearner:
    made = TrajectoryLearner(HEADS, groups=GROUPS, settings=QUICK, **fields)  # type: ignore[arg-type]
    for number in numbers:
        features, labels = toy(number)
        made.add(f"r{number}", features)
        made.put(f"r{number}", labels)
    return made


@pytest.fixture(scope="module")
def learned() -> TrajectoryLearner:
    made = learner([1, 2, 3, 4, 5, 6])
    made.update()
    return made


def weights(made: TrajectoryLearner) -> torch.Tensor:
    assert made.model is not None
    return torch.cat([value.flatten() for value in made.model.network.state_dict().values()])


def test_segments_of_a_new_recording_are_known(learned: TrajectoryLearner) -> None:
    assert learned.model is not None
    features, labels = toy(99)
    asked = [label for label in labels.values() if label.head == "progress"]
    scores = learned.model.score(features, [(label.start_ms, label.end_ms) for label in asked])
    right = [(score.chances["progress"] > 0.5) == label.value for score, label in zip(scores, asked, strict=True)]
    assert np.mean(right) >= 0.9
    assert learned.latest.auroc["progress"] > 0.9 and learned.latest.auroc["done"] > 0.9
    assert scores[1].reward > scores[0].reward, "a mistake costs"


def test_the_curve_follows(learned: TrajectoryLearner) -> None:
    assert learned.model is not None
    curve = learned.model.curve(toy(98)[0])
    assert curve.time_ms.tolist() == list(range(0, 20_000, 200))
    bad = (np.arange(100) // 10) % 2 == 0
    assert curve.chances["progress"][bad].mean() > curve.chances["progress"][~bad].mean() + 0.3
    assert curve.reward.shape == (100,)


def test_what_nobody_answered_is_not_known(learned: TrajectoryLearner) -> None:
    assert learned.model is not None
    (score,) = learned.model.score(toy(97)[0], [(0, 2000)])
    assert score.chances["safety"] == 0.5 and score.uncertainty["safety"] == 1.0 and score.spread["safety"] == 0.0
    assert "safety" not in learned.latest.auroc
    assert not (learned.model.curve(toy(97)[0]).chances["safety"] - 0.5).any()


def test_equal_labels_give_equal_weights_in_whatever_order(learned: TrajectoryLearner) -> None:
    other = learner([6, 5, 4, 3, 2, 1])
    torch.rand(7)  # what else is drawn makes no difference
    other.update()
    assert torch.equal(weights(learned), weights(other))
    assert learned.latest.labels == other.latest.labels


def test_what_is_taken_back_was_never_there(learned: TrajectoryLearner) -> None:
    other = learner([1, 2, 3, 4, 5, 6, 7])
    other.remove("r7")
    other.remove("nobody")
    other.update()
    assert torch.equal(weights(learned), weights(other))
    assert not any(name.startswith("7:") for name in other.latest.labels)


def test_labels_of_a_recording_take_the_place_of_those_before() -> None:
    made = learner([1, 2])
    made.put("r1", {"only": TimeLabel(0, 1000, "progress", True)})
    assert [name for name in made.update().labels if not name.startswith("2:")] == ["only"]


def test_without_labels_there_is_no_model() -> None:
    made = TrajectoryLearner(HEADS, groups=GROUPS, settings=QUICK)
    assert made.update().labels == () and made.model is None


def test_moments_without_pictures_teach_nothing() -> None:
    made = learner([1, 2])
    features, labels = toy(3)
    made.add("r3", Features(RATE_HZ, features.groups, np.arange(100) < 50))
    made.put("r3", labels)
    used = [name for name in made.update().labels if name.startswith("3:")]
    assert len(used) == 10, "five stretches of ten, with two heads each"


@pytest.mark.parametrize(
    ("label", "why"),
    [(TimeLabel(0, 1000, "taste", True), "taste"), (TimeLabel(1000, 1000, "progress", True), "empty")],
)
def test_labels_that_cannot_be_are_refused_by_name(label: TimeLabel, why: str) -> None:
    made = learner([1])
    with pytest.raises(PolicyError, match=why) as caught:
        made.put("r1", {"l1": label})
    assert caught.value.field == "l1"
    with pytest.raises(PolicyError, match="r9"):
        made.put("r9", {})


def test_a_version_is_read_as_it_was_written(learned: TrajectoryLearner, tmp_path: Path) -> None:
    assert learned.model is not None
    learned.model.save(tmp_path)
    read = TrajectoryRewards.load(tmp_path)
    assert read.lineage == learned.latest.labels and read.heads == HEADS
    features = toy(96)[0]
    assert read.score(features, [(0, 3000)]) == learned.model.score(features, [(0, 3000)])


def test_a_damaged_version_is_refused_by_file(learned: TrajectoryLearner, tmp_path: Path) -> None:
    assert learned.model is not None
    learned.model.save(tmp_path)
    weights_file = tmp_path / "model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(CheckpointError, match="digest"):
        TrajectoryRewards.load(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(CheckpointError, match="trajectory reward model"):
        TrajectoryRewards.load(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        TrajectoryRewards.load(tmp_path / "none")


def test_features_of_another_policy_are_refused(learned: TrajectoryLearner) -> None:
    assert learned.model is not None
    features = toy(95)[0]
    wider = Features(RATE_HZ, {**features.groups, "hands": np.zeros((100, 4), np.float32)}, features.seen)
    with pytest.raises(PolicyError, match="numbers a moment"):
        learned.model.score(wider, [(0, 1000)])
    with pytest.raises(PolicyError, match="lack hands"):
        learned.model.curve(Features(RATE_HZ, {"vision": features.groups["vision"]}, features.seen))
    with pytest.raises(PolicyError, match="empty"):
        learned.model.score(features, [(1000, 1000)])


def test_no_moment_knows_what_comes_after_it() -> None:
    network = TrajectoryNetwork(NetworkConfig(inputs=4, heads=2)).eval()
    rows = torch.randn(1, 60, 4, generator=torch.Generator().manual_seed(1))
    later = rows.clone()
    later[:, 40:] = 9.0
    before, after = network(rows), network(later)
    assert torch.equal(before[:, :, :40], after[:, :, :40])
    assert not torch.equal(before[:, :, 40:], after[:, :, 40:])
    moved = rows.clone()
    moved[:, 59 - network.config.reach - 1] = 9.0
    assert torch.allclose(network(moved)[:, :, 59], before[:, :, 59], atol=1e-6), "nor what is long ago"


def test_a_segment_is_the_mean_of_its_moments() -> None:
    logits = torch.arange(12.0).reshape(6, 2)
    found = pooled(logits, torch.tensor([0, 4]), torch.tensor([3, 6]))
    assert torch.allclose(found, torch.stack((logits[0:3].mean(0), logits[4:6].mean(0))))


def test_moments_of_an_interval() -> None:
    features = toy(1)[0]
    assert features.between(0, 1000) == (0, 5) and features.between(200, 201) == (1, 2)
    assert features.between(19_900, 30_000) == (99, 100) and features.between(50_000, 60_000) == (99, 100)


def test_calibration_finds_slope_and_offset() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, 4000)
    values = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(float)
    slope, offset = platt(logits, values)
    assert slope == pytest.approx(0.5, abs=0.05) and offset == pytest.approx(-1, abs=0.12)
    assert platt(logits, np.ones(4000)) == (1.0, 0.0)


def test_the_threshold_finds_rare_answers_and_f1_is_of_what_others_choose() -> None:
    rng = np.random.default_rng(1)
    values = (rng.random(400) < 0.06).astype(float)
    logits = rng.normal(0, 1, 400) + 3 * values
    found = calibrated(logits, values, np.arange(400) % 4)
    assert found.known and found.threshold < 0.5
    assert (found.positives, found.negatives) == (values.sum(), 400 - values.sum())
    assert found.f1 is not None and 0.5 < found.f1 < 0.95
    assert calibrated(np.full(400, np.nan), values, np.zeros(400, int)).f1 is None, "nobody kept a recording out"
    few = calibrated(logits, np.eye(1, 400)[0], np.arange(400) % 4)
    assert not few.known and few.f1 is None and (few.chances(logits) == 0.5).all()


def example(length: int, *segments: tuple[int, int, int, int]) -> Example:
    columns = torch.tensor(segments).unbind(1)
    return Example("r", torch.arange(length)[:, None].float(), *columns[:3], columns[3].float())


def test_a_long_recording_is_cut_and_its_labels_with_it() -> None:
    length = 3 * MOMENTS
    found = windows_of([example(length, (0, 10, 0, 1), (MOMENTS - 10, MOMENTS + 30, 1, 0))], reach=15)
    assert len(found) == 2, "in the third part nobody said anything"
    assert found.share.sum(1).tolist() == [1.25, 0.75] and found.rows.shape == (2, MOMENTS + 15, 1)
    means = found.pooling(torch.tensor([0, 1])) @ found.rows
    assert means[0, :2, 0].tolist() == [4.5, MOMENTS - 5.5] and means[1, 0, 0] == MOMENTS + 14.5
    weights = label_weights(found, torch.ones(1, 1), heads=2)
    assert not weights.any(), "one answer of a kind is too little to learn from"


def test_both_answers_and_all_heads_weigh_the_same() -> None:
    labels = [(at, at + 1, 0, int(at < 2)) for at in range(8)] + [(at, at + 1, 1, at % 2) for at in range(4)]
    found = windows_of([example(20, *labels)], reach=0)
    weights = label_weights(found, torch.ones(1, 1), heads=2)[0, 0]
    of = {(h, v): float(weights[(found.head[0] == h) & (found.value[0] == v)].sum()) for h in (0, 1) for v in (0, 1)}
    assert set(of.values()) == {3.0}
    assert not label_weights(found, torch.zeros(1, 1), heads=2).any(), (
        "who leaves a recording out learns nothing of it"
    )
