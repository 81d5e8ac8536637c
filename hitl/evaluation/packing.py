"""`hitl evaluate packing`: is the box packed, as trained and under shifts, without help, with corrections, and without
help again after learning from corrections? And by the published ablations (`packing_policies.py`)?

"base": the two policies alone. "corrected": the oracle corrector watches and types, and its words take the path of a
person's words: grounding, feedback log, controller. "learned": a learner of its own for each shift and seed is
corrected for a few rounds while it learns (`packing_learning.py`), and then acts alone. Layouts are the same in all
modes, so differences are paired; those that teach are others.

Every finished job is a line of a file in `out`; who runs the command again goes on there. What other policies did on
the same layouts, and what was played there in other modes, is told beside.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hitl.backend.parts import Rules
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_episode import TEACHING, LearnJob, run_episode
from hitl.evaluation.packing_summary import CONDITIONS, HIERARCHY, MODES, Episode, Learner, print_table, summarize
from hitl.jobs import Place, place_of
from robot.aloha.cell import AlohaCell

if TYPE_CHECKING:
    from hitl.evaluation.packing_learning import Weights

EPISODES = "episodes.jsonl"
LEARNERS = "learners.jsonl"
BASE = "base-data"


class Job(msgspec.Struct, frozen=True):
    """One episode that measures. weights: of a learner; empty for the policies as they are."""

    mode: str
    condition: str
    seed: int
    number: int
    variant: str = "default"
    learner: str = ""
    weights: str = ""
    policy: str = HIERARCHY


@dataclass(frozen=True)
class Plan:
    """What is measured, and how often. nominal_after: nominal episodes of each learner, to see what it forgot; policy:
    of `packing_policies.POLICIES`."""

    modes: Sequence[str] = ("base", "corrected")
    conditions: Sequence[str] = CONDITIONS
    episodes: int = 20
    seeds: Sequence[int] = (0,)
    variants: Sequence[str] = ("default",)
    rounds: int = 3
    round_episodes: int = 4
    budget: int = 60
    nominal_after: int = 10
    out: Path | None = None
    workers: int | None = None
    on: str = "processes"
    """Where episodes are played and learners learn; see `hitl.jobs.place_of`."""
    policy: str = HIERARCHY


@dataclass
class _Worker:
    """What a worker process keeps: the loop, and the weights that the model was loaded with, where it can learn."""

    loop: Lockstep
    first: Weights | None = None
    weights: str = ""


_worker: _Worker | None = None


def _worker_of(settings: Settings, policy: str) -> _Worker:
    global _worker
    if _worker is None:
        from hitl.evaluation.packing_learning import weights_of
        from hitl.evaluation.packing_policies import LEARNING, load_policy

        cell, rules = AlohaCell(0), Rules()
        loop = Lockstep(load_policy(settings, policy, cell, rules), cell, rules)
        _worker = _Worker(loop, weights_of(loop) if policy in LEARNING else None)
    return _worker


def _work(settings: Settings, what: Job | LearnJob) -> Episode | Learner:
    """One job in a worker process, which keeps its cell and model."""
    from hitl.evaluation import packing_learning

    worker = _worker_of(settings, what.policy)
    if isinstance(what, LearnJob):
        assert worker.first is not None
        packing_learning.use_weights(worker.loop, None, worker.first)
        worker.weights = ""
        learned = packing_learning.learn(settings, worker.loop, what)
        packing_learning.use_weights(worker.loop, None, worker.first)
        return learned
    if worker.weights != what.weights:
        assert worker.first is not None
        packing_learning.use_weights(worker.loop, Path(what.weights) if what.weights else None, worker.first)
        worker.weights = what.weights
    mode = "corrected" if what.mode == "corrected" else "base"
    done = run_episode(worker.loop, mode, what.condition, what.seed, what.number)
    return msgspec.structs.replace(
        done, mode=what.mode, variant=what.variant, learner=what.learner, policy=what.policy
    )


def run(settings: Settings, plan: Plan, progress: Callable[[str, int, int], None] | None = None) -> dict:
    """All of `plan`; returns what the JSON line holds. Raises InputError for an unknown shift, mode, variant or
    policy, where the policy cannot do what is asked, and where a learner in `out` has episodes to play and no weights.
    """
    _check(settings, plan)
    with tempfile.TemporaryDirectory() as scratch, place_of(plan.on, plan.workers) as place:
        out = (plan.out or Path(scratch)).absolute()
        out.mkdir(parents=True, exist_ok=True)
        settings = _checked_place(place, settings, out)
        learners = _read(out / LEARNERS, Learner)
        mine = [learner for learner in learners if learner.policy == plan.policy]
        wanted = [job for job in learn_jobs(plan, out) if not any(_same(job, learner) for learner in mine)]
        if any(job.base for job in wanted):
            make_base(out / BASE, progress)
        learners += _all(settings, wanted, out / LEARNERS, place, "learners", progress)
        episodes = _read(out / EPISODES, Episode)
        have = {(e.policy, _key(e)) for e in episodes}
        jobs = [job for job in episode_jobs(plan, out) if (job.policy, _key(job)) not in have]
        _check_weights(jobs, out)
        episodes += _all(settings, jobs, out / EPISODES, place, "episodes", progress)
    beside = replace(plan, modes=MODES)  # what was played before in other modes, on the same layouts, is told, too
    planned = {_key(job) for job in episode_jobs(beside, out)}
    chosen = [e for e in episodes if _key(e) in planned]
    return summarize(chosen, [one for job in learn_jobs(beside, out) for one in learners if _same(job, one)])


def _check_weights(jobs: Iterable[Job], out: Path) -> None:
    """Weights take room, so people keep the results without them; then what is missing cannot be played."""
    for job in jobs:
        if job.weights and not Path(job.weights).is_file():
            raise InputError(
                f"the learner of {job.learner}, seed {job.seed}, has episodes to play, and its weights are not there.",
                field=job.weights,
                hint=f"To have it learn again, take its lines out of {out / LEARNERS} and {out / EPISODES}.",
            )


def _checked_place(place: Place, settings: Settings, out: Path) -> Settings:
    """The settings as they go to a cluster, whose machines must see the folder of results and the same model. Raises
    InputError that names what they do not see."""
    from hitl.backend.models import model_folder
    from hitl.backend.registry import MODEL_FILE, packaged_model

    if not place.other_machines:
        return settings
    folder = model_folder(settings)[1].absolute()
    if folder != packaged_model().absolute():
        place.check_shared([out], [folder / MODEL_FILE])
        return msgspec.structs.replace(settings, model=str(folder))
    place.check_shared([out])
    wanted = _shipped()
    for machine, found in place.everywhere(_shipped).items():
        if found != wanted:
            hint = "Install the same hitl on all machines of the cluster."
            raise InputError(f"another model ships with hitl on {machine}.", field="model", hint=hint)
    return msgspec.structs.replace(settings, model="", data=str(out))  # no version of that machine's own acts


def _shipped() -> str:
    """Which model ships with the hitl of this machine."""
    from hitl.backend.registry import MODEL_FILE, packaged_model

    return hashlib.sha256((packaged_model() / MODEL_FILE).read_bytes()).hexdigest()


def make_base(folder: Path, progress: Callable[[str, int, int], None] | None) -> None:
    """Base data that low levels must not forget, of layouts that nothing else has; what is there is kept."""
    from hitl.low_level_learning import BASE_EPISODES, BASE_SEED
    from robot.aloha.generate import generate

    def made(done: int, episodes: int, _frames: int, _segments: int) -> None:
        if progress:
            progress("episodes of base data", done, episodes)

    generate(folder, BASE_EPISODES, seed=BASE_SEED, progress=made)


def learn_jobs(plan: Plan, out: Path) -> list[LearnJob]:
    """The learners of a plan; those of shifts with little to learn come last."""
    if "learned" not in plan.modes:
        return []
    of = "" if plan.policy == HIERARCHY else f"{plan.policy}-"
    return [
        LearnJob(
            condition,
            seed,
            variant,
            plan.rounds,
            plan.round_episodes,
            plan.budget,
            str(out / f"{of}{variant}-{condition}-{seed}.safetensors"),
            plan.policy,
            str(out / BASE),
        )
        for variant in plan.variants
        for seed in plan.seeds
        for condition in plan.conditions
        if condition != "nominal"
    ]


def episode_jobs(plan: Plan, out: Path) -> list[Job]:
    """The episodes of a plan that measure."""
    numbers = range(plan.episodes)
    jobs = [
        Job(mode, condition, seed, number, policy=plan.policy)
        for number in numbers
        for seed in plan.seeds
        for condition in plan.conditions
        for mode in plan.modes
        if mode != "learned"
    ]
    for learner in learn_jobs(plan, out):
        what = (learner.variant, learner.condition, learner.weights)
        jobs += [Job("learned", learner.condition, learner.seed, number, *what, plan.policy) for number in numbers]
        after = range(plan.nominal_after)
        jobs += [Job("learned", "nominal", learner.seed, number, *what, plan.policy) for number in after]
    return jobs


def _key(one: Job | Episode) -> tuple:
    """What was played, whichever policy did."""
    return one.mode, one.condition, one.seed, one.number, one.variant, one.learner


def _same(job: LearnJob, learner: Learner) -> bool:
    """Whether this learner did this job, whichever policy it was."""
    asked = (job.condition, job.seed, job.variant, job.rounds, job.budget)
    return asked == (learner.condition, learner.seed, learner.variant, len(learner.rounds), learner.budget)


def _all(
    settings: Settings,
    jobs: Sequence[Job | LearnJob],
    path: Path,
    place: Place,
    what: str,
    progress: Callable[[str, int, int], None] | None,
) -> list:
    """Do all jobs at the place; each that is done is written down at once."""
    if not jobs:
        return []
    done = []
    with path.open("ab") as file:
        for result in place.each(_work, [(settings, job) for job in jobs]):
            done.append(result)
            file.write(msgspec.json.encode(result) + b"\n")
            file.flush()
            if progress:
                progress(what, len(done), len(jobs))
    return done


def _read(path: Path, kind: type) -> list:
    """Lines of an earlier run. A last line that was cut off is taken away, so that the next one stands alone."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    found: list = []
    for at, line in enumerate(lines):
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except msgspec.MsgspecError as error:
            if at < len(lines) - 1:
                hint = "Remove the line, or choose an empty folder with --out."
                raise InputError(f"line {at + 1} cannot be read ({error}).", field=str(path), hint=hint) from error
            path.write_bytes(b"".join(whole + b"\n" for whole in lines[:-1]))
    return found


def _check(settings: Settings, plan: Plan) -> None:
    from hitl.evaluation import packing_policies
    from hitl.evaluation.packing_learning import VARIANTS

    check_names("shift", plan.conditions, CONDITIONS)
    check_names("mode", plan.modes, MODES)
    check_names("variant", plan.variants, VARIANTS)
    if plan.episodes > TEACHING:
        raise InputError(f"{plan.episodes} is too many.", field="episodes", hint=f"Give at most {TEACHING}.")
    packing_policies.check(settings, plan.policy, plan.modes)


def check_names(field_name: str, names: Sequence[str], known: Iterable[str]) -> None:
    """Raises InputError for a name that is not known."""
    for name in names:
        if name not in known:
            raise InputError(
                f"there is no {field_name} {name!r}.", field=field_name, hint=f"Use some of: {', '.join(known)}."
            )


def main(settings: Settings, plan: Plan, picture: Path | None = None) -> dict:
    """The command: progress to standard error, tables, a picture where it is wanted, and the JSON object as the last
    line."""

    def progress(what: str, done: int, total: int) -> None:
        print(f"\r{done}/{total} {what}", end="" if done < total else "\n", file=sys.stderr, flush=True)

    result = run(settings, plan, progress)
    print_table(result)
    if picture is not None:
        from hitl.evaluation import packing_picture

        packing_picture.draw(picture, result if plan.policy == HIERARCHY else result["policies"][plan.policy])
    print(json.dumps(result))
    return result
