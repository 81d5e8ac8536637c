"""The command bank: nearest commands, probabilities, coming and going, and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.command_bank import CommandBank


def bank() -> CommandBank:
    return CommandBank(["up", "down", "left"], [[2.0, 0, 0], [-1, 0, 0], [0, 3, 0]], temperature=0.1)


def test_the_nearest_command_comes_first_with_its_cosine() -> None:
    found = bank().nearest([10.0, 1.0, 0.0], 2)
    assert [text for text, _, _ in found] == ["up", "left"]
    assert found[0][1] == pytest.approx(10 / np.sqrt(101), abs=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_probabilities_add_to_one_and_fall(vector: list[float]) -> None:
    found = bank().nearest(vector, 3)
    assert sum(probability for _, _, probability in found) == pytest.approx(1)
    assert sorted((p for _, _, p in found), reverse=True) == [p for _, _, p in found]


def test_a_lower_temperature_is_surer() -> None:
    texts, codes = ["up", "left"], [[1.0, 0], [0, 1.0]]
    sure = CommandBank(texts, codes, 0.05).nearest([1, 0.5], 1)[0][2]
    unsure = CommandBank(texts, codes, 5.0).nearest([1, 0.5], 1)[0][2]
    assert sure > 0.99 > 0.6 > unsure > 0.5


def test_commands_come_and_go() -> None:
    commands = bank()
    commands.add("right", [0, -1, 0])
    assert commands.texts == ("up", "down", "left", "right") and "right" in commands
    assert commands.nearest([0, -1, 0], 1)[0][0] == "right"
    commands.remove("down")
    assert commands.texts == ("up", "left", "right")
    assert commands.nearest([-1, 0, 0], 1)[0][0] != "down"
    commands.add("up", [0, 0, 1])
    assert len(commands) == 3
    np.testing.assert_array_equal(commands.code("up"), [0, 0, 1])
    empty = CommandBank([], np.zeros((0, 2)))
    assert empty.nearest([1, 0], 3) == []
    empty.add("up", [1, 0])
    assert empty.texts == ("up",)


def test_codes_handed_out_do_not_change_with_the_bank() -> None:
    commands = bank()
    before = commands.codes
    commands.add("up", [0, 0, 1])
    np.testing.assert_array_equal(before[0], [1, 0, 0])
    with pytest.raises(ValueError):
        commands.codes[0, 0] = 7


def test_what_cannot_be_used_is_named() -> None:
    with pytest.raises(PolicyError, match="codes: 2 texts need as many"):
        CommandBank(["a", "b"], [[1.0, 0.0]])
    with pytest.raises(PolicyError, match="texts: has a text twice"):
        CommandBank(["a", "a"], [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(PolicyError, match="code of 'a'"):
        CommandBank(["a"], [[0.0, 0.0]])
    with pytest.raises(PolicyError, match="temperature"):
        CommandBank(["a"], [[1.0]], temperature=0)
    with pytest.raises(PolicyError, match="code of 'b'"):
        bank().add("b", [1.0, float("nan"), 0.0])
    with pytest.raises(PolicyError, match="code of 'b': has size"):
        bank().add("b", [1.0, 0.0])
    with pytest.raises(PolicyError, match="'b': is not in the command bank"):
        bank().remove("b")
    with pytest.raises(PolicyError, match="vector: has shape"):
        bank().nearest([1.0], 1)


def test_a_bank_survives_its_file(tmp_path: Path) -> None:
    bank().save(tmp_path / "bank")
    loaded = CommandBank.load(tmp_path / "bank")
    assert loaded.texts == bank().texts and loaded.temperature == bank().temperature
    np.testing.assert_array_equal(loaded.codes, bank().codes)


@pytest.mark.parametrize("ending", [".json", ".safetensors"])
def test_a_missing_truncated_or_foreign_file_is_named(tmp_path: Path, ending: str) -> None:
    bank().save(tmp_path / "bank")
    file = tmp_path / f"bank{ending}"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match=f"bank{ending}"):
        CommandBank.load(tmp_path / "bank")
    file.unlink()
    with pytest.raises(CheckpointError, match=f"bank{ending}"):
        CommandBank.load(tmp_path / "bank")
    bank().save(tmp_path / "bank")
    (tmp_path / "bank.json").write_text('{"format": "something else"}')
    with pytest.raises(CheckpointError, match="something else"):
        CommandBank.load(tmp_path / "bank")
