"""The options of the commands that make data and train: generate, train, segments, train-words, train-speech."""

from __future__ import annotations

import argparse
from pathlib import Path

from hitl.options_shared import (
    Commands,
    add_command,
    add_place,
    add_seed,
    at_least_one,
    backend_options,
    positive,
    talk_options,
)


def add_learning(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Data and training: generate, train."""
    make = add_command(commands, "generate", "make training data with the scripted expert", common)
    make.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the data set; it can be resumed"
    )
    make.add_argument(
        "--episodes", type=at_least_one, default=400, metavar="N", help="how many episodes (default 400)"
    )
    make.add_argument("--workers", type=at_least_one, metavar="N", help="how many processes (default: all cores)")
    make.add_argument("--tasks-only", action="store_true", help="only those of the episodes that pack a whole box")
    add_seed(make)
    learn = add_command(commands, "train", "train both policies from generated data, or one from sessions", common)
    learn.add_argument("--dataset", type=Path, metavar="DIR", help="what hitl generate or segments made (needed)")
    learn.add_argument("--out", type=Path, metavar="DIR", help="folder of the model; it can be resumed (needed)")
    learn.add_argument("--minutes", type=positive, metavar="M", help="end earlier, after so long (default: all steps)")
    learn.add_argument("--low-level-steps", type=at_least_one, metavar="N", help="steps of the low level")
    learn.add_argument("--high-level-steps", type=at_least_one, metavar="N", help="steps of the high level")
    learn.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    learn.add_argument("--threads", type=at_least_one, metavar="N", help="cores to use (default: all)")
    learn.add_argument("--start-from", metavar="DIR", type=Path, help="train a model further: its words and low level")
    learn.add_argument("--restart", action="store_true", help="begin anew instead of going on where it was stopped")
    add_place(learn, "here")
    add_seed(learn)
    parts = learn.add_subparsers(title="a part alone", metavar="PART")
    _add_low_level(parts, common)
    _add_high_level(parts, common)
    _add_flat(parts, common)


def _add_low_level(parts: Commands, common: argparse.ArgumentParser) -> None:
    learn = add_command(
        parts, "low-level", "make the low level better by what people did in sessions", common, backend_options()
    )
    learn.add_argument(
        "--from", dest="sessions", nargs="+", required=True, metavar="SESSION", help="ids of sessions, or last"
    )
    learn.add_argument(
        "--dataset",
        type=Path,
        metavar="DIR",
        help="base data, not to forget (default: made once, for the packing cell)",
    )
    learn.add_argument("--strategy", default="replay", metavar="NAME", help="against forgetting (default replay)")
    learn.add_argument("--steps", type=at_least_one, default=500, metavar="N", help="of each training (default 500)")
    learn.add_argument(
        "--margin", type=positive, default=2.0, metavar="S", help="left out before an objection, seconds (default 2)"
    )
    learn.add_argument("--out", type=Path, metavar="DIR", help="write the model here, and not among the versions")
    learn.add_argument("--promote", action="store_true", help="act with it from now on, where the gate lets it pass")
    learn.add_argument("--restart", action="store_true", help="begin anew instead of going on where it was stopped")
    add_place(learn, "here")
    learn.add_argument("--json", action="store_true", help="print what it came to as one JSON object, too")
    add_seed(learn)


def _add_high_level(parts: Commands, common: argparse.ArgumentParser) -> None:
    what = "a high level over the low level of a model, from generated data"
    learn = add_command(parts, "high-level", what, common, backend_options())
    learn.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="what hitl generate made")
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model; it can be resumed")
    learn.add_argument(
        "--output",
        choices=("codes", "one-hot"),
        default="codes",
        help="what it answers with: a code in text space (default), or one of fixed commands (a published ablation)",
    )
    learn.add_argument("--steps", type=at_least_one, default=2000, metavar="N", help="default 2000")
    learn.add_argument("--threads", type=at_least_one, metavar="N", help="cores to use (default: all)")
    learn.add_argument("--restart", action="store_true", help="begin anew instead of going on where it was stopped")
    add_seed(learn)


def _add_flat(parts: Commands, common: argparse.ArgumentParser) -> None:
    what = "a policy without commands, from whole tasks (a published ablation)"
    learn = add_command(parts, "flat", what, common)
    learn.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="what hitl generate made")
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model; it can be resumed")
    learn.add_argument("--steps", type=at_least_one, default=8000, metavar="N", help="default 8000")
    learn.add_argument("--minutes", type=positive, metavar="M", help="end earlier, after so long (default: all steps)")
    learn.add_argument("--start-from", metavar="DIR", type=Path, help="a model whose low level it begins with")
    learn.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    learn.add_argument("--threads", type=at_least_one, metavar="N", help="cores to use (default: all)")
    learn.add_argument("--restart", action="store_true", help="begin anew instead of going on where it was stopped")
    add_seed(learn)


def add_segments(commands: Commands, common: argparse.ArgumentParser) -> None:
    """What was narrated: segments."""
    cut = add_command(
        commands, "segments", "what was narrated, as training data", common, backend_options(), talk_options()
    )
    cut.add_argument("session", metavar="SESSION", help="id of a recorded session, or last")
    cut.add_argument(
        "--spoken", choices=("before", "after"), default="before", help="said before it is done (default), or after"
    )
    cut.add_argument(
        "--add", action="append", default=[], metavar="COMMAND",
        help="these words are a command that is not known yet; all: so is whatever is not known",
    )  # fmt: skip
    cut.add_argument("--out", type=Path, metavar="DIR", help="add them to this data set, which hitl train takes")
    cut.add_argument("--json", action="store_true", help="one JSON object a segment")


def add_base_sample(commands: Commands, common: argparse.ArgumentParser) -> None:
    """What the high level learned from, in small: sample-moments."""
    what = "a small sample of what the high level learned from, for learning from corrections"
    make = add_command(commands, "sample-moments", what, common)
    make.add_argument("--model", type=Path, required=True, metavar="DIR", help="the model; the sample goes into it")
    make.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="data that it was trained on")
    make.add_argument("--held-out", type=Path, required=True, metavar="DIR", help="data of another seed")
    make.add_argument("--out", type=Path, metavar="FILE", help="write it here instead")


def add_word_training(commands: Commands, common: argparse.ArgumentParser) -> None:
    """More ways of saying commands: train-words."""
    learn = add_command(
        commands, "train-words", "teach a model more ways of saying its commands", common, backend_options()
    )
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model with these words")
    add_seed(learn)


def add_speech_training(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Recognizer and spotter: train-speech."""
    learn = add_command(commands, "train-speech", "teach the recognizer and the spotter of stop words", common)
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of both models; can be resumed")
    learn.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="utterances; made where they are not")
    learn.add_argument("--utterances", type=at_least_one, default=16000, metavar="N", help="default 16000")
    learn.add_argument(
        "--steps", type=at_least_one, default=1800, metavar="N", help="of the recognizer (default 1800)"
    )
    learn.add_argument("--minutes", type=positive, metavar="M", help="end the recognizer's training after that long")
    learn.add_argument("--start-from", metavar="FILE", type=Path, help="teach a recognizer's corrections further")
    learn.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    learn.add_argument("--threads", type=at_least_one, metavar="N", help="cores to use (default: all)")
