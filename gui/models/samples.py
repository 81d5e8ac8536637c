"""Sample versions and episodes with which the window of models can be drawn without a backend."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from hitl.model_messages import EpisodePoint, Learned, Models, ModelVersion, TaughtBy

AUTHOR = "Ada"
NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)
"""The moment of the samples as a time of day."""
_SHIFTS = ("arm offset", "box moved", "new object")
_TAUGHT = (
    ("go higher", "", "Ada"),
    ("open wider", "open the left gripper wider", "Ada"),
    ("pick up the blue ball", "", "Tomás"),
    ("not that one, take the blue ball", "pick up the blue ball", "Tomás"),
    ("nudge it left a little", "move the left arm a bit to the left", "Ada"),
    ("a little more", "move the left arm a bit to the left", "Ada"),
    ("go lower", "", "Ada"),
    ("wiggle until it comes loose", "", "Ada"),
    ("put it in the box", "", "Tomás"),
    ("the box is further right now", "move the right arm a bit to the right", "Ada"),
    ("hand it to the left arm", "", "Ada"),
    ("pick up the green cylinder", "", "Tomás"),
    ("careful, higher first", "go higher", "Ada"),
    ("go home", "", "Ada"),
    ("let go now", "open the right gripper", "Tomás"),
    ("that is the wrong one", "pick up the red block", "Mallory"),
)  # fmt: skip


def taught(count: int) -> list[TaughtBy]:
    """The first corrections of the sample session, at most 16."""
    return [
        TaughtBy(id=f"01KAW0000000000000000000{number + 1:02}", text=text, command=command, author=author,
                 episode=f"episode-{1 + number // 3}")
        for number, (text, command, author) in enumerate(_TAUGHT[:count])
    ]  # fmt: skip


def _reasons(base: float, after: float, before: float, kept: bool, better: bool) -> list[str]:
    forgot = "" if kept else " That is too much forgotten."
    worse = "" if better else " They are not answered better."
    return [
        f"On held-out base data it agrees in {base:.1%} (before any correction 94.2%, at most 2 points less are let "
        f"pass).{forgot}",
        f"New corrections are answered as people did in {after:.1%} of moments, {before:.1%} before.{worse}",
    ]


def packaged() -> ModelVersion:
    """The version that ships with hitl."""
    return ModelVersion(name="packaged", part="packaged", scores={"base": 0.942}, counts={"base": 1240})


def version(
    number: int, parent: str, corrections: int, base: float, learned: float, tasks: Sequence[float], minutes: float,
    *, kept: bool = True, better: bool = True, knows: Sequence[TaughtBy] | None = None,
) -> ModelVersion:  # fmt: skip
    """A version that was learned `minutes` before NOW. tasks: scores of the first shifts."""
    known = list(knows) if knows is not None else taught(corrections)
    moments, new = 16 * corrections, 0.97 if better else 0.41
    scores = {"base": base, "base_before": 0.942, "corrections": learned, "new": new, "new_before": 0.38}
    scores |= {f"task/{name}": score for name, score in zip(_SHIFTS, tasks, strict=False)}
    counts = {"base": 1240, "corrections": moments, "new": 32, "new_before": 32}
    counts |= {f"task/{name}": moments // 3 for name, _ in zip(_SHIFTS, tasks, strict=False)}
    made = (NOW - timedelta(minutes=minutes)).isoformat()
    return ModelVersion(
        name=f"v{number:04}", part="high_level", parent=parent, made=made, seconds=0.6 + 0.02 * corrections,
        strategy="replay", corrections=corrections, examples=3 * corrections, sessions=["01KAW0SESSION"],
        new_commands=["wiggle until it comes loose"] if corrections >= 8 else [], passed=kept and better,
        reasons=_reasons(base, new, 0.38, kept, better), scores=scores, counts=counts, taught=known,
    )  # fmt: skip


def versions() -> list[ModelVersion]:
    """A session's lineage: refused ones, a branch from which somebody went back, and one that acts."""
    wrong = [*taught(9), taught(16)[-1]]
    return [
        packaged(),
        version(1, "packaged", 1, 0.941, 1.0, (1.0,), 31),
        version(2, "v0001", 2, 0.940, 0.97, (0.97,), 30),
        version(3, "v0002", 3, 0.908, 0.95, (0.96,), 27, kept=False),
        version(4, "v0002", 4, 0.938, 0.93, (0.95, 0.78), 25),
        version(5, "v0004", 6, 0.937, 0.94, (0.94, 0.86), 21),
        version(6, "v0005", 7, 0.936, 0.92, (0.95, 0.9), 18),
        version(7, "v0006", 9, 0.935, 0.95, (0.96, 0.93), 14),
        version(8, "v0007", 10, 0.931, 0.84, (0.85, 0.8), 11, knows=wrong),
        version(9, "v0007", 10, 0.934, 0.96, (0.95, 0.94, 0.7), 8),
        version(10, "v0009", 12, 0.933, 0.95, (0.94, 0.95, 0.83), 5),
        version(11, "v0010", 14, 0.932, 0.97, (0.9, 0.96, 0.92), 0.02),
    ]


HISTORY = ["packaged", "v0001", "v0002", "v0004", "v0005", "v0006", "v0007", "v0009", "v0010", "v0011"]


def failed() -> ModelVersion:
    """A version that the gate refused."""
    return version(12, "v0011", 15, 0.897, 0.93, (0.91, 0.95, 0.9), 0.01, kept=False)


def episodes() -> list[EpisodePoint]:
    """Episodes of two sessions; the later ones need less help."""
    acting = ["packaged"] * 6 + ["v0002"] * 4 + ["v0004", "v0005", "v0006", "v0007", "v0007", "v0009", "v0009",
              "v0010", "v0010", "v0010", "v0011", "v0011"]  # fmt: skip
    source = random.Random(3)
    found = []
    for number, name in enumerate(acting):
        help_needed = 5.2 * (1 - number / len(acting)) ** 1.3
        corrections = max(0, round(help_needed + source.uniform(-1.2, 1.2)))
        success = source.random() < 0.25 + 0.7 * number / len(acting)
        found.append(EpisodePoint(
            episode=f"episode-{number + 1}", session="01KAW0EARLIER" if number < 6 else "01KAW0SESSION",
            began=(NOW - timedelta(minutes=2 * (len(acting) - number))).isoformat(), shift=_SHIFTS[number % 3],
            version=name, corrections=corrections, seconds=60 + 40 * source.random(), stage=3 if success else 2,
            stages=3, success=success,
        ))  # fmt: skip
    return found


def models(**changes: object) -> Models:
    """What a backend tells in mid-session, with `changes` to its fields."""
    fields: dict[str, object] = {"id": "", "versions": versions(), "history": list(HISTORY), "episodes": episodes()}
    return Models(**{**fields, **changes})  # type: ignore[arg-type]


def nothing_learned() -> Models:
    """What a backend tells before the first correction."""
    return models(versions=[packaged()], history=["packaged"], episodes=[])


def before_the_last() -> Models:
    """What a backend told before the last version."""
    return models(versions=versions()[:-1], history=HISTORY[:-1])


def learned(promoted: bool = True) -> Learned:
    """The last version has taken over; or the one after it was refused."""
    newest = versions()[-1] if promoted else failed()
    return Learned(id="01L", version=newest, promoted=promoted, newest_event=newest.taught[-1].id,
                   waited_s=1.3 if promoted else 0.0)  # fmt: skip


def renamed(old: ModelVersion, name: str) -> ModelVersion:
    """The same version under another name."""
    return replace(old, name=name)
