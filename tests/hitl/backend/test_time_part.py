"""Recordings in a project: labels put and taken, suggestions, what cannot be read; beside texts."""

from __future__ import annotations

import msgspec
import pytest

from hitl.annotation.items import Item, Stretch
from hitl.annotation.presets import preset
from hitl.annotation.project import Projects
from hitl.annotation.schema import Schema, checked
from hitl.backend.reward_project import RewardProject
from hitl.backend.rewards import SegmentEstimate, TimeEstimate, Trained
from hitl.errors import InputError
from hitl.labels import Change, Judged, Rejected, Review
from tests.hitl.backend.test_reward_project import Counting
from tests.support.labelled import PROJECT, item, label, logged, put, span

LENGTH_MS = 8000
STRETCHES = [
    Stretch(start_ms=0, end_ms=3000, text="pick up the block", by="policy"),
    Stretch(start_ms=3000, end_ms=LENGTH_MS, text="go home", by="ann"),
]


def recording(name: str) -> Item:
    return Item(id=name, recording=f"s/{name}", duration_ms=LENGTH_MS, stretches=STRETCHES)


class Watching:
    """Models of recordings that know their labels and are sure of what they are told: head -> chances."""

    def __init__(self) -> None:
        self.labels: dict[str, dict] = {}
        self.encoded: list[str] = []
        self.gone: set[str] = set()
        self.updates = self.reverted = 0
        self.answers = False
        self.f1 = 0.8
        self.chances = {"progress": [0.9] * 20 + [0.1] * 20, "done": [0.1] * 40}
        self.doubts: dict[str, float] = {}

    def encode(self, item: Item) -> None:
        if item.id in self.gone:
            raise InputError("the recording is gone", field="recording", hint="Put it back.")
        self.encoded.append(item.id)

    def put(self, item, labels):
        self.labels[item] = dict(labels)

    def update(self):
        self.answers = any(self.labels.values())
        if not self.answers:
            return None
        self.updates += 1
        known = sum(bool(labels) for labels in self.labels.values())
        return Trained(f"t{self.updates}", {"progress": self.f1}, {}, {"progress": 0.1}, known, 30, 0.1, "AUROC 0.9")

    def revert(self):
        self.reverted += 1

    def promote(self):
        pass

    def close(self):
        self.closed = True

    def estimate(self, item, segments):
        if not self.answers:
            return None
        segment = {
            head: [
                SegmentEstimate(start, end, chance := max(chances[start // 200 : end // 200]), chance > 0.5, -chance)
                for start, end in segments
            ]
            for head, chances in self.chances.items()
        }
        return TimeEstimate(segment, self.chances, dict.fromkeys(self.chances, 0.5), 200, self.doubts.get(item, 0.5))


@pytest.fixture
def times() -> Watching:
    return Watching()


@pytest.fixture
def learned(tmp_path, times):
    made = Projects(tmp_path).create(PROJECT, preset("segments"))
    made.add([recording("one"), recording("two"), recording("three")])
    yield RewardProject(made, [], None, times)
    made.close()


def say(learned, *changes, **fields):
    step = logged(label(*changes, **fields))
    learned.step(step)
    return step


def time_span(start: int, end: int, *categories: str):
    return put(span(start, end, *categories, track="time"), f"{start}-{categories[0]}")


def test_marks_become_labels_and_a_version(learned, times) -> None:
    assert learned.suggestions("one") is None and learned.progress() is None
    step = say(learned, time_span(0, 1000, "mistake"), put(Judged(track="time", start=0, end=3000), ""))
    progress = learned.update()
    found = {(x.start_ms, x.end_ms, x.head, x.value) for x in times.labels["one"].values()}
    assert (0, 1000, "progress", True) in found and (1000, 3000, "progress", False) in found
    assert (progress.version, progress.labelled, progress.f1) == ("t1", 1, {"progress": 0.8})
    assert progress.learned_from == step.id and "AUROC" in progress.reason and "not seen them" in progress.reason
    assert progress.curve[-1].f1 == {"progress": 0.8} and not learned.behind


def test_what_is_undone_is_unlearned_and_no_more_suggested(learned, times) -> None:
    step = say(learned, time_span(5000, 6000, "mistake"))
    learned.update()
    assert learned.suggestions("two").spans and learned.suggestions("two").version == "t1"
    say(learned, Change(key="span:5000-mistake", value=None), undoes=step.id)
    progress = learned.update()
    assert times.labels == {"one": {}} and progress.labelled == 0 and "too few" in progress.reason
    after = learned.suggestions("two")
    assert (after.spans, after.curves, after.segments, after.version) == ([], [], [], "")


def test_everybody_is_learned_from(learned, times) -> None:
    say(learned, time_span(0, 1000, "mistake"))
    say(learned, time_span(0, 1000, "good"), author="bob")
    learned.update()
    assert sorted(label.value for label in times.labels["one"].values()) == [False, True]


def test_suggestions_are_spans_scores_of_stretches_and_curves(learned, times) -> None:
    say(learned, time_span(0, 1000, "unsafe"))
    learned.update()
    found = learned.suggestions("two")
    assert [(s.track, s.start, s.end, s.category, s.probability) for s in found.spans] == [
        ("time", 0, 3000, "mistake", 0.9), ("time", 3000, 4000, "mistake", 0.9)
    ]  # fmt: skip
    assert [(s.start, s.end, s.head) for s in found.segments] == [
        (0, 3000, "progress"), (3000, 8000, "progress"), (0, 3000, "done"), (3000, 8000, "done")
    ]  # fmt: skip
    assert [(curve.head, curve.step_ms, len(curve.probability)) for curve in found.curves] == [
        ("progress", 200, 40), ("done", 200, 40)
    ]  # fmt: skip
    times.chances = {"done": [0.1] * 30 + [0.9] * 10}
    assert [(s.start, s.category) for s in learned.suggestions("two").spans] == [(6000, "done")], "praise alone"


def test_what_the_person_marked_or_rejected_is_not_suggested(learned, times) -> None:
    say(learned, time_span(200, 2900, "mistake"))
    learned.update()
    assert [(s.start, s.end) for s in learned.suggestions("one").spans] == [(3000, 4000)]
    say(learned, put(Rejected(track="time", start=2800, end=4200, category="mistake"), ""))
    learned.update()
    assert learned.suggestions("one").spans == []
    say(learned, time_span(5000, 6000, "mistake"), author="bob")
    learned.update()
    assert len(learned.suggestions("one").spans) == 2, "bob has not answered it"
    assert len(learned.suggestions("two").spans) == 2


def test_one_that_cannot_be_read_says_so_and_the_others_go_on(learned, times) -> None:
    times.gone = {"one"}
    say(learned, time_span(0, 1000, "mistake"))
    assert learned.update() is None and "is gone" in learned.suggestions("one").error
    say(learned, time_span(0, 1000, "mistake"), about="two")
    assert learned.update().labelled == 1 and "one" not in times.labels
    assert learned.suggestions("two").spans and "is gone" in learned.suggestions("one").error
    assert learned.order() == ["two", "one", "three"]
    times.gone = set()
    assert learned.suggestions("one").error == "" and learned.behind, "it is back"
    assert learned.update().labelled == 2 and "one" in times.labels


def test_the_queue_is_by_doubt(learned, times) -> None:
    say(learned, time_span(0, 1000, "mistake"), put(Review(state="done"), ""))
    learned.update()
    for name in ("two", "three"):
        learned.encode(name)
    times.doubts = {"two": 0.2, "three": 0.7}
    assert learned.order() == ["three", "two", "one"]


def test_a_version_that_is_worse_is_not_promoted(learned, times) -> None:
    say(learned, time_span(0, 1000, "mistake"))
    learned.update()
    times.f1 = 0.7
    say(learned, time_span(0, 1000, "mistake"), about="two")
    progress = learned.update()
    assert not progress.promoted and progress.version == "t1" and times.reverted == 1
    assert "fell from 0.80 to 0.70" in progress.reason


def both() -> Schema:
    texts, recordings = preset("fine-grained-rlhf"), preset("segments")
    taken = {category.shortcut for category in texts.categories}
    free = iter(sorted(set("abcdefghijklmnopqrstuvwxyz") - taken))
    return checked(
        Schema(
            name="both",
            heads=[*texts.heads, *recordings.heads],
            categories=[
                *texts.categories,
                *(msgspec.structs.replace(category, shortcut=next(free)) for category in recordings.categories),
            ],
        )
    )


def test_texts_and_recordings_are_one_project(tmp_path, times) -> None:
    texts = Counting()
    made = Projects(tmp_path).create(PROJECT, both())
    made.add([item("text"), recording("one"), recording("two")])
    learned = RewardProject(made, [], texts, times)
    say(learned, put(span(0, 10)), about="text")
    progress = learned.update()
    assert (progress.version, set(progress.f1)) == ("r1", {"factuality"}) and not times.updates
    say(learned, time_span(0, 1000, "mistake"))
    progress = learned.update()
    assert (texts.updates, times.updates) == (1, 1), "only what changed is learned anew"
    assert progress.version == "r1 t1" and set(progress.f1) == {"factuality", "progress"} and progress.labelled == 2
    assert learned.suggestions("text").version == "r1" and learned.suggestions("text").curves == []
    assert learned.suggestions("two").version == "t1" and learned.suggestions("two").preferences == []
    assert {span.track for span in learned.suggestions("text").spans} == {"1", "2"}
    times.doubts = {"one": 0.9, "two": 0.3}
    learned.encode("two")
    assert learned.order() == ["one", "text", "two"]
    learned.close()
    assert texts.closed and times.closed
