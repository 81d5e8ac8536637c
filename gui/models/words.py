"""What is said of versions, in sentences. Knows nothing of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gui.models.lineage import Fate, fate_of
from gui.models.rates import MEAN_OF, Rate, trend_of
from gui.models.scores import name_of, percent, points
from gui.models.state import ModelsState, moment_of
from gui.state import Notice
from hitl.model_messages import EpisodePoint, ModelVersion, TaughtBy

Tone = Literal["", "soft", "good", "warn", "danger", "accent"]

FATES: dict[Fate, str] = {"acts": "acts now", "earlier": "acted before", "rolled back": "rolled back",
                          "refused": "not promoted"}  # fmt: skip
PARTS = {
    "packaged": "ships with hitl",
    "high_level": "high level: which command comes next",
    "low_level": "low level: how a command is carried out",
    "all": "both levels",
}
_MOST_CHARS = 170
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Line:
    """The line in Live. tip: all there is to say; fresh: a version has just taken over; when: the words of `text` that
    change while nothing happens."""

    text: str
    tone: Tone = ""
    tip: str = ""
    fresh: bool = False
    when: str = ""

    @property
    def about(self) -> tuple[str, str, str]:
        """What it says beside the time."""
        return self.text.replace(self.when, "", 1) if self.when else self.text, self.tone, self.tip


def ago(seconds: float) -> str:
    """How long something is over: 1.2 s ago, 40 s ago, 3 min ago, 2 h ago, 4 days ago."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s ago"
    whole = round(seconds)
    for unit, length, until in (("s", 1, _MINUTE), ("min", _MINUTE, _HOUR), ("h", _HOUR, 2 * _DAY)):
        if whole < until:
            return f"{whole // length} {unit} ago"
    return f"{whole // _DAY} days ago"


def counted(count: int, word: str) -> str:
    """1 correction, 14 corrections, no corrections."""
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def line_of(state: ModelsState, now_ns: int) -> Line | None:
    """What Live says of learning; None before the backend told anything."""
    if not state.known:
        return None
    error = state.new_error(now_ns)
    if error:
        return Line(error, "warn", error)
    if state.refused is not None:
        why = " ".join(state.refused.reasons) or "The gate gave no reason."
        text = f"version {state.refused.name} was not promoted: {why}"
        return Line(_cut(text), "warn", text)
    over = state.take_over
    if over is None or over.version.part == "packaged" and not over.seen:
        return _idle(state)
    name = "the version that ships with hitl" if over.version.part == "packaged" else f"version {over.version.name}"
    when = f", {ago((now_ns - over.since_ns) / 1e9)}" if over.since_ns is not None else ""
    if over.how == "rolled back":
        text = f"rolled back to {name}{when}"
    elif over.how == "promoted":
        text = f"{name} was promoted{when}"
    else:
        text = f"learned from {counted(over.version.corrections, 'correction')}, {name}{when}"
    tip = [f"Learning took {over.version.seconds:.1f} s." if over.version.seconds else ""]
    if over.waited_s:
        tip.append(f"The robot answered with it {over.waited_s:.1f} s after the newest correction was saved.")
    tip.append(_warning(state))
    if not state.learning or not state.learner:
        text += f". {_warning(state)}"
    return Line(text, "", " ".join(part for part in tip if part), state.fresh(now_ns), when)


def _idle(state: ModelsState) -> Line:
    if _warning(state):
        return Line(_warning(state), "warn" if not state.learner else "soft")
    return Line("Nothing is learned yet. Say what should come next: it teaches.", "soft",
                "The robot acts with the version that ships with hitl.")  # fmt: skip


def _warning(state: ModelsState) -> str:
    if not state.learner:
        return "No learner is running: corrections are kept and teach later."
    return "" if state.learning else "Learning is off: corrections are kept and teach nothing."


def _cut(text: str) -> str:
    """As many whole sentences as there is room for, and at least a part of the first."""
    if len(text) <= _MOST_CHARS:
        return text
    end = text.rfind(". ", _MOST_CHARS // 2, _MOST_CHARS)
    return text[: end + 1] if end > 0 else f"{text[: _MOST_CHARS - 1].rstrip()}…"


def notice_of(state: ModelsState) -> Notice | None:
    """What is wrong, above the versions; None if nothing is."""
    if state.error:
        return Notice(state.error, "", "warn")
    if not state.connected:
        return Notice("The backend does not answer.", "These versions are what it told last.", "warn")
    if not state.learner:
        return Notice("No learner is running.", "Corrections are kept, and teach as soon as one runs: “hitl learner”, "
                      "or start the backend with one. What acts stays as it is.", "warn")  # fmt: skip
    return None


def waiting_of(state: ModelsState, address: str) -> Notice | None:
    """Why nothing of versions can be shown at all; None where it can."""
    if state.known:
        return None
    if not state.connected:
        where = f" It should answer at {address}." if address else ""
        return Notice("Waiting for the backend.", f"The versions are with it.{where} Start it with “hitl backend”.")
    return Notice("Asking for the versions.", "The backend is there and has not told them yet. One that is older than "
                  "this window never does.")  # fmt: skip


def made_words(version: ModelVersion) -> str:
    """When a version was made, as a day and a time of day of this computer; empty where that is not known."""
    found = moment_of(version.made)
    return "" if found is None else found.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short_words(version: ModelVersion) -> str:
    """The second line of a version in the picture."""
    if version.part == "packaged":
        return PARTS["packaged"]
    return counted(version.corrections, "correction")


def facts_of(version: ModelVersion, state: ModelsState) -> str:
    """What it is, in one or two sentences."""
    if version.part == "packaged":
        return "It ships with hitl and is always there to go back to."
    parts = [f"Learned from {counted(version.corrections, 'correction')}"]
    if version.examples:
        parts.append(f" as {counted(version.examples, 'example')}")
    if version.seconds:
        parts.append(f" in {version.seconds:.1f} s")
    made = f" Made {made_words(version)}." if made_words(version) else ""
    first = "".join(parts) + (f", beginning with {version.parent}." if version.parent else ", from nothing.") + made
    second = f"Changed: {PARTS[version.part]}."
    third = f"Kept from forgetting by {version.strategy}." if version.strategy else ""
    sessions = len(version.sessions)
    fourth = f"Corrections of {counted(sessions, 'session')}." if sessions > 1 else ""
    return " ".join(part for part in (first, second, third, fourth) if part)


def verdict_of(version: ModelVersion, state: ModelsState) -> tuple[str, Tone]:
    """What the gate said, and its tone."""
    if version.part == "packaged":
        return "The gate measures the others against it.", "soft"
    fate = fate_of(version, state.history)
    if version.passed:
        return "The gate let it pass.", "good"
    if fate != "refused":
        return "The gate said no; a person promoted it all the same.", "warn"
    return "The gate said no.", "warn"


def rate_words(rates: tuple[Rate, ...]) -> str:
    """How much help was needed, in a sentence."""
    if not rates:
        return "No episode has ended yet."
    trend = trend_of(rates)
    if trend is None:
        return f"{rates[-1].mean:.1f} corrections a minute over the last {min(len(rates), MEAN_OF)} episodes."
    first, last = trend
    change = f", {100 * (last - first) / first:+.0f} %".replace("-", "−") if first else ""
    return f"{last:.1f} corrections a minute over the last {MEAN_OF} episodes, {first:.1f} over the first{change}."


def episode_words(point: EpisodePoint) -> str:
    """One episode, for a tooltip."""
    minutes, seconds = divmod(round(point.seconds), 60)
    end = "succeeded" if point.success else f"reached {point.stage} of {point.stages}"
    return (
        f"{point.episode}, {point.shift or 'nominal'}: {counted(point.corrections, 'correction')} in "
        f"{minutes}:{seconds:02} min, {end}, with {point.version}"
    )


def taught_words(taught: TaughtBy, versions: list[str]) -> str:
    """What there is to say of a correction. versions: names of those that were learned from it."""
    understood = f"understood as “{taught.command}”, " if taught.command and taught.command != taught.text else ""
    where = f" in {taught.episode}" if taught.episode else ""
    who = taught.author or "somebody"
    known = ""
    if versions:
        known = f" Known to {versions[0]}" + (f" and {len(versions) - 1} more." if len(versions) > 1 else " alone.")
    return f"{understood}{who}{where}.{known}"


def change_words(name: str, first: float | None, second: float | None) -> str:
    """A score of two versions in a line, for screen readers."""
    shown = [percent(score) if score is not None else "not measured" for score in (first, second)]
    gain = "" if first is None or second is None else f", {points(second - first)} points"
    return f"{name_of(name)}: {shown[0]} and {shown[1]}{gain}"
