"""Versions of the policies in words and tables: a list of them, and how two differ. Knows no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hitl.backend.registry import ModelRegistry
from hitl.errors import CheckpointError
from hitl.events import CorrectionEvent
from hitl.model_messages import ModelVersion
from hitl.sessions.feedback_log import FeedbackLog

_HEAD = ("", "version", "part", "parent", "made", "corrections", "base", "answered", "gate")
_PARTS = ("high_level", "low_level", "command_encoder")


def as_json(versions: Sequence[ModelVersion], history: Sequence[str]) -> dict[str, Any]:
    """What `hitl models list --json` prints."""
    return {"current": history[-1], "history": list(history), "versions": msgspec.to_builtins(list(versions))}


def as_table(versions: Sequence[ModelVersion], history: Sequence[str]) -> str:
    """One line a version; the one that acts has a mark, and below stands why others may not."""
    rows = [_HEAD, *(_row(version, history) for version in versions)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{v.name}: {' '.join(v.reasons)}" for v in versions if not v.passed]
    return "\n".join(lines)


def _row(version: ModelVersion, history: Sequence[str]) -> tuple[str, ...]:
    def share(name: str) -> str:
        return f"{version.scores[name]:.1%}" if name in version.scores else ""

    mark = "→" if version.name == history[-1] else ""
    gate = "" if version.part == "packaged" else "passed" if version.passed else "held back"
    return (
        mark, version.name, version.part.replace("_", " "), version.parent, version.made[:19].replace("T", " "),
        str(version.corrections) if version.part != "packaged" else "", share("base"), share("corrections"), gate,
    )  # fmt: skip


def diff(registry: ModelRegistry, log: FeedbackLog, first: str, second: str) -> dict[str, Any]:
    """How two versions differ: corrections that only one knows, scores, distance of the weights of each part.

    Raises CheckpointError for an unknown version or a file that cannot be read.
    """
    names = (first, second)
    lineages = [registry.lineage(name) for name in names]
    only = [
        _said(log, [event for event in mine.events if event not in other.events])
        for mine, other in (lineages, lineages[::-1])
    ]
    described = {version.name: version for version in registry.describe()}
    scores = [described[name].scores for name in names]
    return {
        "versions": list(names),
        "only": dict(zip(names, only, strict=True)) if first != second else {},
        "scores": {
            score: [found.get(score) for found in scores] for score in sorted({*scores[0], *scores[1]})
        },
        "distance": {
            part: _distance(*(registry.version(name).folder / f"{part}.safetensors" for name in names))
            for part in _PARTS
        },
    }  # fmt: skip


def _said(log: FeedbackLog, ids: Sequence[str]) -> list[dict[str, str]]:
    found = {event.id: event for event in log.find(ids) if isinstance(event, CorrectionEvent)}
    return [
        {"event": id_, "said": found[id_].text, "command": found[id_].command, "author": found[id_].author}
        if id_ in found
        else {"event": id_, "said": "", "command": "", "author": ""}
        for id_ in ids
    ]


def _distance(first: Path, second: Path) -> float:
    """Length of the difference of all weights over the length of the first's; 0 for the same file. Tensors of other
    shapes, such as a bank that grew, count with the rows that both have."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        if first.samefile(second) or _digest(first) == _digest(second):
            return 0.0
        ours, theirs = load_file(str(first)), load_file(str(second))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot be read ({error}).", field=str(first)) from error
    square = length = 0.0
    for name in ours.keys() & theirs.keys():
        rows = min(len(np.atleast_1d(ours[name])), len(np.atleast_1d(theirs[name])))
        mine, other = (np.atleast_1d(x)[:rows].astype(np.float64) for x in (ours[name], theirs[name]))
        if mine.shape == other.shape:
            square += float(((mine - other) ** 2).sum())
            length += float((mine**2).sum())
    return round(float(np.sqrt(square / length)), 6) if length else 0.0


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def diff_as_text(found: Mapping[str, Any]) -> str:
    """The same for people."""
    first, second = found["versions"]
    lines: list[str] = []
    for name, events in found["only"].items():
        lines.append(f"only {name} knows {len(events)} corrections" + (":" if events else ""))
        for event in events:
            said = f"“{event['said']}”" if event["said"] else "(no longer in the log)"
            meant = f" → {event['command']}" if event["command"] not in ("", event["said"]) else ""
            lines.append(f"  {event['event']}  {event['author']}: {said}{meant}")
    lines.append(f"{'score':<28}{first:>12}{second:>12}")
    for score, (ours, theirs) in found["scores"].items():
        lines.append(f"{score:<28}" + "".join(f"{'' if x is None else f'{x:.4f}':>12}" for x in (ours, theirs)))
    lines.append("distance of the weights, of their length")
    lines += [f"  {part.replace('_', ' '):<26}{distance:>12.4%}" for part, distance in found["distance"].items()]
    return "\n".join(lines)
