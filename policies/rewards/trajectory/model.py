"""A trained trajectory reward model: features of a recording in, chances and rewards of segments and moments out.

A version is a folder: `model.safetensors` and `model.json` (questions, sizes, calibration, which labels it learned
from, how it scored, the digest of the weights), nothing pickled. Knows nothing of recordings and people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.checkpoint import restore, write_tensors, write_text
from policies.rewards.trajectory.calibration import Calibration
from policies.rewards.trajectory.features import VERSION, Features
from policies.rewards.trajectory.fitting import Fitted
from policies.rewards.trajectory.labels import TimeHead
from policies.rewards.trajectory.network import NetworkConfig, TrajectoryNetwork, pooled

FORMAT = "hitl-trajectory-rewards"
FORMAT_VERSION = 2
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class SegmentScore:
    """Of `[start_ms, end_ms)`.

    chances: head -> the chance of a yes. spread: head -> how far the members of the ensemble are apart (standard
    deviation of their chances). uncertainty: head -> entropy of the chance in bits, 0 to 1; 1 for a head that has
    learned nothing, whose chance is a half. reward: what the segment earns, all heads together.
    """

    start_ms: int
    end_ms: int
    chances: Mapping[str, float]
    spread: Mapping[str, float]
    uncertainty: Mapping[str, float]
    reward: float


@dataclass(frozen=True)
class Curve:
    """Of every moment. time_ms: `(T,)`; chances: head -> `(T,)`; reward: `(T,)`, of all heads together."""

    time_ms: NDArray[np.int64]
    chances: Mapping[str, NDArray[np.float64]]
    reward: NDArray[np.float64]


@dataclass(frozen=True)
class TrajectoryRewards:
    """heads: the questions, in order; groups: of features that are read; lineage: ids of the labels, sorted; about:
    what whoever made it wants kept, such as scores and the id of the policy that sees."""

    heads: tuple[TimeHead, ...]
    groups: tuple[str, ...]
    network: TrajectoryNetwork
    calibrations: tuple[Calibration, ...]
    lineage: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        fitted: Fitted,
        heads: Sequence[TimeHead],
        groups: Sequence[str],
        lineage: Sequence[str] = (),
        about: Mapping[str, Any] | None = None,
    ) -> TrajectoryRewards:
        """What `fit` has made, with its questions."""
        made = fitted.network, fitted.calibrations
        return cls(tuple(heads), tuple(groups), *made, tuple(sorted(lineage)), dict(about or {}))

    @property
    def known(self) -> tuple[str, ...]:
        """The heads that have learned something."""
        pairs = zip(self.heads, self.calibrations, strict=True)
        return tuple(head.key for head, calibration in pairs if calibration.known)

    @property
    def thresholds(self) -> dict[str, float]:
        """Head -> from which chance on it is a yes."""
        return {head.key: c.threshold for head, c in zip(self.heads, self.calibrations, strict=True)}

    def score(self, features: Features, segments: Sequence[tuple[int, int]]) -> list[SegmentScore]:
        """Each `[start_ms, end_ms)` of a recording. Raises PolicyError where a segment is empty or the features lack
        a group."""
        for start, end in segments:
            if start >= end:
                raise PolicyError(f"{start} to {end} ms is empty.", field="segment", hint="Give its end second.")
        places = torch.tensor([features.between(*segment) for segment in segments], dtype=torch.int64).reshape(-1, 2)
        logits = self._logits(features)
        means = pooled(logits, places[:, 0], places[:, 1]).double().numpy()
        scores = []
        for at, (start, end) in enumerate(segments):
            each = self._chances(means[:, at])
            mean = self._chances(means[:, at].mean(0)[None])[0]
            names = [head.key for head in self.heads]
            scores.append(
                SegmentScore(
                    start, end,
                    dict(zip(names, mean.tolist(), strict=True)),
                    dict(zip(names, each.std(0).tolist(), strict=True)),
                    dict(zip(names, entropy(mean).tolist(), strict=True)),
                    float(self._reward(mean[None])[0]),
                )
            )  # fmt: skip
        return scores

    def curve(self, features: Features) -> Curve:
        """Chances and reward over time, for a view of the recording; each moment by what was seen until then."""
        mean = self._logits(features).mean(0).double().numpy()
        chances = self._chances(mean)
        step_ms = 1000 / features.rate_hz
        return Curve(
            (np.arange(len(mean)) * step_ms).astype(np.int64),
            {head.key: chances[:, at] for at, head in enumerate(self.heads)},
            self._reward(chances),
        )

    def save(self, folder: Path) -> None:
        """Write a version; the description last, so that a folder without one was never finished."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = dict(self.network.state_dict())
        write_tensors(folder / _WEIGHTS, tensors, FORMAT)
        digest = hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest()
        description = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "id": digest[:12],
            "features": VERSION,
            "heads": [asdict(head) for head in self.heads],
            "groups": list(self.groups),
            "network": self.network.config.to_json(),
            "calibrations": [asdict(calibration) for calibration in self.calibrations],
            "lineage": list(self.lineage),
            "about": dict(self.about),
            "sha256": digest,
        }
        write_text(folder / "model.json", json.dumps(description, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> TrajectoryRewards:
        """Read a version. Raises CheckpointError that names the file that is missing, changed or foreign."""
        description = _description(folder / "model.json")
        path = folder / _WEIGHTS
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() != description["sha256"]:
                raise CheckpointError("does not match its digest in model.json.", field=str(path))
            tensors = load_file(str(path))
            network = TrajectoryNetwork(NetworkConfig.from_json(description["network"]))
            restore(network, tensors, path)
            return cls(
                tuple(TimeHead(**head) for head in description["heads"]),
                tuple(description["groups"]),
                network.eval(),
                tuple(Calibration(**calibration) for calibration in description["calibrations"]),
                tuple(description["lineage"]),
                description["about"],
            )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as problem:
            raise CheckpointError(f"cannot be read ({problem!r}).", field=str(path)) from problem

    @torch.inference_mode()
    def _logits(self, features: Features) -> Tensor:
        """Of every member, moment and head: `(M, T, heads)`."""
        rows = torch.from_numpy(features.rows(self.groups))
        wanted = self.network.config.inputs
        if rows.shape[1] != wanted:
            why = f"have {rows.shape[1]} numbers a moment, the model reads {wanted}."
            raise PolicyError(why, field="features", hint="Compute them with the policy that it was made with.")
        logits: Tensor = self.network(rows[None])[:, 0]
        return logits

    def _chances(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(n, heads)` -> calibrated `(n, heads)`; a half where a head has learned nothing."""
        return np.stack([one.chances(logits[:, at]) for at, one in enumerate(self.calibrations)], 1)

    def _reward(self, chances: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(n, heads)` -> `(n,)`: praise earns its weight times its chance, an error loses it; and nothing where
        nothing is known."""
        total = np.zeros(len(chances))
        for at, (head, calibration) in enumerate(zip(self.heads, self.calibrations, strict=True)):
            if calibration.known:
                total += head.weight * (chances[:, at] if head.praise else -chances[:, at])
        return total


def entropy(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of yes or no, in bits."""
    p = np.clip(chances, 1e-12, 1 - 1e-12)
    found: NDArray[np.float64] = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return found


def _description(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError("there is no such file.", field=str(path), hint="Give a folder of a version.") from None
    except (OSError, ValueError) as problem:
        raise CheckpointError(f"is truncated or not JSON ({problem}).", field=str(path)) from problem
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise CheckpointError("is not the description of a trajectory reward model.", field=str(path))
    if raw.get("format_version") != FORMAT_VERSION or raw.get("features") != VERSION:
        why = f"is of version {raw.get('format_version')!r} with features {raw.get('features')!r}."
        hint = f"This hitl reads {FORMAT_VERSION} with {VERSION}: let it learn from its labels again."
        raise CheckpointError(why, field=str(path), hint=hint)
    return raw
