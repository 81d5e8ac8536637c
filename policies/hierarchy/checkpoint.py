"""Model folders and training states on disk: safetensors for numbers, JSON for the rest, nothing pickled.

A model folder holds one safetensors file a part, `model.json` (what it is, what made it, how it scored, and size and
digest of each part) and `MODEL_CARD.md` (the same for people). `model.json` is written last, so that a folder without
it, or with one that does not fit its files, was never finished. Every file is replaced atomically.
Knows nothing of what the parts compute.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from policies.errors import CheckpointError

FORMAT = "hitl-model"
FORMAT_VERSION = 1
KIND, FLAT = "hierarchy", "flat"
_STATE_FORMAT = "hitl-training-state"


@dataclass(frozen=True)
class ModelFolder:
    """A checked model folder: what `model.json` says and the tensors of each part."""

    folder: Path
    description: dict[str, Any]
    parts: dict[str, dict[str, Tensor]]


def write_text(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old or the new one, never half of it."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_tensors(path: Path, tensors: dict[str, Tensor], content: str) -> None:
    """Write one safetensors file atomically, equal bytes for equal tensors; `content` names it in its header."""
    partial = path.with_name(path.name + ".partial")
    plain = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, str(partial), metadata={"content": content})  # one key: their order varies
    os.replace(partial, path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_model(
    folder: Path, parts: dict[str, dict[str, Tensor]], description: dict[str, Any], kind: str = KIND
) -> dict[str, Any]:
    """Write `parts` and `model.json`; returns the description as written, with `id`, `files` and empty `scores`.

    kind: `KIND`, or `FLAT` for a low level without commands."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, Any]] = {}
    for name, tensors in parts.items():
        path = folder / f"{name}.safetensors"
        write_tensors(path, tensors, f"{FORMAT} {kind} {name}")
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
    identity = hashlib.sha256("".join(entry["sha256"] for entry in files.values()).encode()).hexdigest()[:12]
    full = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "id": identity,
        **description,
        "files": files,
        "scores": {},
    }
    write_text(folder / "model.json", json.dumps(full, indent=1) + "\n")
    write_text(folder / "MODEL_CARD.md", model_card(full))
    return full


def write_changed(
    folder: Path, parent: Path, parts: dict[str, dict[str, Tensor]], changes: dict[str, Any]
) -> dict[str, Any]:
    """Write the model of `parent` with other `parts` and other keys of its description into an empty folder; returns
    the description. Files that stay are the same files on disk where that is possible, else copies; so are those that
    `model.json` does not list, such as a sample of the base data. Raises OSError."""
    before = read_description(parent)
    files: dict[str, dict[str, Any]] = dict(before["files"])
    for name, tensors in parts.items():
        path = folder / f"{name}.safetensors"
        write_tensors(path, tensors, f"{FORMAT} {KIND} {name}")
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
    for path in parent.glob("*.safetensors"):
        if path.stem not in parts:
            _same_file(path.resolve(), folder / path.name)
    identity = hashlib.sha256("".join(entry["sha256"] for entry in files.values()).encode()).hexdigest()[:12]
    full = {**before, **changes, "id": identity, "files": files, "scores": {}}
    write_text(folder / "MODEL_CARD.md", model_card(full))
    write_text(folder / "model.json", json.dumps(full, indent=1) + "\n")
    return full


def _same_file(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, other)


def read_description(folder: Path, kind: str = KIND) -> dict[str, Any]:
    """`model.json`, checked for format, version and kind. Raises CheckpointError naming the file."""
    path = Path(folder) / "model.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            "there is no such file.", field=str(path), hint="Give a model folder, or make one: hitl train."
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise CheckpointError(f"is truncated or not JSON ({problem}).", field=str(path)) from problem
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise CheckpointError("is not the description of a hitl model.", field=str(path))
    if raw.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"has format version {raw.get('format_version')!r}, this hitl reads {FORMAT_VERSION}.",
            field=str(path),
            hint="Train it again or install the hitl that made it.",
        )
    if raw.get("kind") != kind:
        hint = (
            "A flat policy knows no commands: hitl evaluate packing --policy flat." if raw.get("kind") == FLAT else ""
        )
        raise CheckpointError(f"is of kind {raw.get('kind')!r}, expected {kind!r}.", field=str(path), hint=hint)
    return raw


def read_model(folder: Path, kind: str = KIND) -> ModelFolder:
    """Read a whole model folder; every file is checked against size and digest in `model.json`.

    Raises CheckpointError naming the file that is missing, truncated, changed or foreign.
    """
    folder = Path(folder)
    description = read_description(folder, kind)
    files = description.get("files")
    if not isinstance(files, dict) or not files:
        raise CheckpointError("lists no files.", field=str(folder / "model.json"))
    return ModelFolder(folder, description, {Path(n).stem: _read_part(folder / n, e) for n, e in files.items()})


def read_part(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of one part, checked against size and digest; the other files are not read. Raises CheckpointError
    naming the file."""
    path = Path(folder) / f"{name}.safetensors"
    entry = read_description(folder).get("files", {}).get(path.name)
    if not isinstance(entry, dict):
        raise CheckpointError(f"lists no {path.name}.", field=str(path.with_name("model.json")))
    return _read_part(path, entry)


def _read_part(path: Path, entry: dict[str, Any]) -> dict[str, Tensor]:
    hint = "Copy the model folder again, or train it again."
    if not path.is_file():
        raise CheckpointError("is missing.", field=str(path), hint=hint)
    size = path.stat().st_size
    if size != entry.get("bytes"):
        raise CheckpointError(
            f"has {size} bytes, model.json says {entry.get('bytes')}: truncated or foreign.",
            field=str(path),
            hint=hint,
        )
    if _digest(path) != entry.get("sha256"):
        raise CheckpointError("does not match its digest in model.json.", field=str(path), hint=hint)
    try:
        return load_file(str(path))
    except (SafetensorError, OSError, ValueError) as problem:
        raise CheckpointError(f"is no safetensors file ({problem}).", field=str(path), hint=hint) from problem


def restore(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load `tensors` into `module`; a name or shape that does not fit is a CheckpointError naming file and tensor."""
    wanted = module.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        if name not in tensors or name not in wanted:
            raise CheckpointError(f"tensor {name} is {'missing' if name in wanted else 'foreign'}.", field=str(path))
        if tensors[name].shape != wanted[name].shape:
            raise CheckpointError(
                f"tensor {name} has shape {tuple(tensors[name].shape)}, expected {tuple(wanted[name].shape)}.",
                field=str(path),
            )
    module.load_state_dict(tensors)


def add_scores(folder: Path, scores: dict[str, Any]) -> None:
    """Add evaluation scores to `model.json` (same names are replaced) and renew the card. Weights stay untouched."""
    folder = Path(folder)
    description = read_description(folder)
    description["scores"] = {**description.get("scores", {}), **scores}
    write_text(folder / "model.json", json.dumps(description, indent=1) + "\n")
    write_text(folder / "MODEL_CARD.md", model_card(description))


def model_card(description: dict[str, Any]) -> str:
    """The card for people, made from `model.json` alone."""
    lines = [f"# Model {description['id']}", "", description.get("summary", ""), "", "## Made by", ""]
    if command := description.get("command"):
        lines += ["```", command, "```", ""]
    for title in ("data", "sizes", "training"):
        lines += [f"## {title.capitalize()}", "", *_bullets(description.get(title, {})), ""]
    lines += ["## Files", ""]
    lines += [f"- {name}: {entry['bytes'] / 2**20:.1f} MiB" for name, entry in description["files"].items()]
    scores = description.get("scores", {})
    lines += ["", "## Scores", "", *(_bullets(scores) if scores else ["Not evaluated yet."]), ""]
    return "\n".join(lines)


def _bullets(values: dict[str, Any], indent: str = "") -> list[str]:
    """Names and values as a list, what is nested below it; numbers to four digits."""
    shown: list[str] = []
    for name, value in values.items():
        head = f"{indent}- {name.replace('_', ' ')}:"
        if isinstance(value, dict):
            shown += [head, *_bullets(value, indent + "  ")]
        elif isinstance(value, list) and any(isinstance(row, list) for row in value):
            shown += [head, *(f"{indent}  - {' | '.join(map(_plain, row))}" for row in value)]
        elif isinstance(value, list):
            shown.append(f"{head} {', '.join(map(_plain, value))}")
        else:
            shown.append(f"{head} {_plain(value)}")
    return shown


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class TrainingState:
    """How far one phase of training is. `settings` must be equal for a run to be resumed."""

    step: int
    elapsed_s: float
    settings: dict[str, Any]


def save_training_state(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None, state: TrainingState
) -> None:
    """Write weights, the optimizer's moments and the state; a crash in between leaves the state before."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    if optimizer is not None:
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
    weights = folder / f"state-{state.step}.safetensors"
    write_tensors(weights, tensors, _STATE_FORMAT)
    record = {"format": _STATE_FORMAT, "weights": weights.name, **vars(state)}
    write_text(folder / "state.json", json.dumps(record, indent=1) + "\n")
    for old in folder.glob("state-*.safetensors"):
        if old != weights:
            old.unlink()


def load_training_state(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None, settings: dict[str, Any]
) -> TrainingState | None:
    """Put model and optimizer where they were; None when nothing was saved yet.

    Raises CheckpointError when the saved run had other settings or data, or its files are damaged.
    """
    path = folder / "state.json"
    if not path.exists():
        return None
    hint = "Delete the folder, choose another output folder, or train without resume."
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        state = TrainingState(record["step"], record["elapsed_s"], record["settings"])
        tensors = load_file(str(folder / record["weights"]))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as problem:
        raise CheckpointError(f"is damaged ({problem!r}).", field=str(path), hint=hint) from problem
    differing = sorted(k for k in settings.keys() | state.settings.keys() if settings.get(k) != state.settings.get(k))
    if differing:
        raise CheckpointError(f"was made with another {', '.join(differing)}.", field=str(path), hint=hint)
    weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    restore(model, weights, folder / record["weights"])
    if optimizer is not None:
        _restore_optimizer(model, optimizer, tensors)
    return state


def _restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"optimizer.{key}.{name}")
            if value is not None:
                place = optimizer.state[parameter]
                place[key] = value.clone() if key == "step" else torch.empty_like(parameter).copy_(value)
