"""The three commands on a sample of twelve questions, and how their numbers are made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hitl import cli
from hitl.evaluation import label_efficiency, rewards_bench
from hitl.evaluation.rewards import Judged, fold_of, measure
from hitl.evaluation.rewards_bench import OnePass, Text, ThreePasses

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "qa_feedback" / "feedback.json"


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _place(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITL_DATA", str(data_folder))


def last_line(capsys: pytest.CaptureFixture[str]) -> dict:
    found: dict = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_evaluate_rewards_by_folds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "made" / "rewards.json"
    assert cli.main(["evaluate", "rewards", "--data", str(SAMPLE), "--folds", "3", "--out", str(out)]) == 0
    found = last_line(capsys)
    assert found == json.loads(out.read_text(encoding="utf-8"))
    heads = found["heads"]
    assert {"f1", "accuracy", "f1_interval", "calibration_error", "published"} <= set(heads["relevance"])
    for name in ("relevance", "factuality"):
        assert 0 <= heads[name]["category_accuracy"] <= 1 and len(heads[name]["category_accuracy_interval"]) == 2
        assert 0.5 <= heads[name]["usual_category_accuracy"] <= 1
    assert {"pairwise", "pairwise_interval"} <= set(heads["completeness"]) & set(heads["preference"])
    assert found["questions"] == 12 and found["training_questions"] == 8
    assert [point["answers"] for point in found["curve"]] == [8]
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"


def test_evaluate_rewards_on_another_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    records = json.loads(SAMPLE.read_text(encoding="utf-8"))
    for name, part in (("train", records[:9]), ("test", records[9:])):
        (tmp_path / f"{name}.json").write_text(json.dumps(part), encoding="utf-8")
    given = ["--data", str(tmp_path / "train.json"), "--test", str(tmp_path / "test.json")]
    assert cli.main(["evaluate", "rewards", *given]) == 0
    found = last_line(capsys)
    assert (found["test"], found["folds"], found["training_questions"]) == ("test.json", None, 9)
    assert found["heads"]["relevance"]["n"] > 5


def test_evaluate_rewards_with_the_encoder_trained_too(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--data", str(SAMPLE), "--folds", "2", "--tune", "1", "--device", "cpu"]
    assert cli.main(["evaluate", "rewards", *given]) == 0
    found = last_line(capsys)
    plain = found["curve"][-1]
    assert found["tuned_epochs"] == 1
    assert found["heads"]["factuality"]["f1"] == plain["factuality f1"]  # no sources, so it is left alone
    assert found["heads"]["relevance"]["calibration_error"] > 0


def test_evaluate_label_efficiency(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "label-efficiency", "--data", str(SAMPLE), "--seeds", "2"]) == 0
    found = last_line(capsys)
    assert found["labels"] == [10] and set(found["heads"]["factuality"]["f1"]) == {"uncertainty", "random"}


def test_bench_rewards(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["bench", "rewards", "--data", str(SAMPLE), "--answers", "8", "--repeats", "1", "--device", "cpu"]
    assert cli.main(given) == 0
    found = last_line(capsys)
    assert found["max_score_difference"] < 1e-4
    assert found["three_passes"]["tokens_per_answer"] % 512 == 0
    assert found["token_ratio"] > found["token_ratio_alone"] > 1
    assert {"time_ratio", "memory_ratio", "encoder"} <= set(found)


def test_a_file_that_is_not_feedback_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]", encoding="utf-8")
    assert cli.main(["evaluate", "rewards", "--data", str(tmp_path / "x.json")]) == 2
    assert capsys.readouterr().err.startswith(f"hitl: {tmp_path / 'x.json'}: holds no examples")


def test_three_passes_pad_as_the_published_layout_does() -> None:
    from policies.rewards.backbone import load_backbone

    backbone = load_backbone("minilm", "cpu")
    layout = ThreePasses(backbone)
    short = Text("Who?", (("T", "One sentence."),), "He did it for her alone, and she did it for him, they say.")
    layout.score([short])
    assert layout.tokens == 3 * 512
    layout.tokens = 0
    long = Text("Who?", (("T", *("A sentence that is of some length." for _ in range(100))),), "He did.")
    scores = layout.score([short, long])
    assert layout.tokens == 2 * 512 + 2 * 2 * 1024  # the longest of a batch pads all of it
    assert [len(one) for one in scores] == [4, 3] and np.isfinite(scores[0]).all()
    assert len(OnePass(None, backbone)._backbone.pack([rewards_bench._document(short)]).row.ids) < 60  # type: ignore[arg-type]


def test_labels_needed_by_hand() -> None:
    def points(*values: float) -> list[dict[str, float]]:
        return [{"labels": n, "relevance": value} for n, value in enumerate(values)]

    curves = {"uncertainty": [points(0.1, 0.6, 0.6, 0.6)], "random": [points(0.1, 0.2, 0.3, 0.6)]}
    found = label_efficiency._compare(curves, [10, 20, 30, 40], "relevance")
    assert found["target_f1"] == pytest.approx(0.44)
    assert found["labels_needed"] == {"uncertainty": 20.4, "random": 38.8}
    assert found["labels_ratio"] == pytest.approx(20.4 / 38.8, abs=1e-3) and found["labels_ratio_interval"] is None
    assert found["gain"] == pytest.approx(0.175) and found["gain_error"] is None


def test_the_interval_of_labels_needed_is_over_seeds_and_may_have_no_end() -> None:
    def points(*values: float) -> list[dict[str, float]]:
        return [{"labels": n, "relevance": value} for n, value in enumerate(values)]

    good, bad, plain = points(0.1, 0.6, 0.6, 0.6), points(0.1, 0.1, 0.1, 0.1), points(0.1, 0.2, 0.3, 0.6)
    same = label_efficiency._compare({"uncertainty": [good] * 3, "random": [plain] * 3}, [10, 20, 30, 40], "relevance")
    low, high = same["labels_ratio_interval"]
    assert low == high == same["labels_ratio"]
    split = label_efficiency._compare({"uncertainty": [good, bad], "random": [plain] * 2}, [1, 2, 3, 4], "relevance")
    assert split["labels_ratio_interval"][0] < 1 and split["labels_ratio_interval"][1] is None


def test_folds_are_even_and_of_the_seed() -> None:
    assert np.bincount(fold_of(13, 5, 0)).tolist() == [3, 3, 3, 2, 2]
    assert fold_of(13, 5, 0).tolist() == fold_of(13, 5, 0).tolist() != fold_of(13, 5, 1).tolist()


def test_numbers_by_hand() -> None:
    judged = Judged()
    judged.segments["relevance"] = [[(1, 0.9, True), (0, 0.8, True)], [], [(1, 0.3, False), (0, 0.1, False)]]
    judged.segments["factuality"] = [[(1, 0.9, True)], [(0, 0.2, False)]]
    judged.margins["completeness"] = [[2.0, -1.0], [0.0]]
    judged.margins["preference"] = [[1.0]]
    judged.categories["relevance"] = [[(("a",), "a"), (("b", "a"), "b")], [], [(("b",), "a"), (("a",), "b")]]
    found = measure(judged)
    assert found["relevance"]["category_accuracy"] == 0.5 and found["relevance"]["usual_category_accuracy"] == 0.75
    assert found["factuality"]["category_accuracy"] is None
    assert found["relevance"]["f1"] == found["relevance"]["accuracy"] == 0.5
    assert found["relevance"]["n"] == 4 and found["relevance"]["errors"] == 2
    assert found["factuality"]["f1"] == 1.0
    assert found["completeness"]["pairwise"] == 0.5 and found["preference"]["pairwise"] == 1.0
    assert found["relevance"]["always_one_class"] == {"accuracy": 0.5, "f1": round(2 / 3, 4)}


def test_heads_without_labels_have_no_numbers() -> None:
    found = measure(Judged())
    assert found["relevance"]["f1"] is None and found["completeness"]["pairwise"] is None
    assert found["relevance"]["n"] == found["preference"]["n"] == 0
