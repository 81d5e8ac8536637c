"""`hitl train` and `hitl train low-level`: here, at another place (`--on`), or in several processes that share the
work (`accelerate launch -m hitl.cli train …`); and what trains one part alone. Thin and lazy, too."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hitl.cli_shared import EXIT_OK, need, need_simulator, print_json, settings_of
from hitl.errors import ConfigError

if TYPE_CHECKING:
    from hitl.config import Settings
    from hitl.jobs import Place
    from hitl.low_level_learning import Learned, Options
    from policies.hierarchy.loop import Progress

Told = Callable[[Any], None]


def _train(arguments: Namespace) -> int:
    for option in ("dataset", "out"):
        if getattr(arguments, option) is None:
            raise ConfigError("is needed.", field=f"--{option}", hint="For sessions: hitl train low-level --from …")
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
    from policies.hierarchy.train import Budget

    steps = {"low_level_steps": arguments.low_level_steps, "high_level_steps": arguments.high_level_steps}
    given = {
        "data": arguments.dataset.absolute(),
        "out": arguments.out.absolute(),
        "budget": Budget(minutes=arguments.minutes, **{name: count for name, count in steps.items() if count}),
        "seed": arguments.seed,
        "device": settings.device,
        "threads": arguments.threads,
        "resume": not arguments.restart,
        "command": "\n".join((*_data_command(arguments.dataset), _command())),
        "start_from": arguments.start_from.absolute() if arguments.start_from else None,
    }
    with _place_of(arguments.on) as place:
        if place.other_machines:
            files = [given["data"] / "meta.json"]
            if given["start_from"] is not None:
                files.append(given["start_from"] / "model.json")
            place.check_shared([given["out"]], files)
        place.run(train_job, given, told=show_training, device=settings.device)
    if _speaks():
        print(f"\nwrote {arguments.out}; try it: hitl demo --model {shlex.quote(str(arguments.out))}")
    return EXIT_OK


def train_job(given: dict[str, Any], told: Told) -> None:
    """`hitl train` as a job. A repeated one goes on from the last saved state."""
    from policies.hierarchy.train import train

    train(**given, progress=told)


def _train_low_level(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
    if arguments.out is not None and arguments.promote:
        raise ConfigError("goes with versions.", field="--promote", hint="Leave --out away.")
    from hitl import low_level_learning
    from hitl.hindsight import Rules
    from policies.hierarchy.low_level_update import Plan

    def told(said: tuple[str, Any]) -> None:
        kind, what = said
        if kind == "progress":
            _show_update(*what)
            return
        warning, table = what
        if warning:
            print(f"hitl: {warning}", file=sys.stderr)
        print(table)

    options = low_level_learning.Options(
        arguments.sessions,
        arguments.dataset.absolute() if arguments.dataset else None,
        Plan(arguments.strategy, arguments.steps, seed=arguments.seed),
        Rules(margin_s=arguments.margin),
        out=arguments.out.absolute() if arguments.out else None,
        promote=arguments.promote,
        restart=arguments.restart,
    )
    with _place_of(arguments.on) as place:
        if place.other_machines:
            settings = _shared(place, settings, options)
        found = place.run(low_level_job, settings, options, _command(), told=told)
    print(f"\n{low_level_learning.as_text(found)}")
    return print_json(found.lineage) if arguments.json else EXIT_OK


def low_level_job(settings: Settings, options: Options, command: str, told: Told) -> Learned:
    """`hitl train low-level` as a job; tells what each session teaches, in words, and how far it is."""
    from hitl import low_level_learning, session_hindsight

    def lesson(one: session_hindsight.Lesson) -> None:
        told(("lesson", (session_hindsight.warning(one), session_hindsight.as_table(one))))

    def progress(what: str, done: int, count: int, loss: float) -> None:
        told(("progress", (what, done, count, loss)))

    return low_level_learning.learn_low_level(
        settings, options, make_base=partial(_make_base, progress), command=command, told=lesson, progress=progress
    )


def _make_base(progress: Callable[[str, int, int, float], None], folder: Path, bank: Sequence[str]) -> None:
    """What the packing cell's policies were trained on, in small."""
    need_simulator()
    from hitl.low_level_learning import BASE_EPISODES, BASE_SEED
    from robot.aloha.generate import generate
    from robot.aloha.grammar import COMMANDS

    if missing := {command.text for command in COMMANDS} - set(bank):
        why = f"is needed: the model is not of the packing cell (it does not know {sorted(missing)[0]!r})."
        raise ConfigError(why, field="--dataset", hint="Give what the model was trained on.")

    def made(done: int, episodes: int, _frames: int, _segments: int) -> None:
        progress("base data, made once", done, episodes, math.nan)

    generate(folder, BASE_EPISODES, seed=BASE_SEED, progress=made)


def _train_high_level(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
    from hitl.backend.models import model_folder
    from policies.hierarchy.train_high_level import Plan, train_high_level

    made = train_high_level(
        arguments.dataset,
        model_folder(settings)[1],
        arguments.out,
        Plan(arguments.output, arguments.steps, seed=arguments.seed),
        device=settings.device,
        threads=arguments.threads,
        resume=not arguments.restart,
        progress=show_training,
        command=_command(),
    )
    held_out = made["training"]["high_level"]["held_out"]
    if held_out:
        share, count = held_out["held_out_accuracy"], held_out["held_out_moments"]
        print(f"\nit answers {share:.1%} of {count} moments that it never saw as the expert did")
    print(f"wrote {arguments.out}; try it: hitl demo --model {shlex.quote(str(arguments.out))}")
    return EXIT_OK


def _train_flat(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
    from policies.hierarchy.train_flat import Plan, train_flat

    made = train_flat(
        arguments.dataset,
        arguments.out,
        Plan(arguments.steps, arguments.minutes, seed=arguments.seed),
        start_from=arguments.start_from,
        device=settings.device,
        threads=arguments.threads,
        resume=not arguments.restart,
        progress=show_training,
        command=_command(),
    )
    summary, where = made["training"]["low_level"], shlex.quote(str(arguments.out))
    print(f"\n{summary['steps']} steps on {made['data']['task_episodes']} episodes of the task")
    print(f"wrote {arguments.out}; measure it: hitl evaluate packing --mode base --policy flat --model {where}")
    return EXIT_OK


# -- where it runs ------------------------------------------------------------------------------------------------


def _place_of(on: str | None) -> Place:
    """Raises ConfigError where several processes, each with a place of its own, would do the same."""
    from hitl.jobs import place_of

    if on and _processes() > 1:
        hint = "Leave it away: accelerate says where the processes run."
        raise ConfigError("does not go with several processes (WORLD_SIZE).", field="--on", hint=hint)
    return place_of(on or "here")


def _shared(place: Place, settings: Settings, options: Options) -> Settings:
    """The settings as they go to other machines, which must see the same sessions, versions and data."""
    import msgspec

    data = settings.data_folder.absolute()
    files = [options.dataset / "meta.json"] if options.dataset else []
    model = Path(settings.model).expanduser().absolute() if settings.model else None
    if model is not None:
        files.append(model / "model.json")
    place.check_shared([data, *([options.out] if options.out else [])], files)
    return msgspec.structs.replace(settings, data=str(data), model=str(model or ""))


def _processes() -> int:
    """How many `accelerate launch` or `torchrun` started to train together."""
    count = os.environ.get("WORLD_SIZE", "1")
    return int(count) if count.isdigit() else 1


def _speaks() -> bool:
    """Whether this is the only process, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


# -- what is shown ------------------------------------------------------------------------------------------------


def _command() -> str:
    return shlex.join(["hitl", *sys.argv[1:]])


def _data_command(folder: Path) -> list[str]:
    """The command that makes the data of `folder`, for the model card; none where they do not say their seed."""
    try:
        seed = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # whatever is wrong with the folder, training says it
    episodes = sum(path.stem.isdigit() for path in (folder / "shards").glob("*.safetensors"))
    return [f"hitl generate --out {shlex.quote(str(folder))} --episodes {episodes} --seed {seed}"]


def _show_update(what: str, done: int, count: int, loss: float) -> None:
    tail = f", loss {loss:.4f}" if math.isfinite(loss) else ""
    print(f"\r{f'{what}: {done}/{count}{tail}':<78}", end="", file=sys.stderr, flush=True)


def show_training(now: Progress) -> None:
    """One line that is written over."""
    line = f"{now.phase}: {now.fraction:4.0%}"
    if math.isfinite(now.loss):  # phases that only count have none
        line += f", loss {now.loss:.4f}, {now.samples_per_s:.0f} samples/s, {now.remaining_s / 60:.1f} min left"
    print(f"\r{line:<78}", end="", flush=True)


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "train": _train,
    "train low-level": _train_low_level,
    "train high-level": _train_high_level,
    "train flat": _train_flat,
}
