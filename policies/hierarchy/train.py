"""From a dataset folder to a model folder: command encoder, low level, high level, model card.

Training can be stopped at any moment and goes on where it was. Beside the model, `out/training/` keeps for each phase
the newest state and `log.jsonl`. Knows nothing of how the data was made or how models are served.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from policies.encoders import TextEncoder
from policies.errors import CheckpointError, DatasetError, PolicyError
from policies.hierarchy.checkpoint import add_scores, restore, write_model, write_tensors, write_text
from policies.hierarchy.command_encoder import CommandEncoder, measure
from policies.hierarchy.command_space import CommandSpace
from policies.hierarchy.dataset import CommandWords, Meta, Recordings, load_recordings
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy
from policies.hierarchy.high_level_training import HighLevelObjective, Moments, collect_moments
from policies.hierarchy.language import Language, train_language
from policies.hierarchy.loop import Phase, Progress, run_phase
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.low_level_training import LowLevelObjective, PhraseCodes
from policies.processes import Processes, processes_of

__all__ = ["Budget", "Progress", "add_scores", "train"]

PROBE_FAMILIES = ("pick", "place", "handover", "home")
SUMMARY = (
    "A hierarchical policy for the packing cell: a command encoder (words to a 64-D code), a low level (pictures, "
    "pose and code to a path and done) and a high level (the last seconds to the next command). Trained in "
    "simulation on a scripted expert; not for real robots."
)
_CODES = "codes of all wordings"
_LOW_LEVEL_SHARE = 0.85  # of a budget in minutes
_SEED_STEP = 1_000_003
"""Between two processes that train together, so that they draw other data."""

LanguageTrainer = Callable[[tuple[CommandWords, ...], int], tuple[Language, dict[str, Any]]]


@dataclass(frozen=True)
class Budget:
    """How long to train. Where `minutes` is given, each phase ends at its steps or at its share of the minutes."""

    low_level_steps: int = 8000
    high_level_steps: int = 2000
    minutes: float | None = None
    low_level_batch: int = 128
    high_level_batch: int = 256


def train(
    data: Path | str,
    out: Path | str,
    budget: Budget | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    command: str = "hitl train",
    language_trainer: LanguageTrainer = train_language,
    start_from: Path | str | None = None,
) -> dict[str, Any]:
    """Train on the dataset folder `data` and write the model folder `out`; returns what `model.json` says.

    Where several processes were started together (`accelerate launch`), all call this: they share the work, and the
    first one writes. threads: cores to use of each, default its share of all. resume: go on with what `out/training`
    holds of the same data and settings.
    start_from: a model folder whose words and low level are taken as they are and trained further, more gently.
    Raises DatasetError or CheckpointError naming the file that cannot be used; Ctrl-C saves and leaves.
    """
    run = _Training(Path(out), budget or Budget(), seed, processes_of(device), threads, resume, progress)
    if start_from is not None:
        run.base = read_base(Path(start_from))
        language_trainer = run.base.language
    recordings = load_recordings(Path(data), run.counted("data"))
    meta = recordings.meta
    words = run.words(meta, language_trainer)
    bank = words.phrases.codes[words.phrases.first]
    low_level, low_summary = run.low_level(recordings, words.phrases)
    probes = [at for at, _ in enumerate(meta.commands) if meta.commands[at].text in probe_texts(meta)]
    if not probes:
        raise DatasetError(f"no command is of a family in {PROBE_FAMILIES}.", field="meta.json")
    moments = collect_moments(recordings, low_level, bank[probes], run.device, run.counted("features"))
    chosen = set(moments.command.tolist())
    high_level, high_summary = run.high_level(moments, bank, recordings.fingerprint, len(probes))
    description = {
        "summary": SUMMARY,
        "command": command,
        "data": _data_facts(recordings),
        "sizes": _sizes(words.tensors, low_level, high_level),
        "training": {"seed": seed, "language": words.report, "low_level": low_summary, "high_level": high_summary},
        "low_level": low_level.config.to_json(),
        "high_level": high_level.config.to_json(),
        "probes": [meta.commands[at].text for at in probes],
        "bank": [words.text for words in meta.commands],
        "guiding": [words.text for at, words in enumerate(meta.commands) if at not in chosen],
    }
    parts = {
        "command_encoder": words.tensors,
        "low_level": low_level.state_dict(),
        "high_level": {**high_level.state_dict(), "bank": bank},
    }
    return run.together.same(write_model(Path(out), parts, description) if run.together.main else {})


def probe_texts(meta: Meta) -> set[str]:
    """Commands under which the high level looks at the scene: all picks, places and hand-overs, and one way home."""
    found: dict[str, list[str]] = {family: [] for family in PROBE_FAMILIES}
    for words in meta.commands:
        if words.family in found:
            found[words.family].append(words.text)
    return {text for family, texts in found.items() for text in (texts[:1] if family == "home" else texts)}


@dataclass(frozen=True)
class _Words:
    """The trained language: what a model folder keeps of it, its report, and the codes of all training wordings."""

    tensors: dict[str, Tensor]
    report: dict[str, Any]
    phrases: PhraseCodes


@dataclass(frozen=True)
class Base:
    """What training further begins with: the tensors of an earlier model's command encoder and low level."""

    name: str
    command_encoder: dict[str, Tensor]
    low_level: dict[str, Tensor]

    def language(self, commands: Sequence[CommandWords], seed: int) -> tuple[Language, dict[str, Any]]:
        """The earlier model's words; measured again on these commands."""
        text_encoder = TextEncoder()
        encoder = CommandEncoder.from_tensors(self.command_encoder)
        report = measure(encoder, [asdict(words) for words in commands], text_encoder)
        return CommandSpace(encoder, text_encoder), report.to_json()


def read_base(folder: Path) -> Base:
    """Words and low level of a model folder. CheckpointError names the file that is missing or damaged."""
    parts = {}
    for part in ("command_encoder", "low_level"):
        path = folder / f"{part}.safetensors"
        try:
            parts[part] = load_file(path)
        except (OSError, SafetensorError) as problem:
            raise CheckpointError(f"cannot be read ({problem}).", field=str(path)) from problem
    return Base(folder.name, **parts)


class _Training:
    """Where, for how long and on what to train; runs the phases."""

    base: Base | None = None

    def __init__(
        self,
        out: Path,
        budget: Budget,
        seed: int,
        together: Processes,
        threads: int | None,
        resume: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        if threads is not None and threads < 1:
            raise PolicyError(f"{threads} is not a number of cores.", field="threads", hint="Give 1 or more.")
        self.together, self.device = together, together.device
        self._out, self._budget, self._seed = out, budget, seed
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        self._threads = threads or max(1, cores // together.beside)
        self._resume, self._progress = resume, progress if together.main else None

    def counted(self, phase: str) -> Callable[[int, int], None]:
        """Progress of something that is counted, not trained."""

        def report(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(Progress(phase, done, done / total, float("nan"), float("nan"), 0.0))

        return report

    def words(self, meta: Meta, language_trainer: LanguageTrainer) -> _Words:
        """Learn the language, or take the one that an earlier run of the same words and seed has learned.

        Taken, not learned again: the saved low level knows these very codes, to the last digit.
        """
        phrases = [[words.text, *(text for text in words.train if text != words.text)] for words in meta.commands]
        count = torch.tensor([len(texts) for texts in phrases])
        texts = [text for group in phrases for text in group]
        found = self._language(texts, meta, language_trainer) if self.together.main else None
        found = self.together.same(found)
        assert found is not None
        tensors = dict(found[0])
        codes = tensors.pop(_CODES)
        return _Words(tensors, found[1], PhraseCodes(codes, torch.cumsum(count, 0) - count, count))

    def _language(
        self, texts: list[str], meta: Meta, language_trainer: LanguageTrainer
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, with the codes of these texts, and report."""
        settings = {"words": hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16], "seed": self._seed}
        kept = self._out / "training" / "language"
        found = _read_words(kept, settings) if self._resume else None
        if found is None:
            language, report = language_trainer(meta.commands, self._seed)
            # Codes made in inference mode cannot take part in training; their copies can.
            found = {**language.tensors(), _CODES: language.codes(texts).clone()}, report
            kept.mkdir(parents=True, exist_ok=True)
            write_tensors(kept / "words.safetensors", found[0], "hitl-training-words")
            write_text(kept / "words.json", json.dumps({"settings": settings, "report": report}, indent=1) + "\n")
        return found

    def low_level(self, data: Recordings, phrases: PhraseCodes) -> tuple[LowLevelPolicy, dict[str, Any]]:
        torch.manual_seed(self._seed)
        meta = data.meta
        config = LowLevelConfig(
            meta.cameras, len(meta.kinds), meta.rate_hz, meta.frame_every, code=phrases.codes.shape[1]
        )
        model = LowLevelPolicy(config).to(self.device)
        objective = LowLevelObjective(model, data, phrases, self.device, self._drawing_seed)
        objective.fit_scales()
        digest = hashlib.sha256(phrases.codes.numpy().tobytes()).hexdigest()[:16]
        settings = {"data": data.fingerprint, "codes": digest, "seed": self._seed, "config": config.to_json()}
        rate = 1e-3
        if self.base is not None:
            restore(model, self.base.low_level, Path(self.base.name) / "low_level.safetensors")
            settings["base"] = self.base.name
            rate = 6e-4
        phase = self._phase("low_level", self._budget.low_level_steps, self._budget.low_level_batch, rate, settings)
        summary = self._run(phase, model, objective)
        return model, {**summary, "held_out": objective.check()}

    def high_level(
        self, moments: Moments, bank: Tensor, fingerprint: str, probes: int
    ) -> tuple[HighLevelPolicy, dict[str, Any]]:
        torch.manual_seed(self._seed)
        config = HighLevelConfig(features=moments.features.shape[1], code=bank.shape[1])
        model = HighLevelPolicy(config).to(self.device)
        objective = HighLevelObjective(model, moments, bank, self.device, self._drawing_seed)
        objective.fit_scales()
        digest = hashlib.sha256(moments.features[:64].numpy().tobytes() + bank.numpy().tobytes()).hexdigest()[:16]
        settings = {"data": fingerprint, "features": digest, "probes": probes, "seed": self._seed}
        phase = self._phase("high_level", self._budget.high_level_steps, self._budget.high_level_batch, 3e-4, settings)
        summary = self._run(phase, model, objective)
        return model, {**summary, "held_out": objective.check()}

    @property
    def _drawing_seed(self) -> int:
        return self._seed + _SEED_STEP * self.together.index

    def _phase(self, name: str, steps: int, batch: int, rate: float, settings: dict[str, Any]) -> Phase:
        minutes = self._budget.minutes
        if minutes is not None:
            minutes *= _LOW_LEVEL_SHARE if name == "low_level" else 1 - _LOW_LEVEL_SHARE
        # Through JSON, because that is how a saved state remembers them.
        same = json.loads(json.dumps(settings))
        return Phase(name, self._out / "training" / name, steps, minutes, rate, batch, same)

    def _run(self, phase: Phase, model: Any, objective: Any) -> dict[str, Any]:
        return run_phase(
            phase,
            model,
            objective,
            device=self.device,
            threads=self._threads,
            resume=self._resume,
            progress=self._progress,
            processes=self.together,
        )


def _read_words(folder: Path, settings: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and report that an earlier run kept; None where none has these settings, or where they are damaged."""
    try:
        record = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        if record["settings"] != settings:
            return None
        return load_file(str(folder / "words.safetensors")), record["report"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _data_facts(data: Recordings) -> dict[str, Any]:
    return {
        "fingerprint": data.fingerprint,
        "episodes": len(data.held_out),
        "held_out_episodes": int(data.held_out.sum()),
        "frames": data.frames,
        "segments": len(data.segments.command),
        "commands": len(data.meta.commands),
        "cameras": {name: list(size) for name, size in data.meta.cameras.items()},
    }


def _sizes(language: dict[str, Tensor], low_level: LowLevelPolicy, high_level: HighLevelPolicy) -> dict[str, int]:
    counted = {
        "command_encoder": language.values(),
        "low_level": low_level.state_dict().values(),
        "high_level": high_level.state_dict().values(),
    }
    return {f"{name}_numbers": sum(tensor.numel() for tensor in tensors) for name, tensors in counted.items()}
