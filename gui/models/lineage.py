"""Where each version stands in the picture of their lineage, and what became of it. Knows nothing of Qt.

One row a version, the newest first; one column a branch. The version that acts and those it stems from have the first
column to themselves, down to the oldest of them. Each other branch takes the leftmost column that is free from the
version it leaves to its last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hitl.model_messages import ModelVersion

Fate = Literal["acts", "earlier", "rolled back", "refused"]
"""It acts now; it acted, and is what is rolled back to; people went back from it; the gate refused it."""


@dataclass(frozen=True)
class Node:
    """One version in the picture. parent: the node that it stems from, None for one that has none or whose is gone."""

    version: ModelVersion
    row: int
    column: int
    parent: Node | None
    fate: Fate


@dataclass(frozen=True)
class Piece:
    """A piece of the line from a version down to its parent, within one row: from its middle down, all through, or
    from above to the parent's middle, where columns may change. fate: of the version that the line leads to."""

    row: int
    column: int
    part: Literal["down", "through", "in"]
    to_column: int
    fate: Fate


def pieces_of(nodes: Sequence[Node]) -> dict[int, list[Piece]]:
    """The pieces of all lines, by row."""
    found: dict[int, list[Piece]] = {node.row: [] for node in nodes}
    for node in nodes:
        if node.parent is None:
            continue
        for row in range(node.row, node.parent.row):
            part: Literal["down", "through"] = "down" if row == node.row else "through"
            found[row].append(Piece(row, node.column, part, node.column, node.fate))
        found[node.parent.row].append(Piece(node.parent.row, node.column, "in", node.parent.column, node.fate))
    return found


def fate_of(version: ModelVersion, history: Sequence[str]) -> Fate:
    """What became of a version. history: names that were promoted, the last one acts."""
    if history and history[-1] == version.name:
        return "acts"
    if version.name in history:
        return "earlier"
    return "rolled back" if version.passed else "refused"


def parents_of(versions: Sequence[ModelVersion]) -> dict[str, str]:
    """Name -> name of the version it stems from, where that is known and older. versions: oldest first."""
    seen: set[str] = set()
    found = {}
    for version in versions:
        if version.parent in seen:
            found[version.name] = version.parent
        seen.add(version.name)
    return found


def lay_out(versions: Sequence[ModelVersion], history: Sequence[str]) -> tuple[Node, ...]:
    """The picture of `versions`, oldest first as they come, the newest first as they are returned. Of two with the
    same name the later one counts."""
    known = list({version.name: version for version in versions}.values())
    parents = parents_of(known)
    rows = {version.name: len(known) - 1 - place for place, version in enumerate(known)}
    columns = _columns([version.name for version in known], parents, rows, history[-1] if history else "")
    nodes: dict[str, Node] = {}
    for version in known:
        name = version.name
        parent = nodes.get(parents.get(name, ""))
        nodes[name] = Node(version, rows[name], columns[name], parent, fate_of(version, history))
    return tuple(reversed(nodes.values()))


def _columns(names: list[str], parents: dict[str, str], rows: dict[str, int], acts: str) -> dict[str, int]:
    branches = _branches(names, parents, acts)
    columns: dict[str, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for branch in branches:
        leaves = rows[parents[branch[0]]] if branch[0] in parents else rows[branch[0]]
        top, foot = rows[branch[-1]], leaves - 1 if branch[0] in parents else leaves
        if branch[-1] == acts:
            top = 0  # what stems from the one that acts stands beside it
        column = next((place for place, spans in enumerate(taken)
                       if all(foot < first or last < top for first, last in spans)), len(taken))  # fmt: skip
        if column == len(taken):
            taken.append([])
        taken[column].append((top, foot))
        columns |= dict.fromkeys(branch, column)
    return columns


def _branches(names: list[str], parents: dict[str, str], acts: str) -> list[list[str]]:
    """Runs of versions, each of which stems from the one before. What leads to the one that acts comes first and ends
    there; elsewhere a run goes on with the first version that stems from its last one."""
    trunk: list[str] = []
    at = acts if acts in names else ""
    while at:
        trunk.insert(0, at)
        at = parents.get(at, "")
    run_of: dict[str, list[str]] = {}
    runs = [trunk] if trunk else []
    run_of |= dict.fromkeys(trunk, trunk)
    for name in names:
        if name in run_of:
            continue
        before = run_of.get(parents.get(name, ""))
        if before is None or before is trunk or before[-1] != parents[name]:
            before = []
            runs.append(before)
        before.append(name)
        run_of[name] = before
    return runs
