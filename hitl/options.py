"""The options of the `hitl` command, with argparse: the parts of the running system, tools, and the other topics put
together. Knows the names of the commands and nothing of what they do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hitl.options_annotation import add_annotation, add_learner, add_writing
from hitl.options_experiments import add_experiments
from hitl.options_learning import add_base_sample, add_learning, add_segments, add_speech_training, add_word_training
from hitl.options_models import add_models, add_policy_learning
from hitl.options_shared import (
    Commands,
    Parser,
    add_command,
    add_keys,
    add_recognizer,
    at_least_one,
    backend_options,
    common_options,
    link_options,
    place_options,
    robot_options,
    talk_options,
)


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options; what was chosen is `command`, as "evaluate skills", "" for none."""
    common = common_options()
    parser = Parser(
        prog="hitl",
        description="Watch a robot work, say what it should do instead, and it obeys at once. "
        "Without a command: open the window and start what is missing.",
        parents=[common, link_options(), robot_options(), backend_options(), place_options()],
    )
    parser.set_defaults(command="")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_parts(commands, common)
    add_writing(commands, common)
    add_learning(commands, common)
    add_segments(commands, common)
    add_word_training(commands, common)
    add_base_sample(commands, common)
    add_speech_training(commands, common)
    add_experiments(commands, common)
    add_annotation(commands, common)
    add_models(commands, common)
    _add_tools(commands, common)
    return parser


def _add_parts(commands: Commands, common: argparse.ArgumentParser) -> None:
    """The parts of the running system: demo, backend, recognizer, robot, gui, say and what else listens."""
    link, robot, backend, place = link_options(), robot_options(), backend_options(), place_options()
    demo = add_command(commands, "demo", "show the whole loop on the simulated robot", common, robot, backend, place)
    demo.add_argument(
        "--headless",
        action="store_true",
        help="scripted corrections instead of a window (the default without a display)",
    )
    serve = add_command(
        commands, "backend", "run the hub, the policies, the log and the recording", common, backend, place
    )
    serve.add_argument("--bind", metavar="HOST:PORT", help="first of four TCP ports (default: private sockets)")
    add_keys(serve)
    add_policy_learning(serve)
    hear = add_command(commands, "recognizer", "hear on the backend's computer for ears elsewhere", common, link)
    add_recognizer(hear)
    hear.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")
    learner = add_command(commands, "learner", "learn rewards from labels, beside the backend", common, link)
    add_learner(learner)
    add_command(commands, "robot", "run a robot, real or simulated", common, link, robot)
    add_command(commands, "gui", "open the window alone", common, link, place)
    label = add_command(commands, "annotate", "open the window to label outputs, without a robot", common, link, place)
    label.add_argument("project", nargs="?", default="", metavar="PROJECT", help="which one (default: the latest)")
    add_learner(label)
    kept = "send one correction; kept and delivered later if no backend is there"
    say = add_command(commands, "say", kept, common, link, place)
    say.add_argument("text", nargs="*", metavar="TEXT", help='what to do instead, e.g. "go higher"; "stop" stops')
    say.add_argument(
        "--wait", type=float, default=3.0, metavar="S", help="how long to wait for the backend (default 3)"
    )
    say.add_argument("--hold", dest="hold_s", type=float, metavar="S", help="how long it holds at most; 0: until done")
    say.add_argument("--wav", type=Path, metavar="FILE", help="hear the words in a WAV file instead")
    talk = talk_options()
    add_command(commands, "ear", "the process of a window that listens; it speaks MessagePack", common, talk, place)
    listen = add_command(commands, "listen", "talk to the robot without a window", common, link, talk, place)
    listen.add_argument("--talk", choices=("hands-free",), help="the only way without a window, and the default")
    listen.add_argument("--wake", metavar="WORDS", help="words that begin what is meant for the robot (default: none)")
    # None where it is not given: a settings file may say it.
    narrate = "record words for training (hitl segments); only stop words are obeyed"
    listen.add_argument("--narrate", action="store_true", default=None, help=narrate)
    write = add_command(commands, "transcribe", "what is said in WAV files", common, talk)
    write.add_argument("files", nargs="+", type=Path, metavar="FILE", help="WAV files")
    write.add_argument("--words", action="store_true", help="with the times of words")
    write.add_argument("--json", action="store_true", help="one JSON object a file")


def _add_tools(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Tools: screenshot, doctor, keys, version."""
    shot = add_command(commands, "screenshot", "draw a view with sample data into a file", common)
    shot.add_argument("view", metavar="VIEW", help="which view, e.g. live")
    shot.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture, .png")
    shot.add_argument("--theme", choices=("light", "dark"), default="light", help="default light")
    shot.add_argument("--size", type=_size, metavar="WxH", help="in pixels (default 1280x800)")
    check = add_command(commands, "doctor", "check this machine and say how to mend what fails", common)
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    keys = add_command(commands, "keys", "make the keys with which a part on another machine connects", common)
    keys.add_argument("folder", type=Path, metavar="DIR", help="the backend's key folder; made where there is none")
    keys.add_argument("name", metavar="NAME", help="a name for the other part, e.g. window")
    add_command(commands, "version", "print the versions of hitl, its protocol and Python", common)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return at_least_one(width), at_least_one(height)
