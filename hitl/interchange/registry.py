"""All formats by name. A format's module is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hitl.errors import InputError
from hitl.interchange.exchange import Exported, Imported, Reading, Report

Reader = Callable[[Path, Reading], Imported]
Writer = Callable[[Exported, Path], Report]


@dataclass(frozen=True)
class Format:
    """about: what it is, in a few words. reads, writes: `module:function`, empty where it does not. project: what a
    new project is called where nobody says it; empty: like the file."""

    name: str
    about: str
    reads: str = ""
    writes: str = ""
    project: str = ""

    def reader(self) -> Reader:
        """What reads it. Raises InputError where nothing does."""
        if not self.reads:
            known = ", ".join(name for name, other in FORMATS.items() if other.reads)
            raise InputError(f"{self.name} can only be written", field="format", hint=f"These are read: {known}.")
        found: Reader = _function(self.reads)
        return found

    def writer(self) -> Writer:
        """What writes it. Raises InputError where nothing does."""
        if not self.writes:
            known = ", ".join(name for name, other in FORMATS.items() if other.writes)
            raise InputError(f"{self.name} can only be read", field="format", hint=f"These are written: {known}.")
        found: Writer = _function(self.writes)
        return found


def _function(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(f"hitl.interchange.{module}"), name)


FORMATS = {
    entry.name: entry
    for entry in (
        Format("jsonl", "hitl's own: everything, one object a line", "jsonl:read", "jsonl:write"),
        Format("csv", "one row for each label, without the items", "rows:read", "rows:write"),
        Format("fine-grained-rlhf", "the published feedback and prompt files", "fine_grained:read",
               "fine_grained:write"),
        Format("label-studio", "tasks with annotations", "label_studio_reader:read", "label_studio:write"),
        Format("mqm-tsv", "WMT's ratings of translations", "mqm:read", "mqm:write"),
        Format("haluquestqa", "long answers with experts' spans", "haluquestqa:read"),
        Format("recordings", "a recording.mcap, a session, or a folder", "recordings:read", project="recordings"),
        Format("trl-preference", "prompt, chosen, rejected", "trl:read_preferences", "trl:write_preferences"),
        Format("trl-unpaired", "prompt, completion, label", writes="trl:write_unpaired"),
        Format("trl-stepwise", "prompt, completions, labels", writes="trl:write_stepwise"),
        Format("trl-segments", "prompt, completion, spans, segments of each head", writes="trl:write_segments"),
    )
}  # fmt: skip


def format_of(name: str) -> Format:
    """The format of this name. Raises InputError."""
    if name not in FORMATS:
        raise InputError(f"{name[:80]!r} is no format", field="format", hint=f"Use one of {', '.join(FORMATS)}.")
    return FORMATS[name]
