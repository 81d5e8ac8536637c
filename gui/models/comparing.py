"""What differs between two versions: scores side by side, and what only one of them knows. Knows nothing of Qt."""

from __future__ import annotations

from dataclasses import dataclass

from gui.models.scores import BASE, CORRECTIONS, TASK, shown_scores
from hitl.model_messages import ModelVersion, TaughtBy


@dataclass(frozen=True)
class ScorePair:
    """One score of both; None where a version does not have it."""

    name: str
    first: float | None
    second: float | None

    @property
    def gain(self) -> float | None:
        """How much better the second is; None where one has no such score."""
        return None if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """Two versions. scores: on base data, on the corrections of each, and by task; what was new for each is left out.
    only_first, only_second: corrections that the other was not learned from; commands_…: commands that only that one
    has."""

    first: ModelVersion
    second: ModelVersion
    scores: tuple[ScorePair, ...]
    shared: int
    only_first: tuple[TaughtBy, ...]
    only_second: tuple[TaughtBy, ...]
    commands_first: tuple[str, ...]
    commands_second: tuple[str, ...]


def compare(first: ModelVersion, second: ModelVersion) -> Comparison:
    """The two side by side."""
    names = [name for name in dict.fromkeys([*shown_scores(first), *shown_scores(second)])
             if name in (BASE, CORRECTIONS) or name.startswith(TASK)]  # fmt: skip
    of_first, of_second = {c.id for c in first.taught}, {c.id for c in second.taught}
    return Comparison(
        first, second,
        scores=tuple(ScorePair(name, first.scores.get(name), second.scores.get(name)) for name in names),
        shared=len(of_first & of_second),
        only_first=tuple(c for c in first.taught if c.id not in of_second),
        only_second=tuple(c for c in second.taught if c.id not in of_first),
        commands_first=tuple(c for c in first.new_commands if c not in second.new_commands),
        commands_second=tuple(c for c in second.new_commands if c not in first.new_commands),
    )  # fmt: skip
