"""The commands that train one part of the policies from generated data: train high-level, train flat. Thin and lazy,
too."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Callable

from hitl.cli_learning import show_training
from hitl.cli_shared import EXIT_OK, need, settings_of


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
        command=shlex.join(["hitl", *sys.argv[1:]]),
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
        command=shlex.join(["hitl", *sys.argv[1:]]),
    )
    summary, where = made["training"]["low_level"], shlex.quote(str(arguments.out))
    print(f"\n{summary['steps']} steps on {made['data']['task_episodes']} episodes of the task")
    print(f"wrote {arguments.out}; measure it: hitl evaluate packing --mode base --policy flat --model {where}")
    return EXIT_OK


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "train high-level": _train_high_level,
    "train flat": _train_flat,
}
