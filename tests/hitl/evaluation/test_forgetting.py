"""A short run of `hitl evaluate forgetting`: strategies keep more than plain learning does, and seeds agree."""

from __future__ import annotations

import json

import pytest
import torch

from hitl import cli
from hitl.errors import InputError
from hitl.evaluation import forgetting, permuted_digits


def test_strategies_keep_what_plain_learning_forgets():
    result = forgetting.run(["none", "gpm", "replay"], seeds=1)
    methods = result["methods"]
    assert set(methods) == {"SGD", "GPM 0.95", "GPM 0.99", "replay 200", "replay 60", "replay 200, views"}
    plain = methods["SGD"]
    assert plain["learned"] > 0.9 and plain["backward"] < -0.2
    for label in ("GPM 0.95", "replay 200"):
        assert methods[label]["average"] > plain["average"] + 0.1
        assert methods[label]["forgetting"] < plain["forgetting"] - 0.1
    table = forgetting.as_table(result)
    assert all(label in table for label in methods)


def test_tasks_are_the_same_digits_with_pixels_in_another_order():
    (first, _), (second, test) = permuted_digits.tasks(0, 2)
    assert len(first[0]) == permuted_digits.TRAIN and len(test[0]) == 1797 - permuted_digits.TRAIN
    assert torch.equal(first[1], second[1]) and not torch.equal(first[0], second[0])
    assert torch.equal(first[0].sort(1).values, second[0].sort(1).values)
    again = permuted_digits.tasks(0, 2)
    assert torch.equal(again[1][0][0], second[0])


def test_the_command(capsys, monkeypatch):
    monkeypatch.setattr(permuted_digits, "TRAIN", 100)
    assert cli.main(["evaluate", "forgetting", "--strategy", "classp", "--seeds", "1"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["seeds"] == 1 and set(found["methods"]) == {"CLASSP 1e-5"}
    with pytest.raises(InputError, match="'ewc' is no strategy"):
        forgetting.run(["ewc"])
