"""`hitl train low-level`: sessions that people watched make the low level better, as a new version of the model.

Sessions become hindsight segments, these a dataset, that an update of the low level under a strategy against
forgetting; a gate compares before and after; the version is written with where it came from (`lineage.json`), and
promoted where the gate lets it pass and that was asked for. What was begun with the same sessions and options goes on
where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hitl.backend.models import model_folder
from hitl.backend.registry import ModelRegistry
from hitl.backend.version_folder import make_durable, write_version
from hitl.config import Settings
from hitl.errors import DatasetError, InputError, StorageError
from hitl.hindsight import Rules, families_of
from hitl.segment_shards import Template, Written
from hitl.session_hindsight import Lesson, lessons_of, write_lessons
from hitl.sessions.catalog import Catalog, find_session
from policies.devices import resolve_device
from policies.hierarchy.checkpoint import ModelFolder, read_model, restore, write_changed
from policies.hierarchy.command_bank import CommandBank
from policies.hierarchy.command_space import CommandSpace
from policies.hierarchy.dataset import Meta, load_recordings, read_meta
from policies.hierarchy.language import restore_language
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy, perception
from policies.hierarchy.low_level_aims import NEAR_M
from policies.hierarchy.low_level_update import Fitted, Plan, update
from policies.hierarchy.policy import EYES
from policies.learning.strategies import strategy

LINEAGE_FORMAT = "hitl-lineage-1"
LETTER = "l"
"""Versions of the low level are named l0001, l0002, …"""
BASE_EPISODES, BASE_SEED = 48, 20_261
"""Base data that nobody has to make: seven minutes of it, of layouts that neither training nor experiments saw."""
MOST_BASE_EPISODES = 200
"""Of a larger base so many are read, spread over all: pictures of one take 8 MB of memory."""

Progress = Callable[[str, int, int, float], None]
MakeBase = Callable[[Path, Sequence[str]], None]
"""Makes base data of a policy with these commands in a folder, or goes on with it; InputError where it cannot."""


@dataclass(frozen=True)
class Gate:
    """What a new version must do: win more than it loses, and go where hands were led, also on ways that were kept
    out. rise: by how much, of itself, the loss on held-out base segments may rise."""

    rise: float = 0.25

    def reasons(self, fitted: Fitted) -> list[str]:
        """Why a version may not be promoted; empty where it may."""
        (base, base_then), (new, new_then) = fitted.base, fitted.new
        found = []
        if not base_then["loss"] <= base["loss"] * (1 + self.rise):
            rise = base_then["loss"] / base["loss"] - 1
            found.append(f"the loss on held-out base segments rose by {rise:.1%}, more than {self.rise:.1%}")
        if not new_then["loss"] < new["loss"]:
            found.append(
                f"new segments that were kept out are not fitted better ({new['loss']:.4f} → {new_then['loss']:.4f})"
            )
        lost, won = base_then["loss"] / base["loss"] - 1, 1 - new_then["loss"] / new["loss"]
        if not found and lost > won:
            why = f"the loss on base segments rose by {lost:.1%}, on new ones it fell by {won:.1%}"
            found.append(f"more is lost than won: {why}")
        found += [
            f"under “{aim.command}” it would go {100 * aim.after:.1f} cm beside where hands were led, on ways that"
            " were kept out"
            for aim in fitted.aims
            if aim.after is not None and not aim.after <= NEAR_M
        ]
        return found


@dataclass(frozen=True)
class Options:
    """What is learned from and how. dataset: base data, None for that of `make_base`; out: a folder for the model,
    None for a version in the data folder; restart: what an earlier run left is thrown away."""

    sessions: Sequence[str]
    dataset: Path | None = None
    plan: Plan = field(default_factory=Plan)
    rules: Rules = field(default_factory=Rules)
    gate: Gate = field(default_factory=Gate)
    out: Path | None = None
    promote: bool = False
    restart: bool = False


@dataclass(frozen=True)
class Learned:
    """What came of it. version: its name, empty where it was written elsewhere; reasons: why the gate let it not pass;
    lineage: as it stands in its folder."""

    version: str
    folder: Path
    promoted: bool
    fitted: Fitted
    reasons: list[str]
    lineage: dict[str, Any]


def learn_low_level(
    settings: Settings,
    options: Options,
    *,
    make_base: MakeBase | None = None,
    command: str = "hitl train low-level",
    told: Callable[[Lesson], None] = lambda _lesson: None,
    progress: Progress = lambda *_: None,
) -> Learned:
    """Learn from sessions; see the module's docstring. make_base: for where no dataset is given; told: gets what
    each session teaches.

    Raises InputError that names the session, recording, dataset or model that cannot be used, StorageError, and
    PolicyError of the policies. Ctrl-C leaves what was learned so far for the next run.
    """
    began_s = time.monotonic()
    strategy(options.plan.strategy)  # an unknown one is said before anything takes time
    name, folder = model_folder(settings)
    parent = read_model(folder)
    for session in options.sessions:  # before anything is made for them
        find_session(Catalog(settings.data_folder), session)
    base_folder = _base(options.dataset, settings.data_folder, parent, make_base)
    meta = _fitting(read_meta(base_folder), base_folder, parent)
    families = families_of({words.text: words.family for words in meta.commands})
    lessons = lessons_of(settings.data_folder, options.sessions, _bank(parent), families, options.rules, _near(parent))
    for lesson in lessons:
        told(lesson)
    work = _Work(settings.data_folder, name, parent, lessons, options)
    if options.restart:
        work.remove()
    written = work.segments(lessons, meta)
    new = load_recordings(work.dataset)
    base = load_recordings(
        base_folder, lambda done, count: progress("base data", done, count, float("nan")), MOST_BASE_EPISODES
    )
    config = LowLevelConfig.from_json(parent.description["low_level"])
    model = LowLevelPolicy(config)
    restore(model, parent.parts["low_level"], folder / "low_level.safetensors")
    model.to(resolve_device(settings.device))
    codes = _codes(parent, [words.text for words in new.meta.commands])
    marks = {**work.settings, "base": base.fingerprint}
    with _one_thread():
        fitted = update(model, new, work.groups(), base, codes, options.plan, work.states, marks, progress)
    reasons = options.gate.reasons(fitted)
    lineage = _lineage(name, parent, lessons, written, options, fitted, reasons, time.monotonic() - began_s)

    def fill(into: Path) -> None:
        _write(into, parent, model, lineage, command)

    version, where = _place(settings, options, fill)
    promoted = options.promote and not reasons and not options.out
    if promoted:
        ModelRegistry(settings.data_folder).promote(version)
    work.remove()
    return Learned(version, where, promoted, fitted, reasons, lineage)


# -- what it stands on --------------------------------------------------------------------------------------------


def _base(given: Path | None, data: Path, parent: ModelFolder, make: MakeBase | None) -> Path:
    """The folder of the base data; made once where none is given."""
    if given is not None:
        return given
    if make is None:
        raise InputError("is missing.", field="dataset", hint="Give what the model was trained on: --dataset DIR")
    folder = data / "base-data"
    make(folder, _bank(parent))
    return folder


def _fitting(meta: Meta, folder: Path, parent: ModelFolder) -> Meta:
    """The base's meta, where it is of the model's cameras, kinds and commands."""
    config = LowLevelConfig.from_json(parent.description["low_level"])
    wanted = {
        "cameras": (meta.cameras, config.cameras),
        "number of kinds": (len(meta.kinds), config.kinds),
        "rate": ((meta.rate_hz, meta.frame_every), (config.rate_hz, config.frame_every)),
        "commands": (sorted({w.text for w in meta.commands} - set(_bank(parent))), []),
    }
    for what, (found, right) in wanted.items():
        if found != right:
            why = f"has other {what} than the model: {str(found)[:120]}, not {str(right)[:120]}."
            raise DatasetError(why, field=str(folder), hint="Give the data that this model was trained on: --dataset")
    return meta


def _bank(parent: ModelFolder) -> list[str]:
    return [str(text) for text in parent.description["bank"]]


def _codes(parent: ModelFolder, texts: Sequence[str]) -> Tensor:
    """Unit codes `(texts, 64)`: those of the bank as they are, others by the command encoder, as they act live."""
    bank = CommandBank(_bank(parent), parent.parts["high_level"]["bank"].numpy())
    unknown = [text for text in texts if text not in bank]
    made = dict(zip(unknown, _space(parent).codes(unknown).clone(), strict=True)) if unknown else {}
    return torch.stack([made[text] if text in made else torch.from_numpy(bank.code(text)) for text in texts])


def _space(parent: ModelFolder) -> CommandSpace:
    bank = CommandBank(_bank(parent), parent.parts["high_level"]["bank"].numpy())
    return restore_language(parent.parts["command_encoder"], parent.folder / "command_encoder.safetensors", bank)


def _near(parent: ModelFolder) -> Callable[[str], str]:
    """Which command of the bank new wording is nearest to."""

    space = cache(lambda: _space(parent))

    def near(text: str) -> str:
        return max(space().nearest(text, 1), key=lambda one: one.cosine).text

    return cache(near)


class _Work:
    """The folder of one run, named by all that makes it this run; it is removed when the version is there."""

    def __init__(
        self, data: Path, parent_name: str, parent: ModelFolder, lessons: Sequence[Lesson], options: Options
    ) -> None:
        # What was undone or marked since would be another run.
        segments = [repr(one) for lesson in lessons for one in lesson.found.segments]
        self.settings: dict[str, Any] = json.loads(
            json.dumps(
                {
                    "parent": [parent_name, parent.description["id"]],
                    "segments": hashlib.sha256("\n".join(segments).encode()).hexdigest()[:16],
                    "plan": asdict(options.plan),
                    "dataset": str(options.dataset or ""),
                }
            )
        )
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:12]
        self._folder = data / "low-level" / digest
        self.dataset, self.states = self._folder / "segments", self._folder / "states"

    def segments(self, lessons: Sequence[Lesson], meta: Meta) -> Written:
        """Write the dataset of the new segments."""
        shutil.rmtree(self.dataset, ignore_errors=True)
        commands = [
            {"text": w.text, "family": w.family, "train": list(w.train), "held_out": list(w.held_out)}
            for w in meta.commands
        ]
        return write_lessons(self.dataset, lessons, Template(meta.cameras, meta.kinds, commands))

    def groups(self) -> list[str]:
        """The recorded episode of each shard, in the order in which they are read."""
        names = sorted(path.stem for path in (self.dataset / "shards").glob("*.safetensors"))
        return [name.partition("-guided")[0] for name in names]

    def remove(self) -> None:
        """Begin anew, or tidy up."""
        shutil.rmtree(self._folder, ignore_errors=True)


class _one_thread:  # noqa: N801  (used as a function)
    """Small batches only wait for each other on several cores; and results do not depend on how many there are."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *exception: object) -> None:
        torch.set_num_threads(self._before)


# -- the version --------------------------------------------------------------------------------------------------


def _lineage(
    name: str,
    parent: ModelFolder,
    lessons: Sequence[Lesson],
    written: Written,
    options: Options,
    fitted: Fitted,
    reasons: list[str],
    seconds: float,
) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    for lesson in lessons:
        kinds.update(lesson.counts)
    scores = {
        **{f"base_{when}": _rounded(one) for when, one in zip(("before", "after"), fitted.base, strict=True)},
        **{f"new_{when}": _rounded(one) for when, one in zip(("before", "after"), fitted.new, strict=True)},
        "new_by_turn": [[round(value, 5) for value in pair] for pair in fitted.folds],
        "aims": [asdict(aim) for aim in fitted.aims],
    }
    return {
        "format": LINEAGE_FORMAT,
        "parent": name,
        "parent_id": parent.description["id"],
        "part": "low_level",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "strategy": options.plan.strategy,
        "seed": options.plan.seed,
        "steps": options.plan.steps,
        "margin_s": options.rules.margin_s,
        "events": [event for lesson in lessons for event in lesson.corrections],
        "sessions": [lesson.session.id for lesson in lessons],
        "counts": {"segments": written.segments, "frames": written.frames, **kinds},
        "gate": {"passed": not reasons, "reasons": reasons, "scores": scores},
    }


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in scores.items()}


def _write(into: Path, parent: ModelFolder, model: LowLevelPolicy, lineage: dict[str, Any], command: str) -> None:
    """The parent's folder with another low level, and where that came from. The high level sees on as it did."""
    first = {name: tensor for name, tensor in parent.parts["low_level"].items() if name in perception(model)}
    parts = {"low_level": model.state_dict(), EYES: parent.parts.get(EYES, first)}
    kept = ("parent", "sessions", "strategy", "seed", "steps", "counts", "gate")
    changes = {
        "command": "\n".join(part for part in (parent.description.get("command", ""), command) if part),
        "training": {**parent.description.get("training", {}), "hindsight": {key: lineage[key] for key in kept}},
    }
    write_changed(into, parent.folder, parts, changes)
    (into / "lineage.json").write_text(json.dumps(lineage, indent=1) + "\n", encoding="utf-8")


def _place(settings: Settings, options: Options, fill: Callable[[Path], None]) -> tuple[str, Path]:
    """Write the version where it belongs: its name and folder."""
    if options.out is None:
        models = settings.data_folder / "models"
        version = write_version(models, LETTER, fill)
        return version, models / version
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        fill(options.out)
        make_durable(options.out)
    except OSError as error:
        hint = "Free some space or choose another folder; run it again and it goes on."
        raise StorageError(f"{error.strerror}.", field=str(error.filename or options.out), hint=hint) from error
    return "", options.out


def as_text(learned: Learned) -> str:
    """What it came to, for people."""
    lines = [f"{'held-out loss':<34}{'before':>9}{'after':>9}"]
    for what, (before, after) in (("base segments", learned.fitted.base), ("new segments", learned.fitted.new)):
        lines.append(f"{what:<34}{before['loss']:>9.4f}{after['loss']:>9.4f}")
    if learned.fitted.aims:
        lines.append(f"\n{'beside where hands were led [cm]':<34}{'before':>9}{'after':>9}{'ways':>6}")
    for aim in learned.fitted.aims:
        then = f"{100 * aim.after:.1f}" if aim.after is not None else "known" if aim.known else "-"
        lines.append(f"{aim.command[:33]:<34}{100 * aim.before:>9.1f}{then:>9}{aim.ways:>6}")
    lines += [f"gate: {reason}" for reason in learned.reasons] or ["gate: passed"]
    where = learned.version or str(learned.folder)
    if learned.promoted:
        lines.append(f"{where} acts from now on; back with: hitl models rollback")
    else:
        lines.append(f"wrote {where}; it is not promoted; try it: hitl demo --model {learned.folder}")
    return "\n".join(lines)
