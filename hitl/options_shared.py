"""What the options of several commands have in common. Knows nothing of commands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

Commands = argparse._SubParsersAction


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_command(
    commands: Commands, name: str, text: str, *parents: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """A command with the options of `parents`; what is chosen is `command`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", parents=list(parents)
    )
    parser.set_defaults(command=parser.prog.removeprefix("hitl "))
    return parser


def options_group(title: str) -> tuple[argparse.ArgumentParser, argparse._ArgumentGroup]:
    """A parser to be a parent, and its group under `title`. What is not given is not in the namespace."""
    # A subcommand's own defaults would overwrite what was given before its name (bpo-9351), hence SUPPRESS.
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    return parser, parser.add_argument_group(title)


def common_options() -> argparse.ArgumentParser:
    """Options of every command."""
    parser, group = options_group("everywhere")
    group.add_argument("--data", metavar="DIR", help="folder of sessions and logs (default: the user's data folder)")
    group.add_argument("--settings", type=Path, metavar="FILE", help="a settings file of its own")
    return parser


def link_options() -> argparse.ArgumentParser:
    """Options of what connects to a backend."""
    parser, group = options_group("where the backend is")
    group.add_argument(
        "--connect", metavar="HOST:PORT", help="a backend on TCP (default: this user's private sockets)"
    )
    group.add_argument("--author", metavar="NAME", help="who corrects (default: the login name)")
    add_keys(group)
    return parser


def robot_options() -> argparse.ArgumentParser:
    """Options of what has a robot."""
    parser, group = options_group("the robot")
    group.add_argument("--driver", metavar="NAME", help="aloha (default) or synthetic")
    group.add_argument(
        "--shift", metavar="NAME", help="how the first episode differs from training (default: nominal)"
    )
    group.add_argument("--seed", type=int, metavar="N", help="seed of the first episode (default: a random one)")
    return parser


def backend_options() -> argparse.ArgumentParser:
    """Options of what runs the policies."""
    parser, group = options_group("the policies")
    group.add_argument("--model", metavar="DIR", help="folder of a model (default: the one that ships)")
    group.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda")
    return parser


def talk_options() -> argparse.ArgumentParser:
    """Options of what listens."""
    parser, group = options_group("talking")
    group.add_argument("--microphone", metavar="NAME", help="which microphone (default: the system's)")
    add_recognizer(group)
    return parser


def place_options() -> argparse.ArgumentParser:
    """Where speech is recognized."""
    parser, group = options_group("where speech is recognized")
    group.add_argument(
        "--recognizer-at",
        choices=("here", "backend"),
        help="on the computer with the microphone (default), or on the backend's",
    )
    return parser


def add_keys(group: argparse._ActionsContainer) -> None:
    """The option --keys."""
    group.add_argument(
        "--keys",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="CURVE keys; needed where the backend is on another host",
    )


def add_recognizer(group: argparse._ActionsContainer) -> None:
    """Which recognizer."""
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


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The option --seed, 0 by default."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")


def add_place(parser: argparse.ArgumentParser, default: str) -> None:
    """The option --on: where the work runs."""
    parser.add_argument(
        "--on",
        metavar="PLACE",
        help=f"here, processes, ray (a cluster of this machine), auto, ray://HOST:PORT (default: {default})",
    )


def at_least_one(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not {text[:80]!r}")
    return int(text)


def picture_file(text: str) -> Path:
    """A file whose name ends in .png."""
    if not text.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"must end in .png, unlike {text[-80:]!r}")
    return Path(text)


def at_least_two(text: str) -> int:
    """A whole number from 2 on."""
    number = at_least_one(text)
    if number < 2:
        raise argparse.ArgumentTypeError("must be 2 or more")
    return number


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text[:80]!r}")
    return number
