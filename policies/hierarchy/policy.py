"""A trained hierarchy at run time: words, pictures and poses in, pose targets and proposals out.

One thread owns a policy. Knows nothing of robots, joints, sockets, or of who decides what is executed.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from policies.devices import resolve_device
from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.acting import Acting, ActiveCommand, Images, pose_row
from policies.hierarchy.checkpoint import read_model, restore
from policies.hierarchy.command_bank import CommandBank
from policies.hierarchy.command_space import CommandSpace
from policies.hierarchy.high_level import (
    HISTORY_S,
    HighLevelConfig,
    HighLevelPolicy,
    closed,
    describe,
    feature_size,
)
from policies.hierarchy.language import restore_language
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy, perception

EYES = "eyes"
"""The part of a model folder that holds what the high level sees by, where the low level has learned to see on."""
REMEMBER_EVERY_S = 0.4
"""Moments of the history are at least this far apart; the newest one is always described when a proposal is asked."""


@dataclass(frozen=True)
class Proposal:
    """Commands of the bank, most probable first; vector: what the high level answered, `(64,)` or, with the output
    "one-hot", `(commands,)`; history: the four moments that it read, `(4, features)`; guiding: commands that the high
    level was never taught to choose, with which people guide a hand."""

    texts: tuple[str, ...]
    probabilities: tuple[float, ...]
    vector: NDArray[np.float32]
    history: NDArray[np.float32]
    guiding: frozenset[str]


@dataclass(frozen=True)
class _Moment:
    stamp_ns: int
    features: Tensor


class HierarchicalPolicy(Acting):
    """High and low level, the command space, and the history of the running episode. Made by `load`.

    space: what grounding looks words up in; description: what `model.json` says; eyes: a low level that sees as the
    one did that the high level was trained with, None where that is the low level itself.
    """

    def __init__(
        self,
        low_level: LowLevelPolicy,
        high_level: HighLevelPolicy,
        space: CommandSpace,
        probes: Tensor,
        description: dict[str, Any],
        device: torch.device,
        eyes: LowLevelPolicy | None = None,
    ) -> None:
        super().__init__(low_level, device)
        self.eyes = self.low_level if eyes is None else eyes.to(device).eval()
        self.high_level = high_level.to(device).eval()
        self.space, self.description = space, description
        self._probes = probes.to(device)
        self._guiding = frozenset(description.get("guiding", ()))  # models of before do not say
        self._moments: deque[_Moment] = deque()
        self._newest: tuple[Images, NDArray[np.float64], int] | None = None

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> HierarchicalPolicy:
        """Load a model folder. device: "auto", "cpu", "cuda", ...

        Raises CheckpointError naming the file that is missing, truncated, foreign or of another version.
        """
        model = read_model(Path(folder))
        where = resolve_device(device)
        parts, description = model.parts, model.description
        path = model.folder / "model.json"
        for name in ("low_level", "high_level", "command_encoder"):
            if name not in parts:
                raise CheckpointError(f"lists no {name}.safetensors.", field=str(path))
        try:
            low_config = LowLevelConfig.from_json(description["low_level"])
            high_config = HighLevelConfig(**description["high_level"])
            texts, probes = list(description["bank"]), list(description["probes"])
        except (KeyError, TypeError, ValueError, PolicyError) as problem:
            raise CheckpointError(f"a key is missing or wrong ({problem!r}).", field=str(path)) from problem
        if not high_config.is_open and high_config.commands != len(texts):
            raise CheckpointError("high_level.commands does not fit the bank.", field=str(path))
        low_level, high_level = LowLevelPolicy(low_config), HighLevelPolicy(high_config)
        if high_config.features != feature_size(low_level, len(probes)):
            raise CheckpointError("high_level.features does not fit low_level and probes.", field=str(path))
        restore(low_level, parts["low_level"], model.folder / "low_level.safetensors")
        eyes = _eyes(low_level, parts[EYES], model.folder / f"{EYES}.safetensors") if EYES in parts else None
        high_path = model.folder / "high_level.safetensors"
        weights = dict(parts["high_level"])
        codes = weights.pop("bank", None)
        if codes is None or codes.shape != (len(texts), low_config.code) or not set(probes) <= set(texts):
            raise CheckpointError("its bank does not fit the commands of model.json.", field=str(high_path))
        restore(high_level, weights, high_path)
        words_path = model.folder / "command_encoder.safetensors"
        space = restore_language(parts["command_encoder"], words_path, CommandBank(texts, codes.numpy()))
        picked = codes[[texts.index(text) for text in probes]]
        return cls(low_level, high_level, space, picked, description, where, eyes)

    @property
    def bank(self) -> CommandBank:
        """The commands that can be proposed; open."""
        return self.space.bank

    @property
    def probes(self) -> Tensor:
        """Codes `(probes, 64)` of the commands under which the high level looks at the scene."""
        return self._probes

    def embed(self, text: str) -> NDArray[np.float32]:
        """The unit code `(64,)` of any words."""
        code: NDArray[np.float32] = self.space.codes([text])[0].numpy()
        return code

    def start(self, text: str, pose_target: ArrayLike) -> ActiveCommand:
        """Begin a command at the pose target `(12,)` that is in force. Words of the bank need no encoder."""
        code = self.bank.code(text) if text in self.bank else self.embed(text)
        return ActiveCommand(text, code, pose_row(pose_target, "pose_target"))

    def remember(self, images: Images, pose: ArrayLike, stamp_ns: int) -> None:
        """Take a moment into the history. Cheap but for about every fourth of ten a second, which is described."""
        self._newest = (images, pose_row(pose, "pose"), stamp_ns)
        if not self._moments or stamp_ns - self._moments[-1].stamp_ns >= REMEMBER_EVERY_S * 1e9:
            self._moments.append(self._describe_newest())
        while stamp_ns - self._moments[0].stamp_ns > (HISTORY_S[-1] + 2 * REMEMBER_EVERY_S) * 1e9:
            self._moments.popleft()

    def recall(self) -> NDArray[np.float32]:
        """The history that `propose` reads, `(4, features)`, newest first: one input of an update of the high level.

        Raises PolicyError before anything was remembered.
        """
        if self._newest is None:
            raise PolicyError("nothing has been remembered in this episode.", field="history")
        if self._newest[2] != self._moments[-1].stamp_ns:
            newest = self._describe_newest()
        else:
            newest = self._moments[-1]
        known = [*self._moments, newest]
        wanted = [newest.stamp_ns - int(back * 1e9) for back in HISTORY_S]
        chosen = [min(known, key=lambda moment: abs(moment.stamp_ns - stamp)) for stamp in wanted]
        rows: NDArray[np.float32] = torch.stack([moment.features for moment in chosen]).cpu().numpy()
        return rows

    @torch.no_grad()
    def propose(self) -> Proposal:
        """What the high level would do next, from the history; every command of the bank with its probability."""
        history = self.recall()
        vector = self.high_level(torch.from_numpy(history).to(self.device)[None])
        codes = torch.tensor(self.bank.codes, device=self.device)
        probabilities, order = self.high_level.logits(vector, codes)[0].softmax(0).sort(descending=True)
        texts = tuple(self.bank.texts[at] for at in order.tolist())
        return Proposal(texts, tuple(probabilities.tolist()), vector[0].cpu().numpy(), history, self._guiding)

    def adopt(
        self, high_level: HighLevelPolicy, added: Mapping[str, NDArray[np.float32]], gone: Collection[str] = ()
    ) -> None:
        """Decide with these weights from now on; the history stays, as it describes the low level's features.

        added: commands that join the bank, with their codes; gone: those that leave it. Raises PolicyError where the
        sizes differ, and where the output is "one-hot" and a command would join or leave.
        """
        if high_level.config != self.high_level.config:
            raise PolicyError("it has other sizes than the one in use.", field="high_level")
        if not high_level.config.is_open:
            if new := [text for text in added if text not in self.bank]:
                raise closed(f"{new[0]!r} cannot join its commands.")
            if left := [text for text in gone if text in self.bank]:
                raise closed(f"{left[0]!r} cannot leave its commands.")
        for text, code in added.items():
            if text not in self.bank:
                self.bank.add(text, code)
        for text in gone:
            if text in self.bank:
                self.bank.remove(text)
        self.high_level = high_level.to(self.device).eval()

    def adopt_low_level(self, low_level: LowLevelPolicy) -> None:
        """Act with these weights from now on; the high level goes on seeing as it does. PolicyError where the sizes
        differ."""
        if low_level.config != self.low_level.config:
            raise PolicyError("it has other sizes than the one in use.", field="low_level")
        self.low_level = low_level.to(self.device).eval()
        self._seen = None

    def forget(self) -> None:
        """Empty the history, at the start of an episode."""
        self._moments.clear()
        self._newest = self._seen = None

    @torch.no_grad()
    def _describe_newest(self) -> _Moment:
        assert self._newest is not None
        images, pose, stamp_ns = self._newest
        sight = self._look(images) if self.eyes is self.low_level else self.eyes.look(self._pictures(images))
        features = describe(self.eyes, sight, self._row(pose), self._probes)[0]
        return _Moment(stamp_ns, features)


def _eyes(low_level: LowLevelPolicy, weights: Mapping[str, Tensor], path: Path) -> LowLevelPolicy:
    """A low level that sees by these weights. CheckpointError where they are not all that `perception` gives."""
    if weights.keys() != perception(low_level).keys():
        raise CheckpointError("holds other tensors than what a low level sees by.", field=str(path))
    eyes = copy.deepcopy(low_level)
    restore(eyes, {**low_level.state_dict(), **weights}, path)
    return eyes
