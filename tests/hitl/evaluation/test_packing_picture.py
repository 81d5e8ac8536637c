from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hitl.config import Settings
from hitl.errors import StorageError
from hitl.evaluation import packing, packing_picture
from hitl.evaluation.packing_summary import Episode, Learner, summarize

COLOURS = packing_picture._COLOURS


def episode(mode: str, condition: str, number: int, success: bool, corrections: int = 0, learner: str = "") -> Episode:
    return Episode(
        mode=mode, condition=condition, number=number, stage=3 if success else 1, stages=3, success=success,
        seconds=20.0, corrections=corrections, learner=learner,
    )  # fmt: skip


def result(learned: int) -> dict:
    """Ten episodes of a wish in each mode, `learned` of them packed after learning, and nominal ones."""
    episodes = [episode("base", "wish", n, n < 2) for n in range(10)]
    episodes += [episode("corrected", "wish", n, True, 3) for n in range(10)]
    episodes += [episode("learned", "wish", n, n < learned, learner="wish") for n in range(10)]
    episodes += [episode("base", "nominal", n, True) for n in range(10)]
    episodes += [episode("learned", "nominal", n, True, learner="wish") for n in range(10)]
    rounds = [[episode("corrected", "wish", n, True, count) for n in range(4)] for count in (8, 3, 1)]
    learner = Learner(
        condition="wish", seed=0, variant="default", budget=60, rounds=rounds, given=12, taught=12, versions=3,
        refused=0, seconds=[0.5],
    )  # fmt: skip
    return summarize(episodes, [learner])


def inked(picture: np.ndarray, mode: str) -> int:
    return int((picture == np.array(COLOURS[mode], np.uint8)).all(2).sum())


def test_more_success_is_a_taller_bar_and_all_modes_are_there(tmp_path: Path) -> None:
    areas = []
    for learned in (2, 9):
        path = tmp_path / f"{learned}.png"
        packing_picture.draw(path, result(learned))
        picture = cv2.imread(str(path))
        assert picture is not None and all(inked(picture, mode) > 500 for mode in COLOURS)
        areas.append(inked(picture[:, :950], "learned"))
    assert areas[1] > 1.3 * areas[0]


def test_only_base_has_neither_other_bars_nor_rounds(tmp_path: Path) -> None:
    packing_picture.draw(tmp_path / "p.png", summarize([episode("base", "wish", 0, True)]))
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert inked(picture, "base") > 500 and inked(picture, "learned") == 0
    assert (picture[:, 1000:] == 255).all()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        packing_picture.draw(tmp_path / "missing" / "p.png", result(5))


def test_the_command_draws_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "run", lambda *_: result(5))
    packing.main(Settings(), packing.Plan(), tmp_path / "a.png")
    assert inked(cv2.imread(str(tmp_path / "a.png")), "learned") > 500
    alone = {"policies": {"scripted": summarize([episode("base", "wish", 0, True)])}}
    monkeypatch.setattr(packing, "run", lambda *_: alone)
    packing.main(Settings(), packing.Plan(policy="scripted"), tmp_path / "b.png")
    assert inked(cv2.imread(str(tmp_path / "b.png")), "base") > 500
