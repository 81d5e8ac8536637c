"""The high level's online updates in the learner's process: what is taught on disk -> a gated version, promoted.

An update reads feedback log and moments, learns, judges, writes a version with its lineage, and moves the pointer, in
this order; where any of it fails, the version that acts stays the one that is learned on from. Needs torch, which is
imported with the first update. Knows no threads and no messages but what it answers with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hitl.backend.lineage import GateRecord, Lineage, described
from hitl.backend.policy_examples import TaughtExamples, TaughtNow
from hitl.backend.registry import ModelRegistry
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.correction_examples import CorrectionExample, ExampleRules, Lacking
from hitl.errors import CheckpointError
from hitl.model_messages import Learned, TeachNothing

if TYPE_CHECKING:
    from hitl.backend.policy_learner import Learnt, PolicyLearner
    from hitl.backend.update_place import UpdatesThere
    from hitl.jobs import Place
    from policies.hierarchy.policy import HierarchicalPolicy

log = logging.getLogger("hitl.learner")

_GUIDES = "it guides a hand"
"""Why a small motion teaches the high level nothing."""
_Fingerprint = tuple[tuple[str, int, str, str, float], ...]


@dataclass(frozen=True)
class LearningOptions:
    """How updates learn; the settings of the same names say more."""

    rules: ExampleRules = field(default_factory=ExampleRules)
    strategy: str = "replay"
    replay_share: float = 0.5
    gate_margin: float = 0.02
    learn_guidance: bool = False
    seed: int = 0
    device: str = "cpu"


def options_of(settings: Settings) -> LearningOptions:
    """The learner's part of the settings."""
    return LearningOptions(
        ExampleRules(margin_s=settings.margin_s),
        settings.strategy,
        settings.replay_share,
        settings.gate_margin,
        settings.learn_guidance,
    )


@dataclass
class _Loaded:
    """The base version in memory, and what learns on from it."""

    base: str
    features: str
    policy: HierarchicalPolicy
    learner: PolicyLearner
    there: UpdatesThere | None = None


class PolicyPart:
    """Not safe from several threads. Whoever calls `update` holds the registry's lock. place: where the gradient work
    of an update runs; None: here."""

    def __init__(
        self, registry: ModelRegistry, taught: TaughtExamples, options: LearningOptions, place: Place | None = None
    ) -> None:
        self._registry, self._taught, self._options, self._place = registry, taught, options, place
        self._loaded: _Loaded | None = None
        self._acting = ""
        self._commands: dict[str, str] = {}
        """Correction -> command, of what the version that acts knows."""
        self._anew: _Fingerprint | None = None
        """What was learned anew last."""
        self._tried: _Fingerprint | None = None
        """What was learned from last, whether or not it passed."""
        self._said: set[str] = set()
        self._silent: tuple[str, dict[str, str]] = ("", {})
        """Session, and which of its corrections teach nothing, as read last."""

    def prepare(self) -> None:
        """Load what is learned on from, which takes seconds the first time; else follow what people promoted. Raises
        CheckpointError and PolicyError naming the file that cannot be used."""
        name = self._registry.current().name
        base = self._registry.base_of(name)
        if self._loaded is None or self._loaded.base != base.name:
            if self._loaded is not None and self._loaded.there is not None:
                self._loaded.there.close()
            self._loaded = None
            self._loaded = _load(base.name, base.folder, self._options, self._place)
            self._acting, self._commands, self._anew, self._tried = base.name, {}, None, None
        if name != self._acting:
            self._take(self._loaded, name)

    def missed(self) -> bool:
        """Whether a correction is in no version, or the version that acts knows one that teaches no more: something
        happened while nobody learned. What people rolled back is not learned by itself again."""
        self.prepare()
        assert self._loaded is not None
        now = self._read(self._loaded.features)
        base = self._loaded.base
        seen: set[str] = set()
        for version in self._registry.versions():
            lineage = self._registry.lineage(version.name)
            if lineage.base == base:
                seen.update(lineage.events)
        acting = self._registry.lineage(self._acting)
        known = set(acting.events) if acting.part == "high_level" else set()
        return bool(set(now.commands) - seen) or bool(known - set(now.commands))

    @property
    def silent(self) -> TeachNothing:
        """Which corrections of the newest session teach nothing, as of the last update."""
        session, reasons = self._silent
        return TeachNothing(id=new_ulid(), session=session, reasons=reasons)

    def update(self, *, anew: bool, stop: Callable[[], bool] = lambda: False) -> Learned | None:
        """Learn from all that is taught now. None where nothing is new, or where `stop`, which is asked before every
        step, ended it. anew: from the base weights, so that equal examples give equal weights.

        Raises StorageError, CheckpointError, PolicyError; then nothing was promoted, and the next update tries again.
        """
        self.prepare()
        loaded = self._loaded
        assert loaded is not None
        now = self._read(loaded.features)
        fingerprint = _fingerprint(now.examples)
        same = fingerprint == (self._anew if anew else self._tried)
        if same or not (now.commands or self._commands):
            return None
        changed = any(now.commands.get(name) != command for name, command in self._commands.items())
        before, acting = loaded.learner.promoted, dict(self._commands)
        stopped = False

        def asked() -> bool:
            nonlocal stopped
            stopped = stopped or stop()
            return stopped

        try:
            learnt = loaded.learner.learn(now.examples, now.tasks, anew=anew or changed, stop=asked)
            if learnt is None or stopped:
                loaded.learner.take(before, sorted(acting))
                return None
            learned = self._keep(loaded, learnt, now)
        except BaseException:
            loaded.learner.take(before, sorted(acting))
            raise
        self._tried = fingerprint
        if learnt.anew:
            self._anew = fingerprint
        if learned.promoted:
            self._acting, self._commands = learned.version.name, dict(now.commands)
        return learned

    # -- parts of it ----------------------------------------------------------------------------------------------

    def _read(self, features: str) -> TaughtNow:
        now = self._taught.read(features)
        for problem in now.problems:
            self._say_once(problem)
        now = now if self._options.learn_guidance else self._without_guidance(now)
        for lacking in now.lacking:
            self._say_once(f"correction {lacking.correction} teaches the high level nothing: {lacking.reason}")
        self._silent = now.newest, {x.correction: x.reason for x in now.lacking if x.correction in now.of_newest}
        return now

    def _without_guidance(self, now: TaughtNow) -> TaughtNow:
        """Small motions act, and the low level may learn from them; the high level does not."""
        assert self._loaded is not None
        guiding = self._loaded.learner.learner.guiding
        left_out = {name for name, command in now.commands.items() if command in guiding}
        lacking = [Lacking(name, _GUIDES) for name in sorted(left_out)]
        return replace(
            now,
            examples=[example for example in now.examples if example.command not in guiding],
            commands={name: command for name, command in now.commands.items() if name not in left_out},
            tasks={name: task for name, task in now.tasks.items() if name not in left_out},
            lacking=[*now.lacking, *lacking],
        )

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            log.warning("%s", text)

    def _take(self, loaded: _Loaded, name: str) -> None:
        """A person promoted it, or it acted when this process began: learn on from it."""
        from policies.hierarchy.checkpoint import read_part, restore
        from policies.hierarchy.high_level import HighLevelPolicy

        lineage = self._registry.lineage(name)
        if name == loaded.base:
            model, events = loaded.learner.learner.first_and_newest()[0], []
        else:
            folder = self._registry.version(name).folder
            weights = read_part(folder, "high_level")
            weights.pop("bank", None)
            model, events = HighLevelPolicy(loaded.policy.high_level.config).eval(), lineage.events
            restore(model, weights, folder / "high_level.safetensors")
        loaded.learner.take(model, sorted(events))
        now = self._read(loaded.features)
        self._acting, self._anew, self._tried = name, None, None
        self._commands = {event: now.commands.get(event, "") for event in events}

    def _keep(self, loaded: _Loaded, learnt: Learnt, now: TaughtNow) -> Learned:
        lineage = self._lineage(loaded, learnt, now)

        def fill(folder: Path) -> None:
            _write(folder, self._registry.version(loaded.base).folder, learnt, loaded.learner)

        version = self._registry.write(fill, lineage)
        if learnt.verdict.passed:
            self._registry.promote(version.name)
        newest = learnt.corrections[-1] if learnt.corrections else ""
        what = "promoted" if learnt.verdict.passed else f"kept, not promoted: {' '.join(learnt.verdict.reasons)}"
        log.info("%s from %d corrections, %s", version.name, len(learnt.corrections), what)
        return Learned(
            id=new_ulid(),
            version=described(version.name, lineage),
            promoted=learnt.verdict.passed,
            newest_event=newest,
        )

    def _lineage(self, loaded: _Loaded, learnt: Learnt, now: TaughtNow) -> Lineage:
        options, verdict = self._options, learnt.verdict
        taught = sum(bool(example.correction) for example in now.examples)
        return Lineage(
            parent=loaded.base if learnt.anew else self._acting,
            base=loaded.base,
            part="high_level",
            made=datetime.now(UTC).isoformat(timespec="milliseconds"),
            seconds=round(learnt.seconds, 3),
            strategy=options.strategy,
            seed=options.seed,
            events=list(learnt.corrections),
            sessions=now.sessions,
            counts={
                "corrections": len(learnt.corrections),
                "examples": learnt.examples,
                "taught": taught,
                "held_out": loaded.learner.learner.held_out,
            },
            new_commands=list(learnt.added),
            gate=GateRecord(passed=verdict.passed, reasons=list(verdict.reasons), scores=dict(verdict.scores)),
        )


def _fingerprint(examples: Sequence[CorrectionExample]) -> _Fingerprint:
    return tuple((e.correction, e.session_ns, e.command, e.rejected, e.weight) for e in examples)


def _load(name: str, folder: Path, options: LearningOptions, place: Place | None) -> _Loaded:
    """The base version with its sample, ready to learn."""
    import torch

    from hitl.backend.models import features_of
    from hitl.backend.policy_learner import GateRules, PolicyLearner
    from hitl.backend.update_place import UpdatesThere
    from policies.errors import PolicyError
    from policies.hierarchy import base_moments
    from policies.hierarchy.high_level_learner import HighLevelLearner, LearnerSettings
    from policies.hierarchy.policy import HierarchicalPolicy

    torch.set_num_threads(1)  # small tensors; and the cores are the robot's and the controller's
    try:
        policy = HierarchicalPolicy.load(folder, device=options.device)
        moments, commands = base_moments.load(folder / base_moments.FILE)
        bank = {text: torch.from_numpy(policy.bank.code(text)) for text in policy.bank.texts}
        settings = LearnerSettings(strategy=options.strategy, share=options.replay_share, seed=options.seed)
        base = base_moments.renumbered(moments, commands, policy.bank.texts)
        learner = HighLevelLearner(policy.high_level, bank, base, settings)
    except PolicyError as error:
        hint = "Corrections are kept, and learned when this is mended."
        raise CheckpointError(str(error), field=str(folder), hint=hint) from error
    there = UpdatesThere.at(place, learner, policy.high_level, bank, base, settings) if place is not None else None
    made = PolicyLearner(
        learner,
        lambda text: torch.from_numpy(policy.embed(text)),
        GateRules(options.gate_margin),
        update=there,
    )
    return _Loaded(name, features_of(policy), policy, made, there)


def _write(folder: Path, base: Path, learnt: Learnt, learner: PolicyLearner) -> None:
    """The base's model with another high level and bank."""
    import torch

    from policies.hierarchy.checkpoint import write_changed

    bank = learner.learner.bank
    weights: dict[str, Any] = {**learnt.model.state_dict(), "bank": torch.stack(list(bank.values()))}
    write_changed(folder, base, {"high_level": weights}, {"bank": list(bank)})
