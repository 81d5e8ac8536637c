"""What happened in an episode of the simulated cell, as physics has it: for scripted annotators, not for models.

Ten times a second: where things and hands are, what is held, what is in the box, what presses on what, which command
runs and which one a person would want. A `Watcher` looks, a `Truth` is what it has seen; nothing is judged here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hitl.errors import DatasetError
from hitl.messages import CommandStatus
from robot.aloha import layout
from robot.aloha.cell import AlohaCell
from robot.aloha.planner import next_command

FORMAT = "hitl-segments-truth-1"
NOTHING = -1
_TYPES: dict[str, type[np.generic]] = {
    **dict.fromkeys(("time_ms", "begun_ms"), np.int64),
    **dict.fromkeys(("held", "command", "wanted", "stage"), np.int16),
    "in_box": np.bool_,
}


@dataclass(frozen=True)
class Truth:
    """L looks at one episode.

    about: condition, seed, length and how it ended; texts: what `command` and `wanted` count in; kinds `(N,)`: of the
    objects. arrays, all with L rows: time_ms; pose `(12,)`, where the hands really are; held `(2,)`: the object in
    each hand, an index into `kinds` or -1; xyz `(N, 3)`; in_box `(N,)`; command, wanted: of texts; begun_ms: when the
    command began; done, sure: what the policy itself says now, the chance that the command is done, and that it is
    the one to choose; stage: of the task; on_table, on_box, hands: newtons with which a hand presses on the table, on
    the box and on the other hand.
    """

    about: dict[str, Any]
    texts: tuple[str, ...]
    kinds: tuple[str, ...]
    arrays: dict[str, NDArray[Any]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    @property
    def length_ms(self) -> int:
        """Of the episode."""
        return int(self.about["length_ms"])

    def save(self, path: Path) -> None:
        """Write one file, whole or not at all. Raises OSError."""
        about = {"format": FORMAT, "about": self.about, "texts": self.texts, "kinds": self.kinds}
        part = path.with_name(path.name + ".part")
        save_file(
            {name: np.ascontiguousarray(x) for name, x in self.arrays.items()},
            part,
            metadata={"truth": json.dumps(about)},
        )
        part.replace(path)


def load_truth(path: Path) -> Truth:
    """Read what `save` wrote. Raises DatasetError."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("truth", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError, ValueError) as problem:
        raise DatasetError(f"cannot be read ({problem}).", field=str(path), hint="Remove it and run again.") from None
    if about.get("format") != FORMAT:
        raise DatasetError(
            "is no record of physics of this version.", field=str(path), hint="Remove it and run again."
        )
    return Truth(about["about"], tuple(about["texts"]), tuple(about["kinds"]), arrays)


class Watcher:
    """Looks at one episode of a cell, which has begun."""

    def __init__(self, cell: AlohaCell) -> None:
        self._cell = cell
        self._kinds = list(cell.kinds)
        self._texts: list[str] = []
        self._rows: list[dict[str, Any]] = []
        hands = {f"vx300s_{side}": arm for arm, side in enumerate(("left", "right"))}
        bodies = [cell.model.body(int(body)).name for body in cell.model.geom_bodyid]
        self._part = [hands.get(body.split("/")[0], body) for body in bodies]

    def look(self, now_ms: int, command: CommandStatus, begun_ms: int) -> None:
        """Note the present moment and the command that runs."""
        cell = self._cell
        task = cell.read().task
        table_n, box_n, hands_n = self._forces()
        self._rows.append(
            {
                "time_ms": now_ms,
                "pose": cell.true_pose(),
                "held": [self._index(cell.held_in(0)), self._index(cell.held_in(1))],
                "xyz": [cell.position(kind) for kind in self._kinds],
                "in_box": [cell.in_box(kind) for kind in self._kinds],
                "command": self._text(command.text),
                "wanted": self._text(next_command(cell, cell.wanted)),
                "begun_ms": begun_ms,
                "done": command.done_probability,
                "sure": next((a.probability for a in command.alternatives if a.text == command.text), 0.0),
                "stage": task.stage if task is not None else 0,
                "on_table": table_n,
                "on_box": box_n,
                "hands": hands_n,
            }
        )

    def truth(self, about: dict[str, Any]) -> Truth:
        """All that was seen."""
        arrays = {
            name: np.array([row[name] for row in self._rows], _TYPES.get(name, np.float32)) for name in self._rows[0]
        }
        kinds = tuple(layout.ALL_KINDS[kind] for kind in self._kinds)
        return Truth(about, tuple(self._texts), kinds, arrays)

    def _index(self, kind: int | None) -> int:
        return self._kinds.index(kind) if kind in self._kinds else NOTHING

    def _text(self, text: str) -> int:
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text)

    def _forces(self) -> tuple[float, float, float]:
        """The greatest normal force [N] of a hand on the table, on the box, and on the other hand."""
        data, model = self._cell.data, self._cell.model
        found = {"table": 0.0, "box": 0.0, "hands": 0.0}
        force = np.zeros(6)
        for number, (one, two) in enumerate(zip(data.contact.geom1, data.contact.geom2, strict=True)):
            parts = {self._part[one], self._part[two]}
            arms = parts & {0, 1}
            on = "hands" if len(arms) == 2 else next(iter(parts & {"table", "box"}), "")
            if arms and on:
                mujoco.mj_contactForce(model, data, number, force)
                found[on] = max(found[on], float(abs(force[0])))
        return found["table"], found["box"], found["hands"]
