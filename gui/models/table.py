"""A version as a table of comma-separated values, for spreadsheets. Knows nothing of Qt or files."""

from __future__ import annotations

import csv
import io

from gui.models.scores import interval, shown_scores
from hitl.model_messages import ModelVersion

HEAD = ("what", "name", "value", "low", "high", "author", "episode", "id")


def table_of(version: ModelVersion) -> str:
    """Rows of HEAD: facts, the gate's reasons, scores with the ends of their intervals, commands, corrections."""
    out = io.StringIO()
    table = csv.DictWriter(out, HEAD, restval="")
    table.writeheader()
    facts = {
        "name": version.name, "part": version.part, "parent": version.parent, "made": version.made,
        "seconds": version.seconds, "strategy": version.strategy, "corrections": version.corrections,
        "examples": version.examples, "passed": version.passed,
    }  # fmt: skip
    for name, fact in facts.items():
        table.writerow({"what": "fact", "name": name, "value": fact})
    for session in version.sessions:
        table.writerow({"what": "session", "name": session})
    for reason in version.reasons:
        table.writerow({"what": "gate", "name": reason})
    for score in shown_scores(version):
        value = version.scores[score]
        low, high = interval(value, version.counts.get(score, 0)) or ("", "")
        table.writerow({"what": "score", "name": score, "value": value, "low": low, "high": high})
    for command in version.new_commands:
        table.writerow({"what": "new command", "name": command})
    for taught in version.taught:
        table.writerow({"what": "correction", "name": taught.text, "value": taught.command or taught.text,
                        "author": taught.author, "episode": taught.episode, "id": taught.id})  # fmt: skip
    return out.getvalue()
