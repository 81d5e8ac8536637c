"""A short run of `hitl evaluate forgetting`: strategies keep more than plain learning does, and seeds agree."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

from hitl import cli
from hitl.errors import InputError, StorageError
from hitl.evaluation import forgetting, permuted_digits
from hitl.evaluation.matrix_picture import draw_matrices
from policies.learning.lifelong import lifelong


def test_strategies_keep_what_plain_learning_forgets():
    result = forgetting.run(["none", "gpm", "replay"], seeds=1)
    methods = result["methods"]
    assert set(methods) == {"SGD", "GPM 0.95", "GPM 0.99", "replay 200", "replay 60", "replay 200, views"}
    plain = methods["SGD"]
    assert plain["learned"] > 0.9 and plain["backward"] < -0.2
    for label in ("GPM 0.95", "replay 200"):
        assert methods[label]["average"] > plain["average"] + 0.1
        assert methods[label]["forgetting"] < plain["forgetting"] - 0.1
        assert methods[label]["performance_maintenance"] > plain["performance_maintenance"] + 0.1
        assert methods[label]["backward_transfer"] > plain["backward_transfer"] + 0.05
    for one in methods.values():
        assert np.shape(one["matrix"]) == (3, 3) and np.mean(one["matrix"][2]) == pytest.approx(
            one["average"], abs=1e-3
        )
        assert -1 <= one["forward_transfer"] <= 1 and 0.5 < one["relative_performance"] < 1.1
        assert 0 < one["sample_efficiency"]
    table = forgetting.as_table(result)
    assert all(label in table for label in methods)


def test_tasks_are_the_same_digits_with_pixels_in_another_order():
    (first, _), (second, test) = permuted_digits.tasks(0, 2)
    assert len(first[0]) == permuted_digits.TRAIN and len(test[0]) == 1797 - permuted_digits.TRAIN
    assert torch.equal(first[1], second[1]) and not torch.equal(first[0], second[0])
    assert torch.equal(first[0].sort(1).values, second[0].sort(1).values)
    again = permuted_digits.tasks(0, 2)
    assert torch.equal(again[1][0][0], second[0])


def test_a_course_is_a_log_of_evaluations_and_learning_in_turn(monkeypatch):
    monkeypatch.setattr(permuted_digits, "TRAIN", 200)
    course = permuted_digits.run(permuted_digits.METHODS[0], 0)
    log = course.log()
    kinds = [(block.number, block.kind, block.task) for block in log]
    names = ["task 1", "task 2", "task 3"]
    every = [[(number, "evaluation", name) for name in names] for number in (0, 2, 4, 6)]
    assert kinds == [
        *every[0], (1, "learning", "task 1"), *every[1], (3, "learning", "task 2"), *every[2],
        (5, "learning", "task 3"), *every[3],
    ]  # fmt: skip
    assert all(len(block.values) == (30 if block.kind == "learning" else 1) for block in log)
    for learned, evaluated in ((3, 4), (7, 9), (11, 14)):  # what is seen last while learning is evaluated after it
        assert log[learned].values[-1] == log[evaluated].values[0]


def test_the_expert_of_the_first_task_is_plain_learning_on_it(monkeypatch):
    monkeypatch.setattr(permuted_digits, "TRAIN", 200)
    course = permuted_digits.run(permuted_digits.METHODS[0], 3, 1)
    experts = permuted_digits.experts(3, 2)
    assert experts["task 1"][0][0].values == course.curves[0]
    first, second = (experts[name][0][0].values for name in ("task 1", "task 2"))
    assert first != second and min(first[-1], second[-1]) > 0.7
    found = lifelong(course.log(), {"task 1": experts["task 1"]}, normalize="none")
    assert found.relative == pytest.approx(1) and found.efficiency == pytest.approx(1)


def test_the_command(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(permuted_digits, "TRAIN", 100)
    out, picture = tmp_path / "new" / "forgetting.json", tmp_path / "pictures" / "forgetting.png"
    command = ["evaluate", "forgetting", "--strategy", "classp", "--seeds", "1"]
    assert cli.main([*command, "--out", str(out), "--picture", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["seeds"] == 1 and set(found["methods"]) == {"CLASSP 1e-5"}
    assert json.loads(out.read_text()) == found
    assert cv2.imread(str(picture)) is not None
    with pytest.raises(InputError, match="'ewc' is no strategy"):
        forgetting.run(["ewc"])


def test_files_that_cannot_be_written_are_known_before_anything_is_measured(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert cli.main(["evaluate", "forgetting", "--out", str(tmp_path / "file" / "a.json")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "forgetting", "--picture", "a.jpg"])
    assert "must end in .png, unlike 'a.jpg'" in capsys.readouterr().err


def test_measures_that_no_seed_has_are_left_empty(monkeypatch):
    monkeypatch.setattr(permuted_digits, "TRAIN", 200)
    course = permuted_digits.Course([0.1, 0.1], np.array([[0.9, 0.1], [0.5, 0.9]]), [[0.9, 0.9], [0.9, 0.8]])
    measured = forgetting._measured(course, permuted_digits.experts(0, 2))
    assert np.isnan(measured["sample_efficiency"])  # both were at their best at once
    found = forgetting._summary([measured, measured | {"forward_transfer": float("nan")}])
    assert found["sample_efficiency"] is None and found["sample_efficiency_sd"] is None
    assert found["performance_maintenance"] == pytest.approx(-0.4)
    assert found["forward_transfer"] == round(measured["forward_transfer"], 4)


def test_each_matrix_has_a_panel_darker_where_values_are_high(tmp_path):
    out = tmp_path / "matrices.png"
    low, high = [[0.0, 0.0]] * 2, [[1.0, 1.0]] * 2
    draw_matrices(out, {"low": low, "high": high}, ["a", "b"], ["x", "y"], "values", [(0, 0)])
    picture = cv2.imread(str(out))
    left, right = np.array_split(picture[: picture.shape[0] // 2], 2, axis=1)
    assert right.mean() < left.mean() - 20
    alone = tmp_path / "one.png"
    draw_matrices(alone, {"low": low}, ["a", "b"], ["x", "y"], "values")
    assert cv2.imread(str(alone)).shape[1] < picture.shape[1]
    with pytest.raises(StorageError, match="could not be written"):
        draw_matrices(tmp_path / "nowhere" / "a.png", {"low": low}, ["a", "b"], ["x", "y"], "values")
