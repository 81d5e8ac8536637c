"""The options of `hitl models`: versions of the policies."""

from __future__ import annotations

import argparse

from hitl.options_shared import Commands, add_command


def add_models(commands: Commands, common: argparse.ArgumentParser) -> None:
    """models list, promote, rollback, diff."""
    models = commands.add_parser("models", help="versions of the policies", description="Versions of the policies.")
    what = models.add_subparsers(title="what", metavar="WHAT", required=True)
    listed = add_command(what, "list", "where each came from, how it scored, which one acts", common)
    promote = add_command(what, "promote", "let a version act; a backend that runs takes it within a second", common)
    promote.add_argument("version", metavar="NAME", help="such as v0003, or packaged")
    promote.add_argument("--force", action="store_true", help="also one that did not pass the gate")
    add_command(what, "rollback", "let the version before the current one act again", common)
    differ = add_command(what, "diff", "what one version knows and another does not", common)
    differ.add_argument("first", metavar="A", help="a version")
    differ.add_argument("second", metavar="B", help="another one")
    for command in (listed, differ):
        command.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def add_policy_learning(parser: argparse.ArgumentParser) -> None:
    """How policies learn from corrections: options of the backend, which hands them to its learner."""
    group = parser.add_argument_group("learning from corrections")
    add = group.add_argument
    add("--no-learning", dest="learning", action="store_false", default=argparse.SUPPRESS, help="only keep them")
    seconds = "before a correction what the policy did was wrong (default 2)"
    add("--margin", dest="margin_s", type=float, default=argparse.SUPPRESS, metavar="S", help=f"so long {seconds}")
    guide = "small motions that guide a hand teach the high level, too; it then begins them by itself"
    add("--learn-guidance", action="store_true", default=argparse.SUPPRESS, help=guide)
    names = "replay (default), view-batch, mas, gpm, osf, classp, none"
    add("--strategy", default=argparse.SUPPRESS, metavar="NAME", help=f"against forgetting: {names}")
    share = "share of what ships with the model in what is learned from (default 0.5)"
    add("--replay-share", type=float, default=argparse.SUPPRESS, metavar="P", help=share)
    fall = "by how much agreement on what ships may fall for a version to act (default 0.02)"
    add("--gate-margin", type=float, default=argparse.SUPPRESS, metavar="P", help=fall)
    where = "where updates are computed: here (default), ray, auto, ray://HOST:PORT"
    add("--learn-on", default=argparse.SUPPRESS, metavar="PLACE", help=where)
    quiet = "after so long without a correction all is learned anew (default 5)"
    add("--quiet", dest="quiet_s", type=float, default=argparse.SUPPRESS, metavar="S", help=quiet)


def add_learn_on(parser: argparse._ActionsContainer) -> None:
    """Where updates are computed."""
    where = "where updates are computed: here (default), ray, auto, ray://HOST:PORT"
    parser.add_argument("--learn-on", default=argparse.SUPPRESS, metavar="PLACE", help=where)
