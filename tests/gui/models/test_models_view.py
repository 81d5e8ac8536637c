"""The window of models and the line in Live, in real windows with real keys."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QLabel, QLineEdit, QPushButton, QWidget

from gui import samples as live_samples
from gui.commands import COMMANDS
from gui.main_window import MainWindow
from gui.models import samples
from gui.theme import contrast
from hitl.model_messages import AskModels, Models, PromoteModel, RollBackModel, SetLearning

CONTROL = Qt.KeyboardModifier.ControlModifier


def press(window: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.windowHandle(), key, modifier)


def tell(window: MainWindow, *messages: object) -> None:
    window.model_desk.wall = samples.NOW.timestamp
    window.receive(live_samples.batch(*messages))


def wishes(qtbot, link, kind: type, count: int = 1) -> list:
    def there() -> list:
        return [question for question in link.questions if isinstance(question, kind)]

    qtbot.waitUntil(lambda: len(there()) >= count)
    return there()


def none_of(link, *kinds: type) -> bool:
    return not [question for question in link.questions if isinstance(question, kinds)]


@pytest.fixture
def models(window: MainWindow) -> MainWindow:
    """A window that shows what was learned in the sample session."""
    tell(window, samples.before_the_last(), samples.learned())
    press(window, Qt.Key.Key_4, CONTROL)
    return window


def choose(window: MainWindow, name: str) -> None:
    graph = window.models.graph
    row = next(node.row for node in graph.nodes if node.version.name == name)
    here = graph.currentIndex().row()
    for _step in range(abs(row - here)):
        press(window, Qt.Key.Key_Down if row > here else Qt.Key.Key_Up)
    assert window.model_desk.state.chosen.name == name


def words_of(widget: QWidget) -> str:
    return "\n".join(part.text() for part in widget.findChildren(QLabel) if part.isVisible())


def test_the_window_asks_once_the_backend_is_there(qtbot, window, link):
    (asked,) = wishes(qtbot, link, AskModels)
    assert asked.author == live_samples.AUTHOR


def test_the_key_shows_the_versions_and_gives_them_the_keys(models):
    view = models.models
    assert view.isVisible() and view.graph.hasFocus()
    assert [node.version.name for node in view.graph.nodes][0] == "v0011"
    assert view.graph.currentIndex().row() == 0
    assert "v0011 acts; before it v0010" in words_of(view)
    assert "0.8 corrections a minute" in view.rate.accessibleDescription()


def test_down_chooses_and_enter_promotes(qtbot, models, link):
    choose(models, "v0007")
    assert "The gate let it pass." in words_of(models.models.details)
    press(models, Qt.Key.Key_Return)
    (sent,) = wishes(qtbot, link, PromoteModel)
    assert (sent.name, sent.author) == ("v0007", live_samples.AUTHOR)
    press(models, Qt.Key.Key_Return)
    tell(models, samples.models(id=sent.id, history=[*samples.HISTORY, "v0007"]))
    assert "v0007 acts; before it v0011" in words_of(models.models)
    assert len(wishes(qtbot, link, PromoteModel)) == 1, "the second Enter came while the first waited"


def test_the_one_that_acts_cannot_be_promoted(models, link):
    assert not models.registry.action("models.promote").isEnabled()
    assert not models.models.details.promote.isVisible()


def test_what_the_gate_refused_is_asked_about_once_more(qtbot, models, link):
    choose(models, "v0003")
    shown = words_of(models.models.details)
    assert "The gate said no." in shown and "That is too much forgotten." in shown
    question = models.models.details.question
    assert not question.isVisible()
    press(models, Qt.Key.Key_Return)
    assert question.isVisible() and none_of(link, PromoteModel)
    press(models, Qt.Key.Key_Backspace)
    assert not question.isVisible() and none_of(link, PromoteModel)
    press(models, Qt.Key.Key_Return)
    press(models, Qt.Key.Key_Down)
    assert not question.isVisible(), "another version is looked at"
    press(models, Qt.Key.Key_Up)
    press(models, Qt.Key.Key_Return)
    press(models, Qt.Key.Key_Return)
    assert wishes(qtbot, link, PromoteModel)[0].name == "v0003"


def test_enter_on_a_button_presses_it_and_promotes_nothing(qtbot, models, link):
    choose(models, "v0007")
    models.models.learning.setFocus()
    press(models, Qt.Key.Key_Return)
    assert wishes(qtbot, link, SetLearning)[0].learning is False
    assert none_of(link, PromoteModel)


@pytest.mark.parametrize("place", ["view.models", "view.live"])
def test_one_key_rolls_back_here_and_in_live(qtbot, models, link, place):
    models.registry.trigger(place)
    press(models, Qt.Key.Key_F6)
    (sent,) = wishes(qtbot, link, RollBackModel)
    tell(models, samples.models(id=sent.id, history=samples.HISTORY[:-1]))
    assert models.live.corrections.learned.text() == "rolled back to version v0010, 0.0 s ago"
    assert "F6" in models.models.roll_back.text() and "F6" in models.live.corrections.learned.roll_back.text()


def test_rolling_back_needs_something_to_go_back_to(window, link):
    tell(window, samples.nothing_learned())
    press(window, Qt.Key.Key_F6)
    assert not window.registry.action("models.roll_back").isEnabled() and none_of(link, RollBackModel)
    assert not window.live.corrections.learned.roll_back.isVisible()


def test_learning_is_switched_off_and_on(qtbot, models, link):
    assert "Learning: on" in models.models.learning.text()
    press(models, Qt.Key.Key_L, CONTROL)
    (sent,) = wishes(qtbot, link, SetLearning)
    assert sent.learning is False
    tell(models, samples.models(id=sent.id, learning=False))
    assert "Learning: off" in models.models.learning.text()
    assert "Learning is off" in models.live.corrections.learned.text()
    press(models, Qt.Key.Key_L, CONTROL)
    assert wishes(qtbot, link, SetLearning, 2)[1].learning is True


def test_without_a_backend_nothing_is_sent_and_it_is_said(models, link, unplug):
    unplug(models)
    assert "does not answer" in models.models.notice.text()
    press(models, Qt.Key.Key_F6)
    assert "nothing was changed" in models.models.notice.text() and none_of(link, RollBackModel)


def test_what_could_not_be_done_is_said_with_the_reason(qtbot, models, link):
    press(models, Qt.Key.Key_F6)
    (sent,) = wishes(qtbot, link, RollBackModel)
    tell(models, samples.models(id=sent.id, error="v0010: its folder is gone."))
    assert "its folder is gone" in models.models.notice.text()
    assert "its folder is gone" in models.live.corrections.learned.text()


def test_no_learner_is_said_with_what_to_do(models):
    tell(models, samples.models(learner=False))
    assert "hitl learner" in models.models.notice.text()


def test_before_anything_is_told_it_says_what_is_waited_for(qtbot, window, unplug):
    unplug(window)
    press(window, Qt.Key.Key_4, CONTROL)
    assert "Waiting for the backend." in window.models.waiting.text() and window.models.waiting.isVisible()
    assert not window.live.corrections.learned.isVisibleTo(window.live)


def test_the_empty_state_teaches_and_leads_to_the_box(window):
    tell(window, samples.nothing_learned())
    press(window, Qt.Key.Key_4, CONTROL)
    view = window.models
    assert "appears at the left" in words_of(view.details) and view.details.say.isEnabled()
    QTest.mouseClick(view.details.say, Qt.MouseButton.LeftButton)
    assert window.live.isVisible() and window.live.say.box.hasFocus()


def test_a_second_version_is_compared_by_mouse_and_by_keys(models):
    graph, compare = models.models.graph, models.models.compare
    row = next(node.row for node in graph.nodes if node.version.name == "v0008")
    spot = graph.visualRect(graph.model().index(row, 0)).center()
    QTest.mouseClick(graph.viewport(), Qt.MouseButton.LeftButton, CONTROL, spot)
    assert compare.isVisible()
    shown = words_of(compare)
    assert "v0011 (acts now) and v0008 (rolled back)" in shown and "“that is the wrong one”, Mallory" in shown
    gains = {compare.table.item(place, 0).text(): compare.table.item(place, 3).text()
             for place in range(compare.table.rowCount())}  # fmt: skip
    assert gains["corrections"] == "−13.0" and gains["new object"] == ""
    QTest.mouseClick(graph.viewport(), Qt.MouseButton.LeftButton, CONTROL, spot)
    assert models.models.details.isVisible() and models.model_desk.state.second is None
    press(models, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    press(models, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert models.model_desk.state.second.name == "v0009" and models.model_desk.state.chosen.name == "v0011"
    press(models, Qt.Key.Key_K, CONTROL)
    assert models.model_desk.state.second is None
    choose(models, "v0002")
    press(models, Qt.Key.Key_K, CONTROL)
    assert models.model_desk.state.second.name == "v0011", "the one that acts"


def test_a_correction_leads_to_where_it_was_given(models):
    rows = [live_samples.correction(1, 92, "go higher", "done")]
    entry = samples.taught(1)[0]
    window = models
    window.receive(live_samples.batch(live_samples.correction(1, 92, "go higher", "done").__class__(
        **{**{f: getattr(rows[0], f) for f in rows[0].__struct_fields__}, "id": entry.id})))  # fmt: skip
    taught = window.models.details.list
    assert taught.count() == 14 and not window.models.details.show_in_live.isEnabled()
    taught.setFocus()
    press(window, Qt.Key.Key_Home)
    assert window.models.details.show_in_live.isEnabled()
    assert "Known to v0001 and" in window.models.details.about.text()
    press(window, Qt.Key.Key_Return)
    assert window.live.isVisible() and window.live.corrections.row_view(entry.id).property("found") == "true"


def test_pointing_at_an_episode_says_what_it_was_and_chooses_its_version(models):
    plot = models.models.rate
    plot.setFocus()
    press(models, Qt.Key.Key_Left)
    assert plot.at == len(plot.rates) - 1 and "with v0011" in models.models._trend.text()
    press(models, Qt.Key.Key_Left)
    press(models, Qt.Key.Key_Left)
    press(models, Qt.Key.Key_Space)
    assert models.model_desk.state.chosen.name == "v0010" == plot.version
    QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(round(plot._plot().left()) + 3, 40))
    assert models.model_desk.state.chosen.name == "packaged"


def test_a_row_of_what_was_forgotten_chooses_its_version(models):
    matrix = models.models.matrix
    assert matrix.item(0, 1).text() == "▼ 90" and "−10.0" in matrix.horizontalHeaderItem(1).text()
    matrix.setFocus()
    matrix.setCurrentCell(1, 0)
    press(models, Qt.Key.Key_Return)
    assert models.model_desk.state.chosen.name == "v0010" and matrix.verticalHeaderItem(1).text() == "▸ v0010"


def test_the_curve_chooses_the_nearest_version(models):
    plot = models.models.score
    QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(round(plot._plot().left()) + 2, 40))
    assert models.model_desk.state.chosen.name == "packaged"


def test_exporting_writes_what_the_ending_says(models, tmp_path):
    choose(models, "v0009")
    press(models, Qt.Key.Key_E, CONTROL)
    panel = models.models.panel
    assert panel.isVisible() and panel.field.hasFocus() and panel.field.text().endswith("v0009.csv")
    for wrong, why in ((tmp_path / "a.txt", "neither a table"), (Path("a.csv"), "which folder"),
                       (tmp_path / "no" / "a.csv", "could not be written"),
                       (tmp_path / "no" / "a.png", "could not be written")):  # fmt: skip
        panel.field.setText(str(wrong))
        press(models, Qt.Key.Key_Return)
        assert why in panel.complaint() and panel.isVisible()
    panel.field.setText(str(tmp_path / "v0009.csv"))
    press(models, Qt.Key.Key_Return)
    assert not panel.isVisible() and "Written to" in words_of(models.models.head)
    rows = list(csv.DictReader((tmp_path / "v0009.csv").open(encoding="utf-8")))
    assert len([row for row in rows if row["what"] == "correction"]) == 10
    press(models, Qt.Key.Key_E, CONTROL)
    panel.field.setText(str(tmp_path / "page.png"))
    press(models, Qt.Key.Key_Return)
    assert QImage(str(tmp_path / "page.png")).width() == models.models.width()
    assert models.model_desk.state.chosen.name == "v0009" and not models.registry.keys("models.promote") == ""


def test_the_line_in_live_says_what_was_learned_and_its_time_once_a_second(window, clock):
    tell(window, samples.before_the_last(), samples.learned())
    line = window.live.corrections.learned
    assert line.text() == "learned from 14 corrections, version v0011, 0.0 s ago"
    assert line.property("fresh") == "true"
    clock.advance(0.5)
    window.refresh()
    assert line.text().endswith("0.0 s ago")
    clock.advance(0.7)
    window.refresh()
    assert line.text().endswith("1.2 s ago")
    clock.advance(3)
    window.refresh()
    assert line.property("fresh") == "false", "the mark is there for a moment only"


def test_the_line_in_live_says_why_a_version_was_not_promoted_and_leads_to_it(window):
    tell(window, samples.models(), samples.learned(promoted=False))
    line = window.live.corrections.learned
    assert line.text().startswith("version v0012 was not promoted: ") and "forgotten" in line._words.toolTip()
    QTest.mouseClick(line.models, Qt.MouseButton.LeftButton)
    assert window.models.isVisible()
    assert [node.fate for node in window.models.graph.nodes][:2] == ["refused", "acts"]


def test_keys_of_models_do_nothing_elsewhere(qtbot, window, link):
    tell(window, samples.models())
    press(window, Qt.Key.Key_Return)
    press(window, Qt.Key.Key_K, CONTROL)
    assert none_of(link, PromoteModel) and window.model_desk.state.second is None
    keys = {command.id: command.keys for command in COMMANDS if command.menu == "Models"}
    assert all(keys.values()), "each can be done without a mouse"


def test_back_in_live_the_keys_are_those_of_live(qtbot, models, link):
    press(models, Qt.Key.Key_1, CONTROL)
    assert models.live.isVisible() and not models.live.say.box.hasFocus()
    press(models, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: len(link.requests) == 1)
    assert link.requests[0].text == live_samples.alternatives()[0].text


def test_tab_reaches_everything_and_all_of_it_has_a_name(models):
    reached = set()
    for _step in range(30):
        reached.add(models.focusWidget())
        press(models, Qt.Key.Key_Tab)
    view = models.models
    for part in (view.graph, view.rate, view.learning, view.roll_back, view.export, view.details.list, view.matrix,
                 view.details.compare):  # fmt: skip
        assert part in reached, part
    for kind in (QAbstractButton, QLineEdit, QAbstractItemView):
        for control in view.findChildren(kind):
            if control.objectName().startswith("qt_") or type(control).__name__ in (
                "QTableCornerButton",
                "QHeaderView",
            ):
                continue
            assert control.accessibleName() or isinstance(control, QPushButton) and control.text(), control


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
@pytest.mark.parametrize("text_size", [13, 20])
def test_nothing_is_clipped(qapp, make_window, text_size, size):
    window = make_window(text_size=text_size, size=size)
    tell(window, samples.models(), samples.learned(promoted=False))
    window.registry.trigger("view.models")
    window.model_desk.state.choose("v0012")
    window.model_desk.promote()
    qapp.processEvents()
    assert window.size() == QSize(*size)
    view = window.models
    for control in (window.strip.stop, view.learning, view.roll_back, view.export, view.graph, view.rate, view.score):
        box = control.rect().translated(control.mapTo(window, control.rect().topLeft()))
        assert window.rect().contains(box), control
        assert control.width() >= control.minimumSizeHint().width(), control
        assert control.height() >= control.minimumSizeHint().height(), control
    assert view.rate.height() >= 100 and view.graph.width() >= 200


def test_a_thousand_versions_are_shown(models):
    many = [samples.packaged()]
    for number in range(1, 1001):
        parent = many[-1].name if number % 7 else many[max(0, number - 9)].name
        many.append(samples.version(number, parent, min(number, 16), 0.94, 0.9, (0.9,), 1000 - number))
    tell(models, Models(id="", versions=many, history=["packaged", "v1000"]))
    graph = models.models.graph
    assert len(graph.nodes) == 1001 and graph.nodes[0].fate == "acts"
    press(models, Qt.Key.Key_End)
    assert models.model_desk.state.chosen.name == "packaged"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_numbers_on_colours_can_be_read_in_both_themes(models, mode):
    models.registry.trigger(f"theme.{mode}")
    matrix = models.models.matrix
    text = models._theme.colours.text
    grounds = {matrix.item(row, column).background().color().name()
               for row in range(matrix.rowCount()) for column in range(matrix.columnCount())
               if matrix.item(row, column).text() != "–"}  # fmt: skip
    assert len(grounds) > 4 and all(contrast(text, ground) >= 4.5 for ground in grounds)
    assert (max(int(ground[1:3], 16) for ground in grounds) < 128) == (mode == "dark")
    models.refresh()
    assert matrix.verticalHeaderItem(0).text() == "▸ v0011"
