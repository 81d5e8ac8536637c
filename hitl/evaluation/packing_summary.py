"""What the packing experiment comes to: records of episodes and learners, shares with intervals, and tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from hitl.evaluation.statistics import share, table
from robot.aloha.shifts import SHIFTS

MODES = ("base", "corrected", "learned")
CONDITIONS = ("nominal", *SHIFTS)
_RESAMPLES = 1000
HIERARCHY = "hierarchy"
"""The policy that the others are compared with; `packing_policies.py` says what each is."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """How one episode ended. learner: the shift that a learner was corrected under, "" for none; policy: of
    `packing_policies.POLICIES`."""

    mode: str
    condition: str
    number: int
    stage: int
    stages: int
    success: bool
    seconds: float
    corrections: int
    seed: int = 0
    variant: str = "default"
    learner: str = ""
    policy: str = HIERARCHY


class LowLevelUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the low level after a round. guided: how often a hand was led to where one of its skills should
    have led, in all rounds so far; learned: whether that was enough; passed: whether the gate let it pass; base, new:
    losses on held-out segments before and after; seconds: taken."""

    guided: int
    learned: bool
    passed: bool = False
    base: list[float] = []
    new: list[float] = []
    seconds: float = 0.0


class Learner(msgspec.Struct, frozen=True, kw_only=True):
    """What one learner went through. rounds: the episodes of each, in order; taught: corrections that it learned
    from; versions, refused: how many updates the gate let pass and how many not; scores: of the last that passed."""

    condition: str
    seed: int
    variant: str
    budget: int
    rounds: list[list[Episode]]
    given: int
    taught: int
    versions: int
    refused: int
    seconds: list[float]
    """Of each update."""
    scores: dict[str, float] = {}
    wrong: int = 0
    """Corrections that were made wrong on purpose."""
    new_commands: list[str] = []
    policy: str = HIERARCHY
    low_level: list[LowLevelUpdate] = []
    """After each round in which it might learn."""


def summarize(episodes: Sequence[Episode], learners: Sequence[Learner] = ()) -> dict:
    """By mode and condition: success, stages, seconds, corrections; their means over the shifts; what learning adds,
    how much help each round took, and what became of the nominal task. Variants beside the default in `variants`;
    policies beside the hierarchy, the same of each, in `policies`."""
    hierarchy = [e for e in episodes if e.policy == HIERARCHY]
    result = _variants(hierarchy, [learner for learner in learners if learner.policy == HIERARCHY])
    for policy in dict.fromkeys(e.policy for e in episodes if e.policy != HIERARCHY):
        these = [e for e in episodes if e.policy == policy]
        part = _variants(these, [learner for learner in learners if learner.policy == policy])
        result.setdefault("policies", {})[policy] = part | _against(these, hierarchy)
    return result


def _against(these: Sequence[Episode], hierarchy: Sequence[Episode]) -> dict:
    """Points of success that a policy has more than the hierarchy, alone on the same layouts: per shift, and over all
    layouts of the shifts, with both shares; empty where there is no such layout."""
    before = {(e.condition, e.seed, e.number): e.success for e in hierarchy if e.mode == "base"}
    both = [e for e in these if e.mode == "base" and (e.condition, e.seed, e.number) in before]
    found: dict = {}
    for condition in (*CONDITIONS, "shifts"):
        chosen = [e for e in both if e.condition == condition or condition == "shifts" and e.condition != "nominal"]
        if chosen:
            own = [e.success for e in chosen]
            other = [before[e.condition, e.seed, e.number] for e in chosen]
            points = round(100 * (float(np.mean(own)) - float(np.mean(other))), 1)
            found[condition] = {"points": points, "success": share(own), "hierarchy": share(other)}
    return {"against_hierarchy": found} if found else {}


def _variants(episodes: Sequence[Episode], learners: Sequence[Learner]) -> dict:
    result: dict = {}
    variants = list(dict.fromkeys(["default", *(e.variant for e in episodes)]))
    for variant in variants:
        of_variant = [e for e in episodes if e.variant == variant or e.mode != "learned"]
        part = _modes(of_variant, [learner for learner in learners if learner.variant == variant])
        if variant == "default":
            result |= part
        else:
            result.setdefault("variants", {})[variant] = {
                key: part[key]
                for key in ("learned", "learners", "gain_points", "gain_interval", "nominal_after")
                if key in part
            }
    return result


def _modes(episodes: Sequence[Episode], learners: Sequence[Learner]) -> dict:
    result: dict = {}
    for mode in MODES:
        for condition in CONDITIONS:
            chosen = [e for e in episodes if e.mode == mode and e.condition == condition]
            if mode == "learned":
                chosen = [e for e in chosen if e.learner == condition]
            if chosen:
                result.setdefault(mode, {})[condition] = _cell(chosen)
        shifted = [cell["success"]["rate"] for name, cell in result.get(mode, {}).items() if name != "nominal"]
        if shifted:
            result[mode]["mean"] = round(float(np.mean(shifted)), 3)
    result["gain"] = _gain(episodes, "corrected")
    after = [e for e in episodes if e.mode == "learned" and e.condition == "nominal" and e.learner]
    if after:
        before = {(e.seed, e.number): e.success for e in episodes if e.mode == "base" and e.condition == "nominal"}
        result["nominal_after"] = {
            name: _kept([e for e in after if e.learner == name], before) for name in _names(after)
        }
        result["nominal_after"]["all"] = _kept(after, before)
    if learners:
        result["learners"] = _learners(learners)
        result["corrections"] = {name: entry["taught"] for name, entry in result["learners"].items()}
        gains = _gain(episodes, "learned")
        if "mean_over_shifts" in gains:
            result["gain_points"] = gains["mean_over_shifts"]
            result["gain_by_shift"] = gains
        if interval := _gain_interval(episodes):
            result["gain_interval"] = interval
    return result


def _names(episodes: Sequence[Episode]) -> list[str]:
    return list(dict.fromkeys(episode.learner for episode in episodes))


def _kept(after: Sequence[Episode], before: dict[tuple[int, int], bool]) -> dict:
    """Nominal success after learning; `before`: on the same layouts, where base was measured there; `lost_points`."""
    found: dict = share([e.success for e in after])
    known = [e for e in after if (e.seed, e.number) in before]
    if known:
        then = float(np.mean([before[e.seed, e.number] for e in known]))
        found["before"] = round(then, 3)
        found["lost_points"] = round(100 * (then - float(np.mean([e.success for e in known]))), 1)
    return found


def _cell(chosen: Sequence[Episode]) -> dict:
    most = max(e.stages for e in chosen)
    return {
        "success": share([e.success for e in chosen]),
        "stage_share": round(float(np.mean([e.stage / e.stages for e in chosen])), 3),
        "reached_stage": [share([e.stage >= s for e in chosen if e.stages >= s])["rate"] for s in range(1, most + 1)],
        "seconds": round(float(np.mean([e.seconds for e in chosen])), 1),
        "corrections": round(float(np.mean([e.corrections for e in chosen])), 2),
    }


def _learners(learners: Sequence[Learner]) -> dict:
    found = {}
    for condition in dict.fromkeys(learner.condition for learner in learners):
        these = [learner for learner in learners if learner.condition == condition]
        rounds = max(len(learner.rounds) for learner in these)
        seconds = [s for learner in these for s in learner.seconds]
        found[condition] = {
            "taught": round(float(np.mean([learner.taught for learner in these])), 1),
            "given": round(float(np.mean([learner.given for learner in these])), 1),
            "interventions": [
                round(float(np.mean([e.corrections for learner in these for e in learner.rounds[at]])), 2)
                for at in range(rounds)
            ],
            "round_success": [
                round(float(np.mean([e.success for learner in these for e in learner.rounds[at]])), 3)
                for at in range(rounds)
            ],
            "versions": sum(learner.versions for learner in these),
            "refused": sum(learner.refused for learner in these),
            "update_s": round(float(np.median(seconds)), 2) if seconds else None,
            "base_agreement": round(float(np.mean([x.scores["base"] for x in these if "base" in x.scores])), 4)
            if any("base" in learner.scores for learner in these)
            else None,
            "low_level": _low_level([one for learner in these for one in learner.low_level]),
        }
    return found


def _low_level(updates: Sequence[LowLevelUpdate]) -> dict:
    """In how many rounds the low level learned, how often the gate let it act, by how much of itself the loss on base
    data rose (the mean), and how long it took (the median)."""
    learned = [one for one in updates if one.learned]
    return {
        "learned": len(learned),
        "passed": sum(one.passed for one in learned),
        "base_rise": round(float(np.mean([one.base[1] / one.base[0] - 1 for one in learned])), 3) if learned else None,
        "seconds": round(float(np.median([one.seconds for one in learned])), 1) if learned else None,
    }


def _gains(episodes: Sequence[Episode], mode: str) -> dict[str, dict[int, list[float]]]:
    """Points of success that `mode` adds to base, by condition and seed: of each layout that was played in both."""
    before = {(e.condition, e.seed, e.number): e.success for e in episodes if e.mode == "base"}
    found: dict[str, dict[int, list[float]]] = {}
    for e in episodes:
        key = (e.condition, e.seed, e.number)
        if e.mode == mode and e.learner == (e.condition if mode == "learned" else "") and key in before:
            of_condition = found.setdefault(e.condition, {})
            of_condition.setdefault(e.seed, []).append(100.0 * (int(e.success) - int(before[key])))
    return found


def _gain(episodes: Sequence[Episode], mode: str) -> dict[str, float]:
    """Their mean per condition, and in the mean over the shifts."""
    found = _gains(episodes, mode)
    gains = {
        condition: round(float(np.mean(sum(found[condition].values(), []))), 1)
        for condition in CONDITIONS
        if condition in found
    }
    shifted = [gain for condition, gain in gains.items() if condition != "nominal"]
    if shifted:
        gains["mean_over_shifts"] = round(float(np.mean(shifted)), 1)
    return gains


def _gain_interval(episodes: Sequence[Episode]) -> list[float] | None:
    """Of what learning adds in the mean over the shifts [points]: the 95 % interval of a bootstrap that draws
    learners, and layouts of each. None where no layout was played before and after."""
    shifts = _gains(episodes, "learned")
    if not shifts:
        return None
    rng = np.random.default_rng(0)
    drawn = np.zeros(_RESAMPLES)
    for seeds in shifts.values():
        gains = [np.array(of_seed) for of_seed in seeds.values()]
        for at in range(_RESAMPLES):
            learners = rng.integers(len(gains), size=len(gains))
            drawn[at] += np.mean(np.concatenate([rng.choice(gains[one], len(gains[one])) for one in learners]))
    low, high = np.percentile(drawn / len(shifts), [2.5, 97.5])
    return [round(float(low), 1), round(float(high), 1)]


def print_table(result: dict) -> None:
    """The tables for people."""
    header = ["condition", "mode", "all packed", "95 %", "stages 1, 2, …", "seconds", "corrections"]
    rows = []
    for condition in CONDITIONS:
        for mode in MODES:
            entry = result.get(mode, {}).get(condition)
            if entry:
                rows.append([condition, mode, *_row(entry)])
        for name, part in result.get("policies", {}).items():
            rows += [
                [condition, f"{name}, {mode}", *_row(part[mode][condition])]
                for mode in MODES
                if condition in part.get(mode, {})
            ]
    for name, part in result.get("variants", {}).items():
        rows += [
            [condition, name, *_row(entry)]
            for condition, entry in part.get("learned", {}).items()
            if condition != "mean"
        ]
    print(table(header, rows))
    for mode, gains in (("corrected", result.get("gain", {})), ("learned", result.get("gain_by_shift", {}))):
        if "mean_over_shifts" in gains:
            interval = result.get("gain_interval") if mode == "learned" else None
            within = " ({:+} to {:+})".format(*interval) if interval else ""
            print(f"{mode}: {gains['mean_over_shifts']:+} points{within} in the mean over the shifts")
    for name, part in result.get("policies", {}).items():
        if shifts := part.get("against_hierarchy", {}).get("shifts"):
            print(f"{name}: {shifts['points']:+} points against the hierarchy over the same layouts of the shifts")
    if "learners" in result:
        _print_learners(result)
    for name, part in result.get("policies", {}).items():
        if "learners" in part:
            print(f"\n{name}:", end="")
            _print_learners(part)


def _row(entry: dict) -> list:
    low, high = entry["success"]["interval"]
    stages = " ".join(f"{rate:.2f}" for rate in entry["reached_stage"])
    rate = f"{entry['success']['rate']:.2f}"
    return [rate, f"{low:.2f}-{high:.2f}", stages, entry["seconds"], entry["corrections"]]


def _print_learners(result: dict) -> None:
    rows = [
        [
            name,
            entry["taught"],
            " ".join(f"{count:.1f}" for count in entry["interventions"]),
            " ".join(f"{rate:.2f}" for rate in entry["round_success"]),
            entry["versions"],
            entry["refused"],
            entry["update_s"],
            f"{entry['low_level']['passed']} of {entry['low_level']['learned']}",
        ]
        for name, entry in result["learners"].items()
    ]
    print()
    header = [
        "learner",
        "taught by",
        "corrections an episode, by round",
        "packed",
        "versions",
        "refused",
        "s",
        "low level",
    ]
    print(table(header, rows))
    for name, after in result.get("nominal_after", {}).items():
        low, high = after["interval"]
        before = f", before {after['before']:.2f}" if "before" in after else ""
        print(f"nominal after learning under {name}: {after['rate']:.2f} ({low:.2f}-{high:.2f}){before}")
