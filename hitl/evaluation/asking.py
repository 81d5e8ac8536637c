"""`hitl evaluate asking`: does a small margin point at mistakes, and from which margin on should the policy ask?

Two kinds of data that the policy was not trained on: moments of held-out demonstrations (`base_moments.safetensors`),
and decisions in the cell as trained and under shifts, with what a person would have wanted (`decisions.py`). The
threshold and the temperature are chosen on one seed's episodes; everything is reported on another seed's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hitl.config import Settings
from hitl.evaluation import calibration
from hitl.evaluation.curve_picture import draw_curve
from hitl.evaluation.decisions import Decided, collect
from hitl.evaluation.packing import check_names
from hitl.evaluation.packing_summary import CONDITIONS as KNOWN
from hitl.evaluation.statistics import share, table

CONDITIONS = ("nominal", "light-camera", "slippery", "wish")
LOWEST = 0.2
ASKED_SHARE = 0.1
"""In how many of the decisions the policy may ask."""
REPEATED = 3
_CURVE = tuple(range(10, 101, 10))
_MEASURES = {"difference": calibration.difference, "log_odds": calibration.log_odds}


def summarize(chosen: Sequence[Decided], reported: Sequence[Decided], commands: Sequence[str]) -> dict[str, Any]:
    """What the JSON line holds about decisions in the cell. commands: of the bank, in the order of the logits.

    A command that is only tried again is no decision: a robot that waits at home begins "go home" anew every second.
    """
    third = [row.error for row in reported if row.tried == REPEATED]
    chosen, reported = [[row for row in rows if row.tried == 1] for rows in (chosen, reported)]
    logits, acceptable, _ = _arrays(chosen, commands)
    temperature = calibration.fitted_temperature(logits, acceptable)
    threshold = calibration.threshold(calibration.difference(calibration.softmax(logits)), ASKED_SHARE)
    result: dict[str, Any] = {"chosen_on": len(chosen), "temperature": round(temperature, 3)}
    result["ask_margin"] = round(threshold, 3)
    result["all"] = _of(reported, commands, temperature, threshold)
    result["conditions"] = list(dict.fromkeys(row.condition for row in reported))
    for condition in result["conditions"]:
        rows = [row for row in reported if row.condition == condition]
        result[condition] = _of(rows, commands, temperature, threshold)
    result["curve"] = {"asked_percent": list(_CURVE)}
    result["tried_three_times"] = share(third)
    for name, rows in (("all", list(reported)), *_by_condition(reported)):
        logits, _, errors = _arrays(rows, commands)
        margins = calibration.difference(calibration.softmax(logits))
        caught = [calibration.errors_within(margins, errors, percent / 100)[0] for percent in _CURVE]
        result["curve"][name] = [round(count / max(1, int(errors.sum())), 3) for count in caught]
    return result


def _by_condition(rows: Sequence[Decided]) -> list[tuple[str, list[Decided]]]:
    """The conditions in which there were errors, with their rows."""
    named = [
        (name, [row for row in rows if row.condition == name]) for name in dict.fromkeys(r.condition for r in rows)
    ]
    return [(name, own) for name, own in named if any(row.error for row in own)]


def _of(rows: Sequence[Decided], commands: Sequence[str], temperature: float, threshold: float) -> dict[str, Any]:
    logits, _, errors = _arrays(rows, commands)
    plain = calibration.softmax(logits)
    cooled = calibration.softmax(logits, temperature)
    margins = calibration.difference(plain)
    asked = margins < threshold
    labelled = np.array([bool(row.label) for row in rows])
    differs = np.array([row.label != row.best for row in rows])
    return {
        "episodes": len({(row.condition, row.seed, row.episode) for row in rows}),
        "decisions": len(rows),
        "error_rate": share(list(errors)),
        "errors_in_lowest_20": _within(margins, errors),
        "errors_in_lowest_20_by_label": _within(margins[labelled], differs[labelled]),
        "measures": {
            name: {
                "errors_in_lowest_20": _within(measure(shares), errors)["rate"],
                "separation": round(calibration.separation(measure(shares), errors), 3),
            }
            for name, measure, shares in (
                *((name, measure, plain) for name, measure in _MEASURES.items()),
                ("difference_with_temperature", calibration.difference, cooled),
            )
        },
        "ece": round(calibration.expected_calibration_error(plain.max(1), ~errors), 3),
        "ece_with_temperature": round(calibration.expected_calibration_error(cooled.max(1), ~errors), 3),
        "asks": {
            "of_decisions": share(list(asked)),
            "errors_asked_about": share(list(asked[errors])),
            "questions_about_errors": share(list(errors[asked])),
        },
    }


def _within(margins: calibration.Array, errors: calibration.Flags) -> dict[str, Any]:
    """The share of the errors that lie in the lowest 20 % of margins."""
    inside, count = calibration.errors_within(margins, errors, LOWEST)
    return share([True] * inside + [False] * (count - inside))


def _arrays(
    rows: Sequence[Decided], commands: Sequence[str]
) -> tuple[calibration.Array, calibration.Flags, calibration.Flags]:
    """logits `(n, commands)`, which commands are acceptable `(n, commands)`, and errors `(n,)`."""
    logits = np.array([row.logits for row in rows], np.float64).reshape(len(rows), len(commands))
    acceptable = np.array([[text in row.wanted for text in commands] for row in rows], bool)
    return logits, acceptable.reshape(logits.shape), np.array([row.error for row in rows], bool)


def held_out(settings: Settings, moments: Path | None) -> dict[str, Any]:
    """The same on moments of held-out demonstrations: the temperature from every other episode, figures from the rest.

    moments: the file, None for the model's own. Raises CheckpointError where it is missing or damaged.
    """
    import torch

    from hitl.backend.models import load_model, model_folder
    from policies.hierarchy import base_moments
    from policies.hierarchy.policy import HierarchicalPolicy

    policy = load_model(settings).policy
    assert isinstance(policy, HierarchicalPolicy)
    found, texts = base_moments.load(moments or model_folder(settings)[1] / base_moments.FILE)
    found = base_moments.renumbered(found, texts, policy.bank.texts)
    at = (found.held_out & (found.command >= 0)).nonzero().squeeze(1)
    with torch.no_grad():
        history = found.features[found.histories(at)].float().to(policy.device)
        codes = torch.tensor(policy.bank.codes, device=policy.device)
        logits = policy.high_level.logits(policy.high_level(history), codes).double().cpu().numpy()
    commands = found.command[at].numpy()
    fitting = found.episode[at].numpy() % 2 == 0
    acceptable = np.eye(logits.shape[1], dtype=bool)[commands]
    temperature = calibration.fitted_temperature(logits[fitting], acceptable[fitting])
    logits, errors = logits[~fitting], logits[~fitting].argmax(1) != commands[~fitting]
    plain, cooled = calibration.softmax(logits), calibration.softmax(logits, temperature)
    return {
        "moments": len(errors),
        "error_rate": share(list(errors)),
        "temperature": round(temperature, 3),
        "ece": round(calibration.expected_calibration_error(plain.max(1), ~errors), 3),
        "ece_with_temperature": round(calibration.expected_calibration_error(cooled.max(1), ~errors), 3),
        "errors_in_lowest_20": _within(calibration.difference(plain), errors),
        "separation": round(calibration.separation(calibration.difference(plain), errors), 3),
    }


def print_table(result: dict[str, Any]) -> None:
    """The table for people."""
    rows = []
    for name in ("all", *(name for name in result["conditions"])):
        one = result[name]
        inside, asks = one["errors_in_lowest_20"], one["asks"]
        low, high = inside["interval"]
        rows.append(
            [
                name, one["episodes"], one["decisions"], f"{one['error_rate']['rate']:.2f}", f"{inside['rate']:.2f}",
                f"{low:.2f}-{high:.2f}", f"{asks['of_decisions']['rate']:.2f}",
                f"{asks['errors_asked_about']['rate']:.2f}", f"{asks['questions_about_errors']['rate']:.2f}",
                f"{one['ece']:.3f}", f"{one['ece_with_temperature']:.3f}",
            ]
        )  # fmt: skip
    header = ["condition", "episodes", "decisions", "errors", "in lowest 20 %", "95 %", "asked", "of errors",
              "rightly", "ECE", "at temperature"]  # fmt: skip
    print(table(header, rows))
    print(f"asks below a margin of {result['ask_margin']}; temperature {result['temperature']}")
    base = result.get("held_out")
    if base:
        inside = base["errors_in_lowest_20"]
        print(
            f"held-out demonstrations: {base['moments']} moments, {base['error_rate']['rate']:.1%} wrong, of those"
            f" {inside['rate']:.0%} in the lowest 20 % of margins; ECE {base['ece']}, with temperature"
            f" {base['temperature']} {base['ece_with_temperature']}"
        )


def draw(result: dict[str, Any], path: Path) -> None:
    """The picture: share of the errors that it asks about, by how often it asks. Raises StorageError where it cannot
    be written."""
    curve = dict(result["curve"])
    percents = curve.pop("asked_percent")
    named = {name: curve[name] for name in ("all", *(n for n in result["conditions"] if n in curve))}
    draw_curve(path, percents, dict(list(named.items())[:4]), "asked in so many % of decisions -> share of the errors")


def run(
    settings: Settings,
    *,
    conditions: Sequence[str],
    episodes: int,
    seed: int,
    workers: int | None,
    moments: Path | None,
) -> dict[str, Any]:
    """`episodes` episodes a condition to choose on, of `seed`, and as many to report on, of the next one."""
    from hitl.backend.models import load_model

    def progress(done: int, total: int) -> None:
        print(f"\r{done}/{total} episodes", end="" if done < total else "\n", file=sys.stderr, flush=True)

    check_names("shift", conditions, KNOWN)
    base = held_out(settings, moments)
    rows = collect(
        settings, conditions=conditions, seeds=(seed, seed + 1), episodes=episodes, workers=workers, progress=progress
    )
    commands = list(load_model(settings).commands)
    split = [[row for row in rows if row.seed == each] for each in (seed, seed + 1)]
    return {"held_out": base, **summarize(split[0], split[1], commands)}


def main(settings: Settings, *, picture: Path | None, **given: Any) -> dict[str, Any]:
    """The command: a table, a picture where wanted, and the JSON object as the last line."""
    result = run(settings, **given)
    print_table(result)
    if picture is not None:
        draw(result, picture)
    print(json.dumps(result))
    return result
