"""A sample recording with which the time track can be drawn without a backend: an episode of the packing demo."""

from __future__ import annotations

import math
from pathlib import Path

from gui.annotate.samples import AUTHOR, PROJECT
from gui.connection import RecordedPictures
from hitl.annotation.items import Item, Stretch
from hitl.annotation.presets import preset
from hitl.annotation.schema import Schema
from hitl.annotation_messages import (
    Camera,
    ChanceCurve,
    Counts,
    CurvePoint,
    ItemOpened,
    OpenItem,
    OpenProject,
    OpenRecording,
    Pictures,
    Progress,
    ProjectOpened,
    RecordingOpened,
    SegmentScore,
    ShowPictures,
    Suggestion,
    Suggestions,
)
from hitl.events import LabelEvent
from hitl.labels import TIME_TRACK, Change, Judged, Span, Unsure, Value, key_of

ITEM = "episode-4"
BARE = "episode-5"
_FOLDER = Path(__file__).parent.with_name("sample_pictures")
CAMERAS = ("overhead", "front", "left_wrist", "right_wrist")
_EVERY_MS = 100
_COMMANDS = (
    (3_420, "move the left arm over the red block", "policy"), (2_180, "pick up the red block", "policy"),
    (1_430, "a bit to the left", "Ada"), (2_610, "pick up the red block", "policy"),
    (4_100, "lift the red block over the box", "policy"), (1_240, "go higher", "Ada"),
    (2_950, "put the red block into the box", "policy"), (1_700, "open the left gripper", "policy"),
    (3_600, "move the right arm over the blue block", "policy"), (2_330, "pick up the blue block", "policy"),
    (4_480, "lift the blue block over the box", "policy"), (1_150, "wait", "Tomás"),
    (3_040, "put the blue block into the box", "policy"), (2_770, "move both arms back", "policy"),
)  # fmt: skip


def _stretches() -> list[Stretch]:
    found, at = [], 0
    for length, text, by in _COMMANDS:
        found.append(Stretch(start_ms=at, end_ms=at + length, text=text, by=by))
        at += length
    return found


def schema() -> Schema:
    """Good, mistake, unsafe, done."""
    return preset("segments")


def items() -> list[Item]:
    """A recording with its commands; one without."""
    stretches = _stretches()
    return [
        Item(id=ITEM, prompt="Pack the box: 2 of 3 done\nshift: nominal\ncorrected by Ada, Tomás\n"
             "episode 4 of 6, recorded 2026-11-24 09:12 UTC",
             recording="2026-11-24-a/episode-4", duration_ms=stretches[-1].end_ms, stretches=stretches),
        Item(id=BARE, prompt="Pack the box.", recording="2026-11-24-a/episode-5", duration_ms=21_640),
    ]  # fmt: skip


def duration_ms() -> int:
    """Length of the sample recording."""
    return items()[0].duration_ms


def project_opened(question: OpenProject) -> ProjectOpened:
    """The project, as a backend would open it."""
    counts = [Counts(item=item.id, state="new") for item in items()]
    counts += [Counts(item=f"episode-{number}", state="new") for number in range(6, 31)]
    return ProjectOpened(id=question.id, project=question.project, projects=[PROJECT, "packing"], schema=schema(),
                         items=counts, authors=[AUTHOR, "Tomás"], learner=True)  # fmt: skip


def item_opened(question: OpenItem, steps: list[LabelEvent] | None = None) -> ItemOpened:
    """An item, as a backend would open it."""
    item = next((item for item in items() if item.id == question.item), items()[1])
    return ItemOpened(id=question.id, project=question.project, item=item, steps=steps or [])


def recording_opened(question: OpenRecording, error: str = "", cameras: tuple[str, ...] = CAMERAS) -> RecordingOpened:
    """What can be seen of it."""
    times = list(range(0, duration_ms(), _EVERY_MS))
    found = [] if error else [Camera(name=name, times_ms=times) for name in cameras]
    return RecordingOpened(id=question.id, project=question.project, item=question.item, cameras=found, error=error)


def pictures(question: ShowPictures) -> RecordedPictures:
    """The pictures that were asked for."""
    jpeg = (_FOLDER / f"{question.camera}.jpg").read_bytes()
    times = [ms for ms in range(0, duration_ms(), _EVERY_MS) if question.start_ms <= ms < question.end_ms]
    message = Pictures(id=question.id, project=question.project, item=question.item, camera=question.camera,
                       times_ms=times, finished=True)  # fmt: skip
    return RecordedPictures(message, tuple(jpeg for _ in times))


def span(start: int, end: int, *categories: str, **more: object) -> Span:
    """A span on the time track."""
    return Span(track=TIME_TRACK, start=start, end=end, categories=list(categories), **more)  # type: ignore[arg-type]


def event(number: int, values: list[Value], author: str = AUTHOR) -> LabelEvent:
    """A step that puts values under keys of its own."""
    changes = [Change(key=key_of(value, f"01KAW00000000000000001{number:02}{place:02}"), value=value)
               for place, value in enumerate(values)]  # fmt: skip
    return LabelEvent(id=f"01KAW0000000000000000001{number:02}", session="01KAW0SESSION", session_ns=0, author=author,
                      project=PROJECT, item=ITEM, changes=changes, spent_s=83.0)  # fmt: skip


def marked() -> LabelEvent:
    """Spans that lie in and beside each other; stretches that were looked at, and one that nobody can judge."""
    places = _stretches()
    judged: list[Value] = [Judged(track=TIME_TRACK, start=place.start_ms, end=place.end_ms) for place in places[:6]]
    unsure = Unsure(track=TIME_TRACK, start=places[6].start_ms, end=places[6].end_ms)
    return event(1, [
        span(700, 3_420, "good"),
        span(4_300, 5_800, "mistake", note="the gripper closes beside the block"),
        span(4_900, 5_500, "unsafe"),
        span(7_100, 9_640, "good"),
        span(12_400, 13_900, "mistake", "unsafe"),
        span(16_900, 17_900, "done"),
        *judged, unsure,
    ])  # fmt: skip


def of_tomas() -> LabelEvent:
    """What another person marked."""
    return event(2, [
        span(4_200, 5_600, "mistake"),
        span(7_000, 9_640, "good"),
        span(17_000, 17_930, "done"),
        span(33_200, 34_400, "unsafe", note="the arms nearly touch"),
    ], "Tomás")  # fmt: skip


def _chance(ms: float, places: tuple[tuple[int, int], ...], base: float) -> float:
    seconds = ms / 1000
    noise = 0.05 * math.sin(1.9 * seconds) + 0.03 * math.sin(7.3 * seconds + 1)
    peaks = sum(0.8 * math.exp(-(((ms - middle) / wide) ** 2)) for middle, wide in places)
    return max(0.01, min(0.99, base + noise + peaks))


def suggestions(item: str = ITEM) -> Suggestions:
    """What the model would mark, what it thinks of every moment, and what each stretch earns."""
    step, length = 200, duration_ms()
    moments = range(0, length, step)
    mistakes, unsafe = ((5_000, 900), (13_200, 700), (26_500, 1_100)), ((5_200, 400), (33_900, 700))
    done = ((17_400, 600), (34_900, 900))
    curves = [
        ChanceCurve(head=head, step_ms=step, probability=[_chance(ms, places, base) for ms in moments])
        for head, places, base in (("progress", mistakes, 0.12), ("safety", unsafe, 0.06), ("done", done, 0.05))
    ]
    found = [(4_200, 5_900, "mistake", 0.83), (12_500, 13_900, "mistake", 0.64), (25_600, 27_400, "mistake", 0.71),
             (33_300, 34_500, "unsafe", 0.77), (17_000, 17_930, "done", 0.88)]  # fmt: skip
    spans = [Suggestion(track=TIME_TRACK, start=start, end=end, category=key, probability=chance)
             for start, end, key, chance in found]  # fmt: skip
    segments = []
    for place in _stretches():
        middle = (place.start_ms + place.end_ms) / 2
        for head, places, weight in (("progress", mistakes, 1.0), ("safety", unsafe, 2.0)):
            chance = _chance(middle, places, 0.1)
            segments.append(SegmentScore(track=TIME_TRACK, start=place.start_ms, end=place.end_ms, head=head,
                                         probability=chance, reward=weight * (0.5 - chance)))  # fmt: skip
    return Suggestions(project=PROJECT, item=item, version="t7", spans=spans, segments=segments, curves=curves,
                       uncertainty=0.55)  # fmt: skip


def progress() -> Progress:
    """What the learner has learned so far."""
    scores = [(4, 0.28, 0.2, 0.4), (9, 0.41, 0.33, 0.52), (15, 0.52, 0.41, 0.66), (22, 0.57, 0.49, 0.7)]
    curve = [CurvePoint(labelled=count, f1={"progress": p, "safety": s, "done": d}) for count, p, s, d in scores]
    return Progress(project=PROJECT, version="t7", labelled=22, held_out=6, f1=curve[-1].f1, curve=curve,
                    order=[item.id for item in items()], seconds=3.1,
                    reason="Better on held-out items than the version before.")  # fmt: skip
