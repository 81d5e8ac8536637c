"""The options of the commands that measure: evaluate and bench."""

from __future__ import annotations

import argparse
from pathlib import Path

from hitl.options_models import add_learn_on
from hitl.options_shared import (
    Commands,
    add_command,
    add_place,
    add_seed,
    at_least_one,
    at_least_two,
    backend_options,
    picture_file,
    positive,
)


def add_experiments(commands: Commands, common: argparse.ArgumentParser) -> None:
    """What README's tables are made with: evaluate, bench. Each prints a table and, last, one JSON object."""
    backend = backend_options()
    evaluate = commands.add_parser("evaluate", help="measure the policies in the simulator", description="Measure.")
    evaluations = evaluate.add_subparsers(title="what", metavar="WHAT", required=True)
    skills = add_command(evaluations, "skills", "whether the robot does what a command says", common, backend)
    packing = add_command(evaluations, "packing", "whether the box is packed, with and without help", common, backend)
    _add_packing(packing)
    for command in (skills, packing):
        command.add_argument("--episodes", type=at_least_one, default=20, metavar="N", help="default 20")
        command.add_argument("--workers", type=at_least_one, metavar="N", help="processes (default: all cores)")
        add_seed(command)
    _add_asking(evaluations, common, backend)
    _add_reward_evaluations(evaluations)
    _add_segment_experiment(evaluations, common, backend)
    bench = commands.add_parser("bench", help="measure delays on this machine", description="Measure delays.")
    benches = bench.add_subparsers(title="what", metavar="WHAT", required=True)
    correction = add_command(benches, "correction", "from send to the first action under it", common, backend)
    correction.add_argument("--driver", default=argparse.SUPPRESS, metavar="NAME", help="aloha (default) or synthetic")
    correction.add_argument("--n", type=at_least_one, default=200, metavar="N", help="corrections (default 200)")
    update = add_command(benches, "update", "from a correction to weights that know it", common, backend)
    update.add_argument("--driver", default=argparse.SUPPRESS, metavar="NAME", help="aloha (default) or synthetic")
    update.add_argument("--n", type=at_least_one, default=50, metavar="N", help="corrections (default 50)")
    add_learn_on(update)
    stream = add_command(benches, "stream", "from capture to ready to paint", common)
    stream.add_argument("--seconds", type=positive, default=20.0, metavar="S", help="how long (default 20)")
    speech = add_command(benches, "speech", "how well and how fast spoken commands are understood", common, backend)
    speech.add_argument("--set", type=Path, metavar="DIR", help="WAV files and labels.csv (default: a set is made)")
    speech.add_argument(
        "--recognizer", action="append", metavar="NAME", help="commands, tiny.en or another kind (default: those two)"
    )
    speech.add_argument("--live", type=int, default=20, metavar="N", help="utterances at their own pace (default 20)")
    speech.add_argument("--limit", type=at_least_one, metavar="N", help="only so many utterances of the set")
    label = add_command(benches, "label", "from a label to suggestions that know it", common)
    given = label.add_mutually_exclusive_group()
    given.add_argument("--file", dest="file", type=Path, metavar="FILE", help="published feedback (default: made up)")
    given.add_argument("--recordings", type=Path, metavar="DIR", help="label recordings instead, those in this folder")
    label.add_argument("--n", type=at_least_one, default=50, metavar="N", help="labels (default 50)")
    label.add_argument("--items", type=at_least_one, default=200, metavar="N", help="made-up items (default 200)")
    for command in (correction, update, stream, speech, label):
        add_seed(command)
    scoring = add_command(benches, "rewards", "scoring answers in one pass, and in the published three")
    _add_feedback(scoring)
    scoring.add_argument("--answers", type=at_least_one, default=32, metavar="N", help="in a batch (default 32)")
    scoring.add_argument("--repeats", type=at_least_one, default=5, metavar="N", help="batches (default 5)")


def _add_packing(packing: argparse.ArgumentParser) -> None:
    packing.add_argument(
        "--mode", choices=("base", "corrected", "learned"), help="alone, with corrections, or after learning from them"
    )
    packing.add_argument(
        "--shift", dest="only_shift", action="append", metavar="NAME", help="only this shift (default: all)"
    )
    packing.add_argument(
        "--policy",
        dest="acting",
        choices=("hierarchy", "one-hot", "scripted", "flat"),
        default="hierarchy",
        help="the hierarchy (default) or a published ablation: high level as a plain classifier, commands in a fixed "
        "order, or no commands at all; --model gives what hitl train high-level or flat made",
    )
    packing.add_argument(
        "--record", action="store_true", help="keep what is played as a session, to learn from; in one process"
    )
    packing.add_argument("--seeds", type=at_least_one, default=1, metavar="N", help="repeats (default 1)")
    packing.add_argument("--rounds", type=at_least_one, default=3, metavar="N", help="of a learner (default 3)")
    packing.add_argument("--round-episodes", type=at_least_one, default=4, metavar="N", help="default 4")
    packing.add_argument("--budget", type=at_least_one, default=60, metavar="N", help="corrections (default 60)")
    packing.add_argument(
        "--nominal-after", type=at_least_one, default=10, metavar="N", help="nominal episodes a learner (default 10)"
    )
    packing.add_argument("--variant", action="append", metavar="NAME", help="of learning; default, no-replay, ...")
    add_place(packing, "this machine's cores")
    packing.add_argument("--out", type=Path, metavar="DIR", help="keep results and weights there, and go on with them")
    packing.add_argument("--picture", type=picture_file, metavar="FILE", help="draw success by shift there, .png")


def _add_asking(evaluations: Commands, common: argparse.ArgumentParser, backend: argparse.ArgumentParser) -> None:
    asking = add_command(
        evaluations, "asking", "whether the policy asks where it is about to be wrong", common, backend
    )
    shifts = "some of nominal and the shifts (default: nominal light-camera slippery wish)"
    asking.add_argument("--shift", dest="only_shifts", nargs="+", default=[], metavar="NAME", help=shifts)
    episodes = "for each, to choose the threshold on and as many to report on (default 8)"
    asking.add_argument("--episodes", type=at_least_one, default=8, metavar="N", help=episodes)
    asking.add_argument("--workers", type=at_least_one, metavar="N", help="processes (default: all cores)")
    asking.add_argument(
        "--moments", type=Path, metavar="FILE", help="of held-out demonstrations (default: the model's)"
    )
    asking.add_argument("--picture", type=picture_file, metavar="FILE", help="draw the curve there, .png")
    add_seed(asking)


def _add_reward_evaluations(evaluations: Commands) -> None:
    rewards = add_command(evaluations, "rewards", "how well reward models judge answers they never saw")
    held = rewards.add_mutually_exclusive_group()
    held.add_argument("--folds", type=at_least_two, default=5, metavar="N", help="folds of questions (default 5)")
    held.add_argument("--test", type=Path, metavar="FILE", help="judge the answers of this file instead of folds")
    rewards.add_argument("--tune", type=at_least_one, default=0, metavar="N", help="train the encoder, too: N epochs")
    add_seed(rewards)
    order = "how many labels it saves to ask about uncertain answers first"
    efficiency = add_command(evaluations, "label-efficiency", order)
    efficiency.add_argument("--seeds", type=at_least_one, default=5, metavar="N", help="repeats (default 5)")
    forgetting = add_command(evaluations, "forgetting", "how much each strategy keeps of what was learned earlier")
    forgetting.add_argument("--strategy", nargs="+", default=[], metavar="NAME", help="some of them (default: all)")
    forgetting.add_argument("--seeds", type=at_least_one, default=5, metavar="N", help="repeats (default 5)")
    drawn = "draw accuracy on each task after each there, .png"
    forgetting.add_argument("--picture", type=picture_file, metavar="FILE", help=drawn)
    for command in (rewards, efficiency):
        _add_feedback(command)
    for command in (rewards, efficiency, forgetting):
        command.add_argument("--out", type=Path, metavar="FILE", help="write the JSON there, too")


def _add_feedback(command: argparse.ArgumentParser) -> None:
    command.add_argument("--settings", type=Path, default=argparse.SUPPRESS, metavar="FILE", help="a settings file")
    command.add_argument(
        "--data", dest="feedback", type=Path, required=True, metavar="FILE",
        help="answers and labels in the JSON of Fine-Grained RLHF",
    )  # fmt: skip
    command.add_argument(
        "--encoder", default="minilm", metavar="NAME", help="minilm (default), smollm2, a model folder or a hub name"
    )
    command.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")


def _add_segment_experiment(
    evaluations: Commands, common: argparse.ArgumentParser, backend: argparse.ArgumentParser
) -> None:
    what = "whether marked segments teach a reward model to know mistakes"
    segments = add_command(evaluations, "segments", what, common, backend)
    segments.add_argument("--episodes", type=at_least_one, default=64, metavar="N", help="recordings (default 64)")
    segments.add_argument("--seconds", type=positive, default=40.0, metavar="S", help="the longest one (default 40)")
    segments.add_argument("--workers", type=at_least_one, metavar="N", help="processes (default: all cores)")
    add_seed(segments)
