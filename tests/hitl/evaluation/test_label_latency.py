"""A short run of `hitl bench label` with real processes: every label is saved and comes back as suggestions."""

from __future__ import annotations

import random

import pytest

from hitl.annotation.presets import preset
from hitl.annotation.state import check_changes
from hitl.config import Settings
from hitl.evaluation import label_latency
from hitl.labels import Span
from tests.support.recorded import command, session_with_commands


def test_made_up_items_and_labels_can_be_meant():
    dice = random.Random(1)
    for item in label_latency.made_up_items(5, dice):
        changes = label_latency.turned_over(item, dice)
        check_changes(item, preset("fine-grained-rlhf"), changes)
        assert isinstance(changes[0].value, Span) and len(item.sources) == 3


@pytest.mark.timeout(600)
def test_labels_come_back_as_suggestions(tmp_path):
    result = label_latency.run(Settings(data=str(tmp_path)), items=10, n=3, seed=1)
    assert result["labels"] == 3 and result["lost"] == result["refused"] == 0
    assert result["ack_p50_ms"] > 0 and result["suggestions_p50_ms"] > 0
    assert result["learned_from"] + result["held_out"] == 10


@pytest.mark.timeout(600)
def test_labels_of_recordings_come_back_as_suggestions(tmp_path):
    for _ in range(2):
        told = [(0.1 + 0.5 * at, command(text)) for at, text in enumerate(("go up", "go down", "go home"))]
        session_with_commands(tmp_path / "recorded", told, 2.0)
    result = label_latency.run(Settings(data=str(tmp_path)), recordings=tmp_path / "recorded", n=2, seed=1)
    assert result["labels"] == 2 and result["lost"] == result["refused"] == result["reading_lost"] == 0
    assert result["suggestions_p50_ms"] > 0 and result["learned_from"] == 2
