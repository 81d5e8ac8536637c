"""`hitl models`: list, promote, rollback, diff. Thin and lazy. A running backend looks at the pointer by itself."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from hitl.cli_shared import EXIT_OK, settings_of

if TYPE_CHECKING:
    from hitl.backend.registry import ModelRegistry


def _registry(arguments: Namespace) -> ModelRegistry:
    from hitl.backend.registry import ModelRegistry

    return ModelRegistry(settings_of(arguments).data_folder)


def _list(arguments: Namespace) -> int:
    from hitl.backend import version_report

    registry = _registry(arguments)
    versions, history = registry.describe(), registry.history()
    if arguments.json:
        print(json.dumps(version_report.as_json(versions, history)))
    else:
        print(version_report.as_table(versions, history))
    return EXIT_OK


def _promote(arguments: Namespace) -> int:
    version = _registry(arguments).promote(arguments.version, force=arguments.force)
    print(f"{version.name} acts from now on")
    return EXIT_OK


def _rollback(arguments: Namespace) -> int:
    from hitl.errors import InputError

    registry = _registry(arguments)
    if len(registry.history()) < 2:
        hint = "Promote the one that should act: hitl models promote NAME"
        raise InputError("there is none before the one that acts.", field="version", hint=hint)
    print(f"{registry.roll_back().name} acts from now on")
    return EXIT_OK


def _diff(arguments: Namespace) -> int:
    from hitl.backend import version_report
    from hitl.sessions.catalog import Catalog
    from hitl.sessions.feedback_log import FeedbackLog

    log = FeedbackLog(Catalog(settings_of(arguments).data_folder).log_file)
    try:
        found = version_report.diff(_registry(arguments), log, arguments.first, arguments.second)
    finally:
        log.close()
    print(json.dumps(found) if arguments.json else version_report.diff_as_text(found))
    return EXIT_OK


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "models list": _list,
    "models promote": _promote,
    "models rollback": _rollback,
    "models diff": _diff,
}
