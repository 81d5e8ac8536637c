"""Heads of a RewardLearner as a versioned folder: `heads.safetensors` and `model.json`, nothing pickled.

`model.json` says which encoder the heads belong to, which labels they learned from and how they scored; it is written
last and holds the digest of the other file, so that a folder without it was never finished. Knows nothing of labels.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from policies.errors import CheckpointError
from policies.hierarchy.checkpoint import write_tensors, write_text
from policies.rewards.documents import HeadSpec
from policies.rewards.encoder import RewardEncoder
from policies.rewards.features import FEATURES_VERSION
from policies.rewards.fitting import SegmentHead, WholeHead
from policies.rewards.heads import Linear
from policies.rewards.learner import Head, RewardLearner, Score, Update

KIND = "rewards"
FORMAT, FORMAT_VERSION = "hitl-model", 1


def save_learner(learner: RewardLearner, folder: Path) -> None:
    """Write the heads of the latest update."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    latest, fitted = learner.latest, dict(learner.fitted)
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for name, head in fitted.items():
        numbers[name] = {"temperature": head.temperature, "bias": head.linear.bias}
        _add(tensors, f"{name}.linear", head.linear)
        if isinstance(head, SegmentHead):
            numbers[name]["threshold"] = head.threshold
            numbers[name]["categories"] = {key: linear.bias for key, linear in head.categories.items()}
            for key, linear in head.categories.items():
                _add(tensors, f"{name}.category.{key}", linear)
        else:
            numbers[name] |= {"middle": head.middle, "spread": head.spread}
            if head.wanted is not None:
                numbers[name]["wanted_bias"] = head.wanted.bias
                _add(tensors, f"{name}.wanted", head.wanted)
    path = folder / "heads.safetensors"
    write_tensors(path, tensors, f"{FORMAT} {KIND}")
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "features_version": FEATURES_VERSION,
        "encoder": {"name": learner.encoder.name, "fingerprint": learner.encoder.fingerprint},
        "heads": [asdict(head) for head in learner.heads],
        "numbers": numbers,
        "held_out": learner.held_out,
        "seed": learner.seed,
        "version": latest.version,
        "labels": list(latest.labels),
        "scores": {name: asdict(score) for name, score in latest.scores.items()},
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
    }
    write_text(folder / "model.json", json.dumps(description, indent=1) + "\n")


def load_learner(folder: Path, encoder: RewardEncoder) -> RewardLearner:
    """A learner that predicts as the saved one did. It knows none of its labels: put those to go on learning.

    Raises CheckpointError where a file is missing, damaged or of another kind, or the encoder is another one.
    """
    folder = Path(folder)
    path = folder / "model.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if (described["format"], described["kind"]) != (FORMAT, KIND):
            raise CheckpointError("is no reward model.", field=str(path))
        if (described["format_version"], described["features_version"]) != (FORMAT_VERSION, FEATURES_VERSION):
            raise CheckpointError("is of another version; learn it again from its labels.", field=str(path))
        if described["encoder"]["fingerprint"] != encoder.fingerprint:
            raise CheckpointError(
                f"belongs to the encoder {described['encoder']['name']}, and this one is {encoder.name}.",
                field=str(path),
            )
        tensors = _tensors(folder / "heads.safetensors", described["files"]["heads.safetensors"])
        heads = [HeadSpec(**{**head, "categories": tuple(head.get("categories", ()))}) for head in described["heads"]]
        learner = RewardLearner(encoder, heads, held_out=described["held_out"], seed=described["seed"])
        learner.fitted = {name: _head(name, found, tensors) for name, found in described["numbers"].items()}
        scores = {name: Score(**score) for name, score in described["scores"].items()}
        learner.latest = Update(described["version"], tuple(described["labels"]), 0.0, scores)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CheckpointError(f"is missing or damaged ({problem!r}).", field=str(path)) from problem
    return learner


def _add(tensors: dict[str, Tensor], name: str, linear: Linear) -> None:
    for part in ("mean", "scale", "weights"):
        tensors[f"{name}.{part}"] = torch.from_numpy(getattr(linear, part))


def _tensors(path: Path, digest: str) -> dict[str, Tensor]:
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise CheckpointError("does not match its digest in model.json.", field=str(path))
    try:
        return load_file(str(path))
    except SafetensorError as problem:
        raise CheckpointError(f"is no safetensors file ({problem}).", field=str(path)) from problem


def _head(name: str, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> Head:
    linear = _linear(tensors, f"{name}.linear", numbers["bias"])
    if "threshold" in numbers:
        categories = {
            key: _linear(tensors, f"{name}.category.{key}", bias)
            for key, bias in numbers.get("categories", {}).items()
        }
        return SegmentHead(linear, numbers["temperature"], numbers["threshold"], categories)
    wanted = _linear(tensors, f"{name}.wanted", numbers["wanted_bias"]) if "wanted_bias" in numbers else None
    return WholeHead(linear, numbers["temperature"], wanted, numbers["middle"], numbers["spread"])


def _linear(tensors: dict[str, Tensor], name: str, bias: float) -> Linear:
    mean, scale, weights = (tensors[f"{name}.{part}"].numpy() for part in ("mean", "scale", "weights"))
    return Linear(mean, scale, weights, bias)
