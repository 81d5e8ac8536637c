"""The options of the commands about annotation projects: write, import, export, projects, agreement."""

from __future__ import annotations

import argparse
from pathlib import Path

from hitl.options_shared import Commands, add_command, add_seed, at_least_one

READ = "jsonl, csv, fine-grained-rlhf, label-studio, mqm-tsv, haluquestqa, recordings, trl-preference"
WRITTEN = (
    "jsonl, csv, fine-grained-rlhf, label-studio, mqm-tsv, trl-preference, trl-unpaired, trl-stepwise, trl-segments"
)


def add_learner(parser: argparse.ArgumentParser) -> None:
    """What reads texts, and where: options of the learner."""
    reads = "what reads texts: minilm, smollm2, a folder or hub name"
    parser.add_argument("--encoder", default=argparse.SUPPRESS, metavar="NAME", help=reads)
    parser.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")


def add_writing(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Outputs on the spot: write."""
    write = add_command(commands, "write", "write outputs for prompts, as items to annotate", common)
    write.add_argument("project", metavar="PROJECT", help="made where there is none")
    write.add_argument("prompts", type=Path, metavar="FILE", help="prompts: .txt, .jsonl or .json")
    write.add_argument("--schema", metavar="NAME", help="of a new project (default: fine-grained-rlhf)")
    write.add_argument("--count", type=at_least_one, default=4, metavar="N", help="outputs a prompt (default 4)")
    model = "a folder or hub name, or a server's address like http://host:8000#model (default: the embedded model)"
    write.add_argument("--writer", default="", metavar="MODEL", help=model)
    write.add_argument("--max-tokens", type=at_least_one, default=200, metavar="N", help="default 200")
    write.add_argument("--temperature", type=float, default=0.7, metavar="T", help="0: the likeliest (default 0.7)")
    write.add_argument("--device", default=argparse.SUPPRESS, metavar="NAME", help="auto (default), cpu, cuda")
    add_seed(write)


def add_annotation(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Labels in and out: import, export, projects, agreement."""
    take = add_command(commands, "import", "read items and labels of a file into a project", common)
    take.add_argument("format", metavar="FORMAT", help=READ)
    take.add_argument("file", type=Path, metavar="FILE", help="the file; of recordings also a folder or a session")
    take.add_argument(
        "--project", metavar="NAME", help="a project that is there or is made (default: the file's name)"
    )
    take.add_argument(
        "--schema", metavar="SCHEMA", help="of a new project: a preset or a JSON file (default: what fits)"
    )
    give = add_command(commands, "export", "write the items and labels of a project into a file", common)
    give.add_argument("format", metavar="FORMAT", help=WRITTEN)
    give.add_argument("project", metavar="PROJECT", help="the project")
    give.add_argument("out", type=Path, metavar="OUT", help="the file; what was there is replaced")
    # Not `author`, which is a setting.
    nobody = "whose labels they are where the file does not say it (default: imported)"
    take.add_argument("--author", dest="labels_of", metavar="NAME", help=nobody)
    give.add_argument("--author", dest="labels_of", metavar="NAME", help="only the labels of this person")
    show = add_command(commands, "projects", "list the projects, or change what one asks for", common)
    show.add_argument("--json", action="store_true", help="one JSON object a project")
    what = show.add_subparsers(title="what", metavar="WHAT")
    schema = add_command(what, "schema", "show a project's schema, or give it another one", common)
    schema.add_argument("project", metavar="PROJECT", help="the project")
    schema.add_argument("new", nargs="?", metavar="NEW", help="a JSON file or a preset (default: show what it has)")
    schema.add_argument(
        "--rename", action="append", default=[], type=_rename, metavar="OLD=NEW",
        help="what becomes of a category's labels; OLD= gives them up",
    )  # fmt: skip
    made = add_command(what, "versions", "list the versions of a project's reward models", common)
    made.add_argument("project", metavar="PROJECT", help="the project")
    made.add_argument("--json", action="store_true", help="one JSON object a version")
    back = add_command(what, "rollback", "let an earlier version of the reward models answer", common)
    back.add_argument("project", metavar="PROJECT", help="the project")
    back.add_argument("version", nargs="?", metavar="VERSION", help="such as r12; see hitl projects versions")
    back.add_argument("--latest", action="store_true", help="let the newest promoted version answer again")
    agree = add_command(commands, "agreement", "how far several people agree in a project", common)
    agree.add_argument("project", metavar="PROJECT", help="the project")
    agree.add_argument("--json", action="store_true", help="one JSON object, with every item")


def _rename(text: str) -> tuple[str, str]:
    old, found, new = text.partition("=")
    if not (old and found):
        raise argparse.ArgumentTypeError(f"must be OLD=NEW, not {text[:80]!r}")
    return old, new
