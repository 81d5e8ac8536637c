"""What a learner makes of a project, with models that only count."""

from __future__ import annotations

import msgspec
import pytest

from hitl.annotation.items import Output
from hitl.backend.reward_project import RewardProject
from hitl.backend.rewards import Estimate, SegmentEstimate, Trained
from hitl.labels import Change, Preference, Review
from tests.support.labelled import item, label, logged, project, put, span

DONE = put(Review(state="done"), "")


class Counting:
    """Models that know their labels, and answer what they are told to."""

    def __init__(self) -> None:
        self.labels = {}
        self.encoded = []
        self.updates = 0
        self.promoted = 0
        self.reverted = 0
        self.f1 = 0.5
        self.held_out = 30
        self.uncertain = {}
        self.category = ""

    def put(self, name, label):
        self.labels[name] = label

    def remove(self, name):
        del self.labels[name]

    def encode(self, documents):
        self.encoded += [document.id for document in documents]

    def update(self):
        if not self.labels:
            return None
        self.updates += 1
        return Trained(f"r{self.updates}", {"factuality": self.f1}, {"preference": 0.7}, {"factuality": 0.1},
                       len(self.labels), self.held_out, 0.2)  # fmt: skip

    def revert(self):
        self.reverted += 1

    def promote(self):
        self.promoted += 1

    def estimate(self, documents):
        return [self.estimated(document) for document in documents] if self.promoted else []

    def estimated(self, document):
        segments = [
            SegmentEstimate(
                start, end, 0.9 if start == 0 else 0.1, start == 0, -0.4 if start == 0 else 0.4, self.category
            )
            for start, end in document.spans("sentence")
        ]
        score = float(len(document.answer))
        return Estimate({"factuality": segments}, {"preference": score}, self.uncertain.get(document.id, 0.5))

    def close(self):
        self.closed = True


@pytest.fixture
def models():
    return Counting()


@pytest.fixture
def learned(tmp_path, models):
    made = project(tmp_path)
    yield RewardProject(made, [], models)
    made.close()


def say(learned, *changes, **fields):
    step = logged(label(*changes, **fields))
    learned.step(step)
    return step


def test_a_step_becomes_labels_and_a_version(learned, models):
    assert learned.progress() is None and learned.suggestions("one") is None and not learned.behind
    step = say(learned, put(span(0, 10)))
    assert learned.behind
    progress = learned.update()
    assert set(models.labels) == {"factuality@one/1"} and not learned.behind
    assert (progress.version, progress.labelled, progress.promoted) == ("r1", 1, True)
    assert progress.learned_from == step.id and progress.f1 == {"factuality": 0.5}
    assert (
        progress.pairwise == {"preference": 0.7}
        and progress.curve[-1].labelled == 1
        and learned.progress() == progress
    )


def test_the_same_step_twice_and_a_step_that_changes_no_label_teach_nothing(learned, models):
    step = say(learned, put(span(0, 10)))
    learned.update()
    learned.step(step)
    assert not learned.behind
    second = say(learned, put(span(0, 10), "b"))
    progress = learned.update()
    assert models.updates == 1 and progress.version == "r1"
    assert progress.learned_from == second.id, "it knows the step all the same"


def test_what_is_undone_is_unlearned(learned, models):
    step = say(learned, put(span(0, 10)), DONE)
    say(learned, put(Preference(first="1", second="2", winner="first")), about="two")
    learned.update()
    assert "preference@two/1:2" in models.labels and "factuality@one/1" in models.labels
    gone = [Change(key="span:a", value=None), Change(key="review", value=None)]
    say(learned, *gone, undoes=step.id)
    learned.update()
    assert set(models.labels) == {"preference@two/1:2"}


def test_what_is_in_the_log_is_learned_at_the_start(tmp_path, models):
    made = project(tmp_path)
    steps = [logged(label(put(span(0, 10)), author=name)) for name in ("ann", "bob")]
    learned = RewardProject(made, steps, models)
    assert learned.behind and learned.update().labelled == 1
    assert learned.unencoded(9) == ["two", "three"]
    made.close()


def test_features_are_computed_once_and_those_with_labels_first(learned, models):
    say(learned, put(span(0, 10)), about="three")
    assert learned.unencoded(2) == ["three", "one"]
    learned.encode("one")
    learned.encode("one")
    assert models.encoded == ["one/1", "one/2"] and learned.unencoded(9) == ["three", "two"]


@pytest.fixture
def much_to_read(tmp_path, models, monkeypatch):
    """Three labelled items in the log, and time enough to read one of them between two versions."""
    monkeypatch.setattr("hitl.backend.reward_project.REFRESH_S", 1e-9)
    real = iter(range(10**9))
    monkeypatch.setattr("hitl.backend.reward_project.time.monotonic", lambda: next(real) * 0.6e-9)
    made = project(tmp_path)
    steps = [logged(label(put(span(0, 10)), about=about)) for about in ("one", "two", "three")]
    yield RewardProject(made, steps, models)
    made.close()


def test_where_much_is_to_be_read_versions_come_meanwhile_and_the_latest_labels_first(much_to_read, models):
    assert much_to_read.update().labelled == 1 and set(models.labels) == {"factuality@three/1"}
    assert much_to_read.behind
    much_to_read.update()
    assert much_to_read.update().labelled == 3 and not much_to_read.behind


def test_what_is_labelled_now_is_learned_before_what_was_labelled_earlier(much_to_read, models):
    for about in ("one", "two"):
        step = say(much_to_read, put(span(0, 10), "b"), about=about)
    progress = much_to_read.update()
    assert set(models.labels) == {"factuality@one/1", "factuality@two/1"}, "both, however long they take"
    assert progress.learned_from == step.id and much_to_read.behind


def test_earlier_labels_wait_while_somebody_waits(much_to_read, models):
    assert much_to_read.update(lambda: True) is None and not models.labels and much_to_read.behind
    say(much_to_read, put(span(0, 10), "b"), about="one")
    assert much_to_read.update(lambda: True).labelled == 1 and set(models.labels) == {"factuality@one/1"}
    assert much_to_read.update(lambda: False).labelled == 2


def test_a_version_that_is_worse_is_kept_back_and_says_why(learned, models):
    say(learned, put(span(0, 10)))
    learned.update()
    models.f1 = 0.4
    say(learned, put(span(0, 10)), about="two")
    progress = learned.update()
    assert not progress.promoted and progress.version == "r1" and models.reverted == 1 and models.promoted == 1
    assert "fell from 0.50 to 0.40" in progress.reason and len(progress.curve) == 1
    models.f1 = 0.46
    say(learned, put(span(0, 10)), about="three")
    progress = learned.update()
    assert progress.promoted and progress.version == "r3" and "it was 0.50" in progress.reason


def test_with_few_answers_kept_out_every_version_is_promoted(learned, models):
    models.held_out = 19
    for f1, about in ((0.9, "one"), (0.1, "two")):
        models.f1 = f1
        say(learned, put(span(0, 10)), about=about)
        assert learned.update().promoted
    models.f1, models.held_out = float("nan"), 40
    say(learned, put(span(0, 10)), about="three")
    assert learned.update().promoted, "what could not be measured cannot be worse"


def test_the_queue_is_by_doubt_and_without_what_is_done(learned, models):
    models.uncertain = {"two/1": 0.2, "three/1": 0.8}
    assert learned.order() == ["one", "two", "three"], "nothing is known: as imported"
    say(learned, put(span(0, 10)), DONE)
    for name in ("two", "three"):
        learned.encode(name)
    assert learned.update().order == ["one", "two", "three"], "it is ordered when there is time"
    assert learned.order() == ["three", "two", "one"] and learned.progress().order == ["three", "two", "one"]
    models.uncertain = {"two/1": 0.9, "three/1": 0.8}
    assert learned.order() == ["two", "three", "one"]


def test_suggestions_have_the_usual_category_and_rewards(learned, models):
    say(learned, put(span(0, 10, "Unverifiable")))
    say(learned, put(span(0, 10, "Unverifiable")), about="two")
    say(learned, put(span(0, 10)), about="three")
    learned.update()
    found = learned.suggestions("one")
    assert [(s.track, s.start, s.end, s.category) for s in found.spans] == [
        ("1", 0, 25, "Unverifiable"), ("2", 0, 54, "Unverifiable")
    ]  # fmt: skip
    first = found.segments[0]
    assert (first.head, first.probability) == ("factuality", 0.9) and first.reward == pytest.approx(-0.4)
    assert found.preferences == [71.0, 54.0] and found.version == "r1" and found.uncertainty == 0.5


def test_scores_of_outputs_are_in_their_order_also_where_one_has_none(tmp_path, models):
    said = item(outputs=4)
    texts = [" ", "No.", "It was dug in 1912.", ""]
    outputs = [Output(track=output.track, text=text) for output, text in zip(said.outputs, texts, strict=True)]
    made = project(tmp_path, [msgspec.structs.replace(said, outputs=outputs)])
    learned = RewardProject(made, [], models)
    say(learned, put(span(0, 2, track="2")))
    learned.update()
    assert learned.suggestions("one").preferences == [None, 3.0, 19.0, None]
    models.estimated = lambda document: Estimate()  # nobody said which is better
    assert learned.suggestions("one").preferences == []
    made.close()


def test_suggestions_have_the_likeliest_category_where_the_models_tell_one(learned, models):
    models.category = "Wrong-Grounding"
    say(learned, put(span(0, 10, "Unverifiable")))
    learned.update()
    assert [s.category for s in learned.suggestions("one").spans] == ["Wrong-Grounding", "Wrong-Grounding"]
