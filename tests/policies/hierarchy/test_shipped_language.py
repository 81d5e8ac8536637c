"""The language of the model that ships: what people say and what is no command, through grounding as it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hitl.speech.grounding import Grounded, ground
from robot.aloha.grammar import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "assets" / "models" / "aloha-packing"
DATA = ROOT / "tests" / "data"
SPOKEN = ROOT / "assets" / "spoken"

pytestmark = pytest.mark.skipif(not (MODEL / "model.json").is_file(), reason="no model ships with this checkout")


@pytest.fixture(scope="module")
def space():  # type: ignore[no-untyped-def]
    from policies.hierarchy.policy import HierarchicalPolicy

    torch.set_num_threads(1)
    return HierarchicalPolicy.load(MODEL, device="cpu").space


def lines(name: str, folder: Path = DATA) -> list[str]:
    return [line for line in (folder / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


def is_near(grounded: Grounded) -> bool:
    return grounded.kind in ("exact", "near")


def test_its_bank_is_the_grammar(space) -> None:  # type: ignore[no-untyped-def]
    assert set(space.bank.texts) == {command.text for command in COMMANDS}


@pytest.mark.parametrize(("name", "share"), [("people_say.txt", 0.95), ("people_say_later.txt", 0.8)])
def test_what_people_say_finds_its_command(space, name: str, share: float) -> None:  # type: ignore[no-untyped-def]
    said = [line.split(" = ") for line in lines(name)]
    wrong = [text for text, command in said if not (is_near(g := ground(text, space)) and g.command == command)]
    assert len(wrong) <= (1 - share) * len(said), wrong


@pytest.mark.parametrize("name", ["no_commands.txt", "no_commands_later.txt"])
def test_what_is_no_command_is_rarely_taken_for_one(space, name: str) -> None:  # type: ignore[no-untyped-def]
    others = lines(name, SPOKEN)
    taken = [text for text in others if is_near(ground(text, space))]
    assert len(taken) <= 0.2 * len(others), taken


def test_held_out_wording_finds_its_command(space) -> None:  # type: ignore[no-untyped-def]
    held_out = [(phrase, command.text) for command in COMMANDS for phrase in command.held_out[:4]]
    wrong = [phrase for phrase, text in held_out if space.nearest(phrase, 1)[0].text != text]
    assert len(wrong) <= 0.08 * len(held_out), wrong
