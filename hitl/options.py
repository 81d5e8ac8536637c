"""The options of the `hitl` command, with argparse. Knows the names of the commands and nothing of what they do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options; what was chosen is `command`, as "evaluate skills", "" for none."""
    common = _common_options()
    parser = _Parser(
        prog="hitl",
        description="Watch a robot work, say what it should do instead, and it obeys at once. "
        "Without a command: open the window and start what is missing.",
        parents=[common, _link_options(), _robot_options(), _backend_options(), _place_options()],
    )
    parser.set_defaults(command="")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_parts(commands, common)
    _add_writing(commands, common)
    _add_learning(commands, common)
    _add_segments(commands, common)
    _add_word_training(commands, common)
    _add_speech_training(commands, common)
    _add_experiments(commands, common)
    _add_annotation(commands, common)
    _add_tools(commands, common)
    return parser


_Commands = argparse._SubParsersAction
_READ = "jsonl, csv, fine-grained-rlhf, label-studio, mqm-tsv, haluquestqa, recordings, trl-preference"
_WRITTEN = (
    "jsonl, csv, fine-grained-rlhf, label-studio, mqm-tsv, trl-preference, trl-unpaired, trl-stepwise, trl-segments"
)


def _add_parts(commands: _Commands, common: argparse.ArgumentParser) -> None:
    """The parts of the running system: demo, backend, recognizer, robot, gui, say and what else listens."""
    link, robot, backend, place = _link_options(), _robot_options(), _backend_options(), _place_options()
    demo = _add(commands, "demo", "show the whole loop on the simulated robot", common, robot, backend, place)
    demo.add_argument(
        "--headless",
        action="store_true",
        help="scripted corrections instead of a window (the default without a display)",
    )
    serve = _add(commands, "backend", "run the hub, the policies, the log and the recording", common, backend, place)
    serve.add_argument("--bind", metavar="HOST:PORT", help="first of four TCP ports (default: private sockets)")
    _add_keys(serve)
    hear = _add(commands, "recognizer", "hear on the backend's computer for ears elsewhere", common, link)
    _add_recognizer(hear)
    hear.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")
    learner = _add(commands, "learner", "learn rewards from labels, beside the backend", common, link)
    _add_learner(learner)
    _add(commands, "robot", "run a robot, real or simulated", common, link, robot)
    _add(commands, "gui", "open the window alone", common, link, place)
    label = _add(commands, "annotate", "open the window to label outputs, without a robot", common, link, place)
    label.add_argument("project", nargs="?", default="", metavar="PROJECT", help="which one (default: the latest)")
    _add_learner(label)
    kept = "send one correction; kept and delivered later if no backend is there"
    say = _add(commands, "say", kept, common, link, place)
    say.add_argument("text", nargs="*", metavar="TEXT", help='what to do instead, e.g. "go higher"; "stop" stops')
    say.add_argument(
        "--wait", type=float, default=3.0, metavar="S", help="how long to wait for the backend (default 3)"
    )
    say.add_argument("--hold", dest="hold_s", type=float, metavar="S", help="how long it holds at most; 0: until done")
    say.add_argument("--wav", type=Path, metavar="FILE", help="hear the words in a WAV file instead")
    talk = _talk_options()
    _add(commands, "ear", "the process of a window that listens; it speaks MessagePack", common, talk, place)
    listen = _add(commands, "listen", "talk to the robot without a window", common, link, talk, place)
    listen.add_argument("--talk", choices=("hands-free",), help="the only way without a window, and the default")
    listen.add_argument("--wake", metavar="WORDS", help="words that begin what is meant for the robot (default: none)")
    # None where it is not given: a settings file may say it.
    narrate = "record words for training (hitl segments); only stop words are obeyed"
    listen.add_argument("--narrate", action="store_true", default=None, help=narrate)
    write = _add(commands, "transcribe", "what is said in WAV files", common, talk)
    write.add_argument("files", nargs="+", type=Path, metavar="FILE", help="WAV files")
    write.add_argument("--words", action="store_true", help="with the times of words")
    write.add_argument("--json", action="store_true", help="one JSON object a file")


def _add_learner(parser: argparse.ArgumentParser) -> None:
    reads = "what reads texts: minilm, smollm2, a folder or hub name"
    parser.add_argument("--encoder", default=argparse.SUPPRESS, metavar="NAME", help=reads)
    parser.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")


def _add_writing(commands: _Commands, common: argparse.ArgumentParser) -> None:
    write = _add(commands, "write", "write outputs for prompts, as items to annotate", common)
    write.add_argument("project", metavar="PROJECT", help="made where there is none")
    write.add_argument("prompts", type=Path, metavar="FILE", help="prompts: .txt, .jsonl or .json")
    write.add_argument("--schema", metavar="NAME", help="of a new project (default: fine-grained-rlhf)")
    write.add_argument("--count", type=_at_least_one, default=4, metavar="N", help="outputs a prompt (default 4)")
    model = "a folder or hub name, or a server's address like http://host:8000#model (default: the embedded model)"
    write.add_argument("--writer", default="", metavar="MODEL", help=model)
    write.add_argument("--max-tokens", type=_at_least_one, default=200, metavar="N", help="default 200")
    write.add_argument("--temperature", type=float, default=0.7, metavar="T", help="0: the likeliest (default 0.7)")
    write.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")
    _add_seed(write)


def _talk_options() -> argparse.ArgumentParser:
    parser, group = _options("talking")
    group.add_argument("--microphone", metavar="NAME", help="which microphone (default: the system's)")
    _add_recognizer(group)
    return parser


def _add_recognizer(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--recognizer",
        default=argparse.SUPPRESS,
        metavar="KIND",
        help="commands (default), faster-whisper, openai-whisper, endpoint",
    )
    group.add_argument(
        "--recognizer-model",
        default=argparse.SUPPRESS,
        metavar="MODEL",
        help="a size, a folder or an address, as the kind takes",
    )


def _place_options() -> argparse.ArgumentParser:
    parser, group = _options("where speech is recognized")
    group.add_argument(
        "--recognizer-at",
        choices=("here", "backend"),
        help="on the computer with the microphone (default), or on the backend's",
    )
    return parser


def _add_learning(commands: _Commands, common: argparse.ArgumentParser) -> None:
    """Data and training: generate, train."""
    make = _add(commands, "generate", "make training data with the scripted expert", common)
    make.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the data set; it can be resumed"
    )
    make.add_argument(
        "--episodes", type=_at_least_one, default=400, metavar="N", help="how many episodes (default 400)"
    )
    make.add_argument("--workers", type=_at_least_one, metavar="N", help="how many processes (default: all cores)")
    _add_seed(make)
    learn = _add(commands, "train", "train both policies from generated data", common)
    learn.add_argument(
        "--dataset", type=Path, required=True, metavar="DIR", help="what hitl generate or segments made"
    )
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model; it can be resumed")
    learn.add_argument(
        "--minutes", type=_positive, metavar="M", help="end earlier, after so long (default: all steps)"
    )
    learn.add_argument("--low-level-steps", type=_at_least_one, metavar="N", help="steps of the low level")
    learn.add_argument("--high-level-steps", type=_at_least_one, metavar="N", help="steps of the high level")
    learn.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    learn.add_argument("--threads", type=_at_least_one, metavar="N", help="cores to use (default: all)")
    learn.add_argument("--start-from", metavar="DIR", type=Path, help="train a model further: its words and low level")
    learn.add_argument("--restart", action="store_true", help="begin anew instead of going on where it was stopped")
    _add_seed(learn)


def _add_segments(commands: _Commands, common: argparse.ArgumentParser) -> None:
    cut = _add(
        commands, "segments", "what was narrated, as training data", common, _backend_options(), _talk_options()
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


def _add_word_training(commands: _Commands, common: argparse.ArgumentParser) -> None:
    learn = _add(commands, "train-words", "teach a model more ways of saying its commands", common, _backend_options())
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model with these words")
    _add_seed(learn)


def _add_speech_training(commands: _Commands, common: argparse.ArgumentParser) -> None:
    learn = _add(commands, "train-speech", "teach the recognizer and the spotter of stop words", common)
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of both models; can be resumed")
    learn.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="utterances; made where they are not")
    learn.add_argument("--utterances", type=_at_least_one, default=16000, metavar="N", help="default 16000")
    learn.add_argument(
        "--steps", type=_at_least_one, default=1800, metavar="N", help="of the recognizer (default 1800)"
    )
    learn.add_argument("--minutes", type=_positive, metavar="M", help="end the recognizer's training after that long")
    learn.add_argument("--start-from", metavar="FILE", type=Path, help="teach a recognizer's corrections further")
    learn.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    learn.add_argument("--threads", type=_at_least_one, metavar="N", help="cores to use (default: all)")


def _add_experiments(commands: _Commands, common: argparse.ArgumentParser) -> None:
    """What README's tables are made with: evaluate, bench. Each prints a table and, last, one JSON object."""
    backend = _backend_options()
    evaluate = commands.add_parser("evaluate", help="measure the policies in the simulator", description="Measure.")
    evaluations = evaluate.add_subparsers(title="what", metavar="WHAT", required=True)
    skills = _add(evaluations, "skills", "whether the robot does what a command says", common, backend)
    packing = _add(evaluations, "packing", "whether the box is packed, with and without help", common, backend)
    packing.add_argument("--mode", choices=("base", "corrected"), help="without or with corrections (default: both)")
    packing.add_argument(
        "--shift", dest="only_shift", metavar="NAME", help="only this shift (default: nominal and all shifts)"
    )
    for command in (skills, packing):
        command.add_argument("--episodes", type=_at_least_one, default=20, metavar="N", help="default 20")
        command.add_argument("--workers", type=_at_least_one, metavar="N", help="processes (default: all cores)")
        _add_seed(command)
    _add_reward_evaluations(evaluations)
    _add_segment_experiment(evaluations, common, backend)
    bench = commands.add_parser("bench", help="measure delays on this machine", description="Measure delays.")
    benches = bench.add_subparsers(title="what", metavar="WHAT", required=True)
    correction = _add(benches, "correction", "from send to the first action under it", common, backend)
    correction.add_argument("--driver", default=argparse.SUPPRESS, metavar="NAME", help="aloha (default) or synthetic")
    correction.add_argument("--n", type=_at_least_one, default=200, metavar="N", help="corrections (default 200)")
    stream = _add(benches, "stream", "from capture to ready to paint", common)
    stream.add_argument("--seconds", type=_positive, default=20.0, metavar="S", help="how long (default 20)")
    speech = _add(benches, "speech", "how well and how fast spoken commands are understood", common, backend)
    speech.add_argument("--set", type=Path, metavar="DIR", help="WAV files and labels.csv (default: a set is made)")
    speech.add_argument(
        "--recognizer", action="append", metavar="NAME", help="commands, tiny.en or another kind (default: those two)"
    )
    speech.add_argument("--live", type=int, default=20, metavar="N", help="utterances at their own pace (default 20)")
    speech.add_argument("--limit", type=_at_least_one, metavar="N", help="only so many utterances of the set")
    label = _add(benches, "label", "from a label to suggestions that know it", common)
    given = label.add_mutually_exclusive_group()
    given.add_argument("--file", dest="file", type=Path, metavar="FILE", help="published feedback (default: made up)")
    given.add_argument("--recordings", type=Path, metavar="DIR", help="label recordings instead, those in this folder")
    label.add_argument("--n", type=_at_least_one, default=50, metavar="N", help="labels (default 50)")
    label.add_argument("--items", type=_at_least_one, default=200, metavar="N", help="made-up items (default 200)")
    for command in (correction, stream, speech, label):
        _add_seed(command)
    scoring = _add(benches, "rewards", "scoring answers in one pass, and in the published three")
    _add_feedback(scoring)
    scoring.add_argument("--answers", type=_at_least_one, default=32, metavar="N", help="in a batch (default 32)")
    scoring.add_argument("--repeats", type=_at_least_one, default=5, metavar="N", help="batches (default 5)")


def _add_reward_evaluations(evaluations: _Commands) -> None:
    rewards = _add(evaluations, "rewards", "how well reward models judge answers they never saw")
    held = rewards.add_mutually_exclusive_group()
    held.add_argument("--folds", type=_at_least_two, default=5, metavar="N", help="folds of questions (default 5)")
    held.add_argument("--test", type=Path, metavar="FILE", help="judge the answers of this file instead of folds")
    rewards.add_argument("--tune", type=_at_least_one, default=0, metavar="N", help="train the encoder, too: N epochs")
    _add_seed(rewards)
    order = "how many labels it saves to ask about uncertain answers first"
    efficiency = _add(evaluations, "label-efficiency", order)
    efficiency.add_argument("--seeds", type=_at_least_one, default=5, metavar="N", help="repeats (default 5)")
    for command in (rewards, efficiency):
        _add_feedback(command)
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


def _add_annotation(commands: _Commands, common: argparse.ArgumentParser) -> None:
    """Labels in and out: import, export, projects, agreement."""
    take = _add(commands, "import", "read items and labels of a file into a project", common)
    take.add_argument("format", metavar="FORMAT", help=_READ)
    take.add_argument("file", type=Path, metavar="FILE", help="the file; of recordings also a folder or a session")
    take.add_argument(
        "--project", metavar="NAME", help="a project that is there or is made (default: the file's name)"
    )
    take.add_argument(
        "--schema", metavar="SCHEMA", help="of a new project: a preset or a JSON file (default: what fits)"
    )
    give = _add(commands, "export", "write the items and labels of a project into a file", common)
    give.add_argument("format", metavar="FORMAT", help=_WRITTEN)
    give.add_argument("project", metavar="PROJECT", help="the project")
    give.add_argument("out", type=Path, metavar="OUT", help="the file; what was there is replaced")
    # Not `author`, which is a setting.
    nobody = "whose labels they are where the file does not say it (default: imported)"
    take.add_argument("--author", dest="labels_of", metavar="NAME", help=nobody)
    give.add_argument("--author", dest="labels_of", metavar="NAME", help="only the labels of this person")
    show = _add(commands, "projects", "list the projects, or change what one asks for", common)
    show.add_argument("--json", action="store_true", help="one JSON object a project")
    what = show.add_subparsers(title="what", metavar="WHAT")
    schema = _add(what, "schema", "show a project's schema, or give it another one", common)
    schema.add_argument("project", metavar="PROJECT", help="the project")
    schema.add_argument("new", nargs="?", metavar="NEW", help="a JSON file or a preset (default: show what it has)")
    schema.add_argument(
        "--rename", action="append", default=[], type=_rename, metavar="OLD=NEW",
        help="what becomes of a category's labels; OLD= gives them up",
    )  # fmt: skip
    agree = _add(commands, "agreement", "how far several people agree in a project", common)
    agree.add_argument("project", metavar="PROJECT", help="the project")
    agree.add_argument("--json", action="store_true", help="one JSON object, with every item")


def _rename(text: str) -> tuple[str, str]:
    old, found, new = text.partition("=")
    if not (old and found):
        raise argparse.ArgumentTypeError(f"must be OLD=NEW, not {text[:80]!r}")
    return old, new


def _add_segment_experiment(
    evaluations: _Commands, common: argparse.ArgumentParser, backend: argparse.ArgumentParser
) -> None:
    what = "whether marked segments teach a reward model to know mistakes"
    segments = _add(evaluations, "segments", what, common, backend)
    segments.add_argument("--episodes", type=_at_least_one, default=64, metavar="N", help="recordings (default 64)")
    segments.add_argument("--seconds", type=_positive, default=40.0, metavar="S", help="the longest one (default 40)")
    segments.add_argument("--workers", type=_at_least_one, metavar="N", help="processes (default: all cores)")
    _add_seed(segments)


def _add_tools(commands: _Commands, common: argparse.ArgumentParser) -> None:
    """Tools: screenshot, doctor, keys, version."""
    shot = _add(commands, "screenshot", "draw a view with sample data into a file", common)
    shot.add_argument("view", metavar="VIEW", help="which view, e.g. live")
    shot.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture, .png")
    shot.add_argument("--theme", choices=("light", "dark"), default="light", help="default light")
    shot.add_argument("--size", type=_size, metavar="WxH", help="in pixels (default 1280x800)")
    check = _add(commands, "doctor", "check this machine and say how to mend what fails", common)
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    keys = _add(commands, "keys", "make the keys with which a part on another machine connects", common)
    keys.add_argument("folder", type=Path, metavar="DIR", help="the backend's key folder; made where there is none")
    keys.add_argument("name", metavar="NAME", help="a name for the other part, e.g. window")
    _add(commands, "version", "print the versions of hitl, its protocol and Python", common)


def _add(commands: _Commands, name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", parents=list(parents)
    )
    parser.set_defaults(command=parser.prog.removeprefix("hitl "))
    return parser


def _options(title: str) -> tuple[argparse.ArgumentParser, argparse._ArgumentGroup]:
    # A subcommand's own defaults would overwrite what was given before its name (bpo-9351), hence SUPPRESS.
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    return parser, parser.add_argument_group(title)


def _common_options() -> argparse.ArgumentParser:
    parser, group = _options("everywhere")
    group.add_argument("--data", metavar="DIR", help="folder of sessions and logs (default: the user's data folder)")
    group.add_argument("--settings", type=Path, metavar="FILE", help="a settings file of its own")
    return parser


def _link_options() -> argparse.ArgumentParser:
    parser, group = _options("where the backend is")
    group.add_argument(
        "--connect", metavar="HOST:PORT", help="a backend on TCP (default: this user's private sockets)"
    )
    group.add_argument("--author", metavar="NAME", help="who corrects (default: the login name)")
    _add_keys(group)
    return parser


def _add_keys(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--keys",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="CURVE keys; needed where the backend is on another host",
    )


def _robot_options() -> argparse.ArgumentParser:
    parser, group = _options("the robot")
    group.add_argument("--driver", metavar="NAME", help="aloha (default) or synthetic")
    group.add_argument(
        "--shift", metavar="NAME", help="how the first episode differs from training (default: nominal)"
    )
    group.add_argument("--seed", type=int, metavar="N", help="seed of the first episode (default: a random one)")
    return parser


def _backend_options() -> argparse.ArgumentParser:
    parser, group = _options("the policies")
    group.add_argument("--model", metavar="DIR", help="folder of a model (default: the one that ships)")
    group.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    return parser


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")


def _at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not {text[:80]!r}")
    return int(text)


def _at_least_two(text: str) -> int:
    number = _at_least_one(text)
    if number < 2:
        raise argparse.ArgumentTypeError("must be 2 or more")
    return number


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return _at_least_one(width), _at_least_one(height)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text[:80]!r}")
    return number
