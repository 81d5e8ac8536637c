"""Where a version of the policies came from: `lineage.json` in its folder. Knows the file, and nothing of weights.

{"format": "hitl-lineage-1", "parent": "v0003", "base": "packaged", "part": "high_level", "made": "2026-…",
 "seconds": 0.8, "strategy": "replay", "seed": 0, "events": [...], "sessions": [...],
 "counts": {"corrections": 4, "examples": 61}, "new_commands": [...],
 "gate": {"passed": true, "reasons": [...], "scores": {"base": 0.93, ...}}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hitl.model_messages import ModelVersion, Part

FORMAT = "hitl-lineage-1"
FILE = "lineage.json"


class GateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate said of a version. scores: numbers, or tables of them, by name."""

    passed: bool = True
    reasons: list[str] = []
    scores: dict[str, Any] = {}


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was made from. parent: the version whose weights it began with; base: the one whose high level
    learning anew begins with, empty for itself; events: the corrections that it knows, oldest first."""

    format: str = FORMAT
    parent: str = ""
    base: str = ""
    part: Part = "all"
    made: str = ""
    seconds: float = 0.0
    strategy: str = ""
    seed: int = 0
    events: list[str] = []
    sessions: list[str] = []
    counts: dict[str, Any] = {}
    new_commands: list[str] = []
    gate: GateRecord = GateRecord()


def read_lineage(folder: Path) -> Lineage:
    """Of the version in `folder`; one without the file was made by hand. A file that cannot be read is a version that
    did not pass, so that nobody promotes it by mistake."""
    path = folder / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Lineage)
    except FileNotFoundError:
        return Lineage()
    except (OSError, msgspec.MsgspecError) as error:
        return Lineage(gate=GateRecord(passed=False, reasons=[f"Its {FILE} cannot be read ({error})."]))
    if found.format != FORMAT:
        reason = f"Its {FILE} has the format {found.format[:40]!r}, this hitl reads {FORMAT!r}."
        return Lineage(gate=GateRecord(passed=False, reasons=[reason]))
    return found


def write_lineage(folder: Path, lineage: Lineage) -> None:
    """Write the file; what makes the folder durable does so for it, too. Raises OSError."""
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(lineage), indent=1) + b"\n")


def described(name: str, lineage: Lineage) -> ModelVersion:
    """A version as windows see it."""
    counts = {key: count for key, count in lineage.counts.items() if isinstance(count, int)}
    return ModelVersion(
        name=name,
        part=lineage.part,
        parent=lineage.parent,
        made=lineage.made,
        seconds=lineage.seconds,
        strategy=lineage.strategy,
        corrections=counts.get("corrections", len(lineage.events)),
        examples=counts.get("examples", counts.get("segments", 0)),
        sessions=lineage.sessions,
        new_commands=lineage.new_commands,
        passed=lineage.gate.passed,
        reasons=lineage.gate.reasons,
        scores=dict(_numbers(lineage.gate.scores)),
        counts={score: counts[key] for score, key in _MEASURED_ON.items() if key in counts},
    )


_MEASURED_ON = {"base": "held_out", "base_before": "held_out", "corrections": "taught"}
"""Scores, and the count that says on how many moments each was measured."""


def _numbers(scores: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Numbers by name; those of a table under "table.name"; what is no number is left out."""
    found = []
    for name, value in scores.items():
        if isinstance(value, dict):
            found += _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((prefix + name, float(value)))
    return found
