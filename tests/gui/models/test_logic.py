"""What follows from which messages, without a window: lineage, rates, scores, what was forgotten, what is said."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.models.comparing import compare
from gui.models.lineage import lay_out
from gui.models.rates import MEAN_OF, rates_of, top_of, trend_of
from gui.models.scores import curves, interval, matrix_of, percent, points, score_words
from gui.models.table import table_of
from gui.models.words import ago, rate_words, taught_words
from hitl.model_messages import EpisodePoint, ModelVersion, TaughtBy


def version(name: str, parent: str = "", **more: object) -> ModelVersion:
    part = more.pop("part", "packaged" if name == "packaged" else "high_level")
    return ModelVersion(name=name, part=part, parent=parent, **more)  # type: ignore[arg-type]


def point(
    number: int, corrections: int, seconds: float = 60.0, version: str = "v1", session: str = "s"
) -> EpisodePoint:
    return EpisodePoint(episode=f"e{number}", session=session, began="", shift="push", version=version,
                        corrections=corrections, seconds=seconds, stage=1, stages=3, success=False)  # fmt: skip


def placed(versions: list[ModelVersion], history: list[str]) -> dict[str, tuple[int, int, str]]:
    return {node.version.name: (node.row, node.column, node.fate) for node in lay_out(versions, history)}


def test_what_acts_is_a_straight_line_and_the_rest_branches_off():
    versions = [version("packaged"), version("v1", "packaged"), version("v2", "v1", passed=False),
                version("v3", "v1"), version("v4", "v3"), version("v5", "v1")]  # fmt: skip
    assert placed(versions, ["packaged", "v1", "v5"]) == {
        "v5": (0, 0, "acts"),
        "v4": (1, 2, "rolled back"),
        "v3": (2, 2, "rolled back"),
        "v2": (3, 1, "refused"),
        "v1": (4, 0, "earlier"),
        "packaged": (5, 0, "earlier"),
    }


def test_branches_that_are_over_give_their_column_back():
    versions = [version("packaged"), version("v1", "packaged", passed=False), version("v2", "packaged"),
                version("v3", "v2", passed=False), version("v4", "v2")]  # fmt: skip
    assert [placed(versions, ["packaged", "v2", "v4"])[name][1] for name in ("v1", "v3")] == [1, 1]


def test_a_damaged_lineage_is_drawn_all_the_same():
    versions = [version("v1", "v1"), version("v2", "gone"), version("v3", "v4"), version("v4", "v3"), version("v2")]
    nodes = lay_out(versions, ["nobody"])
    assert [node.row for node in nodes] == [0, 1, 2, 3] and [node.version.name for node in nodes][-1] == "v1"
    assert {node.version.name: node.parent and node.parent.version.name for node in nodes} == {
        "v1": None, "v2": None, "v3": None, "v4": "v3"}  # fmt: skip
    assert lay_out([], []) == ()


@st.composite
def lineages(draw: st.DrawFn) -> tuple[list[ModelVersion], list[str]]:
    count = draw(st.integers(1, 14))
    names = [f"v{number}" for number in range(count)]
    versions = [
        version(name, draw(st.sampled_from(["", *names[:place]])), passed=draw(st.booleans()))
        for place, name in enumerate(names)
    ]
    return versions, draw(st.lists(st.sampled_from(names), max_size=5))


@given(lineages())
def test_no_line_runs_through_a_version_that_is_not_its_own(drawn):
    versions, history = drawn
    nodes = lay_out(versions, history)
    assert [node.row for node in nodes] == list(range(len(versions)))
    places = {(node.column, node.row) for node in nodes}
    for node in nodes:
        if node.parent is not None:
            assert node.parent.row > node.row
            assert not {(node.column, row) for row in range(node.row + 1, node.parent.row)} & places
    trunk = next((node for node in nodes if node.fate == "acts"), None)
    while trunk is not None:
        assert trunk.column == 0
        trunk = trunk.parent
    used = {node.column for node in nodes}
    assert used == set(range(len(used))), "no column is left empty"


@given(lineages())
def test_lines_of_different_branches_never_share_a_stretch_of_a_column(drawn):
    nodes = lay_out(*drawn)
    stretches: list[tuple[int, int]] = [
        (node.column, row) for node in nodes if node.parent is not None for row in range(node.row, node.parent.row)
    ]
    assert len(stretches) == len(set(stretches))


def test_rates_are_a_minute_and_the_mean_is_of_all_time():
    rates = rates_of([point(1, 6, 60), point(2, 0, 120), point(3, 5, 0), point(4, 1, 30, version="v2", session="t")])
    assert [rate.rate for rate in rates] == [6.0, 0.0, 2.0], "an episode that took no time is left out"
    assert [rate.mean for rate in rates] == pytest.approx([6.0, 2.0, 2.0])
    assert [rate.version for rate in rates] == ["v1", "", "v2"]
    assert [rate.first for rate in rates] == [True, False, True]
    assert top_of(rates) == 6.0 and top_of(()) == 1.0 and trend_of(rates) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1, 1e4)), max_size=30))
def test_means_lie_among_their_episodes_and_below_the_top(drawn):
    rates = rates_of([point(number, *episode) for number, episode in enumerate(drawn)])
    for place, rate in enumerate(rates):
        last = [other.rate for other in rates[max(0, place - MEAN_OF + 1) : place + 1]]
        assert min(last) - 1e-9 <= rate.mean <= max(last) + 1e-9
        assert 0 <= rate.rate <= top_of(rates)


def test_less_help_is_said_in_a_sentence():
    rates = rates_of([point(number, 4 if number < 5 else 1) for number in range(10)])
    assert rate_words(rates) == "1.0 corrections a minute over the last 5 episodes, 4.0 over the first, −75 %."
    assert rate_words(()) == "No episode has ended yet."
    assert rate_words(rates[:2]) == "4.0 corrections a minute over the last 2 episodes."


def test_intervals_are_wilsons():
    assert interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert interval(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert interval(0.5, 0) is None
    assert score_words(version("v1", scores={"base": 0.5}, counts={"base": 100}), "base") == "50.0 % (40.4 to 59.6)"
    assert score_words(version("v1", scores={"base": 0.5}), "base") == "50.0 %"
    assert (percent(1.0), points(-0.031), points(0.0004)) == ("100 %", "−3.1", "±0")


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_a_score_lies_in_its_interval(score, count):
    low, high = interval(score, count)
    assert 0 <= low <= score + 1e-9 and score - 1e-9 <= high <= 1


def scored(name: str, passed: bool = True, **scores: float) -> ModelVersion:
    return version(name, passed=passed, scores={key.replace("__", "/"): value for key, value in scores.items()})


def test_what_is_lower_than_the_best_before_is_forgotten():
    versions = [scored("v1", base=0.9, task__push=0.5), scored("v2", passed=False, base=0.1), version("v3"),
                scored("v4", base=0.89, task__light=1.0), scored("v5", base=0.8, task__push=0.7)]  # fmt: skip
    matrix = matrix_of(versions)
    assert matrix.tasks == ("base", "task/light", "task/push")
    assert [entry.name for entry in matrix.versions] == ["v1", "v4", "v5"], "what was refused never acted"
    assert matrix.rows[1][2] is None and matrix.rows[0][1] is None
    assert [row[0].slipped for row in matrix.rows] == [False, False, True]
    assert matrix.forgotten == pytest.approx((0.1, 0.0, 0.0))
    assert matrix_of([]).tasks == ()


@given(st.lists(st.dictionaries(st.sampled_from(["base", "task/a", "task/b"]), st.floats(0, 1)), max_size=8))
def test_a_cell_and_what_was_forgotten_come_to_the_best_before(drawn):
    versions = [version(f"v{number}", scores=scores) for number, scores in enumerate(drawn)]
    matrix = matrix_of(versions)
    for column, task in enumerate(matrix.tasks):
        cells = [row[column] for row in matrix.rows if row[column] is not None]
        for place, cell in enumerate(cells):
            best = max(other.score for other in cells[: place + 1])
            assert cell.score + cell.fallen == pytest.approx(best)
        assert matrix.forgotten[column] == cells[-1].fallen
        assert task in {name for scores in drawn for name in scores}


def test_curves_go_over_the_versions_that_were_scored():
    lines = curves([version("packaged"), scored("v1", base=0.9), scored("v2", base=0.8, corrections=0.5)])
    assert [(at.place, at.score) for at in lines["base"]] == [(0, 0.9), (1, 0.8)]
    assert [(at.place, at.score) for at in lines["corrections"]] == [(1, 0.5)]
    assert curves([version("packaged")]) == {}


def taught(*names: str) -> list[TaughtBy]:
    return [TaughtBy(id=name, text=f"do {name}", author="Ada", episode="e1") for name in names]


def test_comparing_says_what_only_one_knows():
    one = version("v1", taught=taught("a", "b"), scores={"base": 0.9, "new": 0.5}, new_commands=["wiggle"])
    other = version("v2", taught=taught("b", "c"), scores={"base": 0.8, "task/push": 1.0})
    found = compare(one, other)
    assert [c.id for c in found.only_first] == ["a"] and [c.id for c in found.only_second] == ["c"]
    assert found.shared == 1 and found.commands_first == ("wiggle",) and found.commands_second == ()
    assert {pair.name: pair.gain for pair in found.scores} == {
        "base": pytest.approx(-0.1), "task/push": None}  # fmt: skip


def test_a_version_as_a_table_reads_back():
    one = version("v1", "packaged", scores={"base": 0.5, "new": 1.0}, counts={"base": 100}, reasons=["Good, it is."],
                  taught=[TaughtBy(id="01A", text='say "left", then\nup', command="go left", author="Ada")],
                  new_commands=["wiggle"], sessions=["s1"])  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(table_of(one))))
    assert {row["what"] for row in rows} == {"fact", "session", "gate", "score", "new command", "correction"}
    (correction,) = [row for row in rows if row["what"] == "correction"]
    assert correction["name"] == 'say "left", then\nup' and correction["value"] == "go left"
    assert correction["id"] == "01A"
    base, new = [row for row in rows if row["what"] == "score"]
    assert float(base["low"]) == pytest.approx(0.4038, abs=1e-4) and new["low"] == ""


@pytest.mark.parametrize("seconds, words", [
    (-3, "0.0 s ago"), (1.24, "1.2 s ago"), (9.96, "10 s ago"), (59.4, "59 s ago"), (59.6, "1 min ago"),
    (60, "1 min ago"), (3599, "59 min ago"), (3599.7, "1 h ago"), (7200, "2 h ago"), (4 * 86400, "4 days ago"),
])  # fmt: skip
def test_time_since_is_said_as_people_do(seconds, words):
    assert ago(seconds) == words


def test_a_correction_says_who_and_which_versions_know_it():
    entry = TaughtBy(id="a", text="open wider", command="open the gripper wider", author="Ada", episode="episode-4")
    assert taught_words(entry, ["v1", "v2"]) == (
        "understood as “open the gripper wider”, Ada in episode-4. Known to v1 and 1 more."
    )
