"""What a person does with keys and mouse, in real windows."""

from __future__ import annotations

import pytest
import shiboken6
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QWidget

from gui import samples
from gui.commands import COMMANDS
from gui.connection import Connection, Opened
from gui.main_window import MainWindow
from gui.theme import Theme
from gui.widgets.rail import build_menu
from hitl.errors import InputError
from hitl.messages import (
    MAX_TEXT_CHARS,
    Ack,
    Correction,
    CorrectionStatus,
    NewEpisode,
    Release,
    Resume,
    SetHold,
    StopAck,
    Undo,
)


def press(window: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key as the window system does: to the window, which finds the focus and the shortcuts."""
    QTest.keyClick(window.windowHandle(), key, modifier)


def requests(qtbot, link, count: int) -> list:
    qtbot.waitUntil(lambda: len(link.requests) >= count)
    return link.requests


def test_slash_goes_to_the_box_and_enter_sends(qtbot, window, link):
    press(window, Qt.Key.Key_Slash)
    assert window.live.say.box.hasFocus()
    QTest.keyClicks(window.live.say.box, "go 2 cm higher")
    press(window, Qt.Key.Key_Return)
    (sent,) = requests(qtbot, link, 1)
    assert isinstance(sent, Correction)
    assert (sent.text, sent.author, sent.source) == ("go 2 cm higher", samples.AUTHOR, "typed")
    assert window.live.say.box.text() == ""
    assert not window.live.say.box.hasFocus()
    assert window.state.newest_rows()[0].state == "sent"


@pytest.mark.parametrize("number", range(1, 6))
def test_digits_send_the_alternative_on_them(qtbot, window, link, number):
    press(window, Qt.Key(Qt.Key.Key_0 + number))
    (sent,) = requests(qtbot, link, 1)
    assert sent.text == samples.alternatives()[number - 1].text
    assert sent.source == "key"


def test_digits_in_the_box_are_text(qtbot, window, link):
    window.live.say.focus()
    press(window, Qt.Key.Key_1)
    assert window.live.say.box.text() == "1"
    assert not link.requests


def test_a_key_without_alternative_sends_nothing(qtbot, window, link):
    window.receive(samples.batch(samples.policy_command().__class__(command_id="x", text="go home", source="policy")))
    press(window, Qt.Key.Key_1)
    press(window, Qt.Key.Key_Slash)
    assert window.live.say.box.hasFocus()
    assert not link.requests


@pytest.mark.parametrize("place", ["nowhere", "box", "palette", "episode", "menu", "settings", "keys", "completer"])
def test_escape_stops_from_anywhere_once(qtbot, window, link, place):
    match place:
        case "box":
            window.live.say.focus()
            QTest.keyClicks(window.live.say.box, "half a thou")
        case "palette":
            window.registry.trigger("view.palette")
        case "episode":
            window.registry.trigger("robot.new_episode")
        case "menu":
            window.rail.menu.popup(window.mapToGlobal(window.rect().center()))
        case "settings":
            window.registry.trigger("view.settings")
            window.settings.findChild(QLineEdit).setFocus()
        case "keys":
            window.registry.trigger("view.settings")
            window.settings._key_fields["robot.resume"].setFocus()
        case "completer":
            window.live.say.focus()
            QTest.keyClicks(window.live.say.box, "pick")
            assert window.live.say.box.completer().popup().isVisible()
    popup = QGuiApplication.focusWindow()
    QTest.keyClick(popup or window.windowHandle(), Qt.Key.Key_Escape)
    assert len(link.stops) == 1
    assert window.state.stop_asked == link.stops[0]
    if place == "box":
        assert window.live.say.box.text() == "half a thou"
        assert not window.live.say.box.hasFocus()
    if place == "keys":
        assert window.registry.keys("robot.stop") == "Esc"
        assert window.registry.keys("robot.resume") == "Ctrl+R"


def test_every_press_of_escape_asks_again(window, link, clock):
    press(window, Qt.Key.Key_Escape)
    clock.advance(0.2)
    press(window, Qt.Key.Key_Escape)
    assert len(link.stops) == 2


def test_the_stop_button_acts_on_the_press(window, link):
    QTest.mousePress(window.strip.stop, Qt.MouseButton.LeftButton)
    assert len(link.stops) == 1
    QTest.mouseRelease(window.strip.stop, Qt.MouseButton.LeftButton)
    assert len(link.stops) == 1


def test_resume_shows_only_while_stopped(qtbot, window, link):
    resume = window.registry.action("robot.resume")
    assert not resume.isEnabled()
    press(window, Qt.Key.Key_Escape)
    assert not resume.isEnabled(), "the robot has not confirmed the stop yet"
    assert "has not answered" in window.live.notice.text()
    window.receive(samples.batch(StopAck(id=link.stops[0].id, tick=1, stamp_ns=0), samples.robot("stopped")))
    assert resume.isEnabled()
    press(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert isinstance(requests(qtbot, link, 1)[0], Resume)
    window.receive(samples.batch(samples.robot("running")))
    assert not resume.isEnabled()


def type_words(window: QWidget, words: str) -> None:
    window.live.say.focus()
    QTest.keyClicks(window.live.say.box, words)
    press(window, Qt.Key.Key_Return)
    assert window.live.say.box.text() == ""


@pytest.mark.parametrize("words", ["stop", "wait"])
def test_a_typed_stop_pauses_and_resume_is_offered(window, link, words):
    type_words(window, words)
    (stop,) = link.stops
    assert stop.by_words and words in stop.reason and not link.requests
    window.receive(samples.batch(StopAck(id=stop.id, tick=1, stamp_ns=0), samples.robot("paused")))
    assert window.registry.action("robot.resume").isEnabled() and window.strip._state.text() == "Paused"
    assert "go on" in window.live.notice.text() and window.live.command._tag.accessibleName() == "Paused"


def test_typed_go_on_resumes_by_words(qtbot, window, link):
    window.receive(samples.batch(samples.robot("paused")))
    type_words(window, "go on")
    (sent,) = requests(qtbot, link, 1)
    assert isinstance(sent, Resume) and sent.by_words and not window.state.newest_rows()[0].text == "go on"


def test_typed_go_on_without_a_backend_is_refused_and_never_kept(window, link, unplug):
    unplug(window)
    type_words(window, "go on")
    assert "does not go on" in window.live.notice.text() and not link.requests


def test_typed_scratch_that_undoes_the_newest_or_says_that_there_is_none(qtbot, window, link):
    type_words(window, "scratch that")
    (sent,) = requests(qtbot, link, 1)
    assert isinstance(sent, Undo) and sent.target == samples.corrections()[-1].id
    window.state.rows.clear()
    type_words(window, "scratch that")
    assert "nothing to take back" in window.live.notice.text() and len(link.requests) == 1


def test_typed_commands_that_only_begin_like_words_for_the_loop_are_said(qtbot, window, link):
    type_words(window, "keep going left")
    (sent,) = requests(qtbot, link, 1)
    assert isinstance(sent, Correction) and sent.text == "keep going left"


def test_undo_by_key_takes_back_the_newest_of_this_person(qtbot, window, link):
    press(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    (sent,) = requests(qtbot, link, 1)
    newest = samples.corrections()[-1]
    assert isinstance(sent, Undo) and sent.target == newest.id
    assert window.state.rows[newest.id].undoing
    window.receive(samples.batch(samples.correction(8, 671, "go lower", "undone")))
    assert window.state.rows[newest.id].state == "undone"
    assert not window.live.corrections.row_view(newest.id).undo.isVisible()


def test_undo_in_an_empty_box_is_the_windows_undo(qtbot, window, link):
    window.live.say.focus()
    press(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert isinstance(requests(qtbot, link, 1)[0], Undo)


def test_undo_in_a_box_with_text_is_the_boxs_undo(window, link):
    window.live.say.focus()
    QTest.keyClicks(window.live.say.box, "abc")
    press(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.live.say.box.text() != "abc"
    assert not link.requests


def test_undo_of_a_row(qtbot, window, link):
    row = samples.corrections()[1]
    QTest.mouseClick(window.live.corrections.row_view(row.id).undo, Qt.MouseButton.LeftButton)
    assert requests(qtbot, link, 1)[0].target == row.id


def test_release_only_while_a_person_is_obeyed(qtbot, window, link):
    assert not window.registry.action("robot.release").isEnabled()
    window.receive(samples.batch(samples.person_command()))
    press(window, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert isinstance(requests(qtbot, link, 1)[0], Release)


def test_new_episode_with_seed_and_shift(qtbot, window, link):
    press(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert window.episode_panel.isVisible()
    QTest.keyClicks(window.episode_panel.focusWidget() or window.episode_panel._seed, "17")
    window.episode_panel._shift.setCurrentText("push")
    press(window, Qt.Key.Key_Return)
    (sent,) = requests(qtbot, link, 1)
    assert isinstance(sent, NewEpisode) and (sent.seed, sent.shift) == (17, "push")
    assert not window.episode_panel.isVisible()


def test_what_was_understood_is_told_with_undo(window):
    window.receive(samples.batch(samples.person_command(), rows=[*samples.corrections(), samples.acting()]))
    assert "understood as" in window.live.command._why.text()
    assert window.live.command._undo.isVisible()
    assert window.live.command._tag.accessibleName() == "You"


@pytest.mark.parametrize("text, part", [("", "nothing to send"), ("   ", "nothing to send"), ("up\x07", "U+0007"),
                                        ("x" * (MAX_TEXT_CHARS + 1), "501 characters")])  # fmt: skip
def test_text_that_cannot_be_sent_stays_with_a_reason(window, link, text, part):
    window.live.say.box.setText(text)
    window.live.say.focus()
    press(window, Qt.Key.Key_Return)
    assert part in window.live.say.complaint()
    assert window.live.say.box.text() == text
    assert window.live.say.box.hasFocus()
    assert not link.requests
    window.live.say.box.clear()
    QTest.keyClicks(window.live.say.box, "go up")
    assert window.live.say.complaint() == ""


def test_a_pasted_megabyte_is_refused_and_nothing_is_lost(window, link):
    megabyte = "move up " * (1 << 17)
    QGuiApplication.clipboard().setText(megabyte)
    window.live.say.focus()
    QTest.keyClicks(window.live.say.box, "draft")
    press(window, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert window.live.say.box.text() == "draft"
    assert "too long to paste" in window.live.say.complaint()
    assert QGuiApplication.clipboard().text() == megabyte
    assert not link.requests


def test_what_cannot_be_kept_returns_to_the_box(qtbot, window, link):
    link.disk_full = True
    window.live.say.box.setText("go up")
    window.live.say.send()
    qtbot.waitUntil(lambda: window.live.say.box.text() == "go up")
    assert "disk is full" in window.live.notice.text()
    assert window.state.newest_rows()[0].state == "failed"


def test_words_kept_from_an_earlier_start_are_listed(qtbot, make_window):
    kept = Correction(id="01KAW1", author="Ada", stamp_ns=0, text="go up")
    window = make_window(kept=(kept,))
    qtbot.waitUntil(lambda: "01KAW1" in window.state.rows)
    assert window.state.rows["01KAW1"].state == "sent"


def test_the_palette_lists_every_command_and_runs_one(window, link):
    press(window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert window.palette_panel.shown_ids() == [command.id for command in COMMANDS]
    for letter in "stop rob":
        QTest.keyClick(window.windowHandle(), letter)
    assert window.palette_panel.shown_ids() == ["robot.stop"]
    press(window, Qt.Key.Key_Return)
    assert len(link.stops) == 1
    assert not window.palette_panel.isVisible()


def test_the_menu_lists_every_command(window):
    menu = build_menu(window.registry, window.rail)
    listed = {action.objectName() for part in menu.actions() for action in part.menu().actions()}
    assert listed == {command.id for command in COMMANDS}


def test_keys_are_unique_and_changes_are_kept(window, preferences):
    taken = [(command, window.registry.keys(command.id)) for command in COMMANDS if window.registry.keys(command.id)]
    for place, (command, keys) in enumerate(taken):
        assert not [other.id for other, same in taken[place + 1 :] if same == keys and other.meets(command)]
    with pytest.raises(InputError, match="is taken by"):
        window.registry.set_keys("robot.resume", "Ctrl+Z")
    with pytest.raises(InputError, match="may mark a category"):
        window.registry.set_keys("robot.resume", "g")
    with pytest.raises(InputError, match="always stops"):
        window.registry.set_keys("robot.stop", "F12")
    window.registry.set_keys("robot.resume", "F9")
    window.settings.keys_changed.emit()
    assert preferences.keys == {"robot.resume": "F9"}


def test_every_setting_takes_effect(qtbot, window, link, preferences):
    window.settings._preferences.set("hold_s", 4.0)
    window._setting_changed("hold_s")
    assert isinstance(requests(qtbot, link, 1)[0], SetHold)
    window.correct("go up", "typed")
    assert requests(qtbot, link, 2)[1].hold_s == 4.0
    window._set("author", "Grace")
    window.correct("go up", "typed")
    assert requests(qtbot, link, 3)[2].author == "Grace"
    window.registry.trigger("theme.dark")
    assert window._theme.dark and preferences.theme == "dark"
    before = window.live.say.box.fontMetrics().height()
    window.registry.trigger("text.bigger")
    assert preferences.text_size == 14
    assert window.live.say.box.fontMetrics().height() >= before


def test_an_impossible_address_is_told_and_the_window_goes_on(window, preferences):
    window.settings._keep(next(s for s in _settings() if s.key == "hold_s"), 9e9)
    assert "out of range" in window.settings.complaint("hold_s")
    assert preferences.hold_s == 0.0


def _settings():
    from gui.preferences import SETTINGS

    return SETTINGS


def test_the_geometry_is_remembered(window, preferences):
    window.close()
    assert preferences.geometry is not None and not preferences.geometry.isEmpty()


def test_hints_point_once_and_never_cover_stop(window, preferences):
    preferences.hints_seen = False
    window.registry.trigger("help.hints")
    stop = window.strip.stop.rect().translated(window.strip.stop.mapTo(window, window.strip.stop.rect().topLeft()))
    for _hint in range(3):
        assert window.hints.isVisible()
        assert not window.hints.geometry().intersects(stop)
        window.hints.advance()
    assert not window.hints.isVisible()
    assert preferences.hints_seen


def test_every_control_has_a_name_for_screen_readers(window):
    for kind in (QAbstractButton, QLineEdit):
        for control in window.findChildren(kind):
            if control.objectName().startswith("qt_") or isinstance(control.parent(), QLineEdit):
                continue
            named = control.accessibleName() or control.text() or control.parent().accessibleName()
            assert named, f"{control} in {control.parent()}"


def test_tab_goes_from_the_box_to_the_alternatives(window):
    window.live.say.focus()
    press(window, Qt.Key.Key_Tab)
    assert window.live.command.choices.buttons[0].hasFocus()


@pytest.mark.parametrize("text_size", [13, 16, 20])
def test_nothing_is_clipped_at_1280_by_800(qapp, make_window, text_size):
    window = make_window(text_size=text_size)
    rows = [*samples.corrections(), samples.acting()]
    window.receive(samples.batch(samples.backend(), samples.robot(), samples.person_command(), rows=rows))
    qapp.processEvents()
    assert window.size() == QSize(1280, 800)
    for control in [window.strip.stop, window.strip.new_episode, window.live.say.box, window.live.say._send,
                    *window.live.command.choices.buttons, window.live.command._undo,
                    window.live.command._release]:  # fmt: skip
        box = control.rect().translated(control.mapTo(window, control.rect().topLeft()))
        assert window.rect().contains(box), control
        assert control.height() >= control.fontMetrics().height(), control
        assert control.width() >= min(control.sizeHint().width(), control.minimumSizeHint().width()), control
    overhead = window.live.cameras.view("overhead")
    assert overhead.height() >= 200
    assert window.live.command._line.fitting_pt() >= 28


def test_a_stale_picture_is_marked_after_200_ms(window, clock):
    view = window.live.cameras.view("overhead")
    assert not view.stale
    clock.advance(0.19)
    window.refresh()
    assert view.stale, "the sample picture was 20 ms old when it came"
    assert "stale" in view.accessibleDescription()
    window.live.cameras.show_pictures(samples.pictures(-200_000_000))
    window.refresh()
    assert not view.stale


def test_the_state_of_a_correction_is_followed(qtbot, window, link):
    window.correct("go up", "typed")
    (sent,) = requests(qtbot, link, 1)
    view = window.live.corrections.row_view(sent.id)
    assert "sent" in view._state.text()
    for message, word in [
        (Ack(id=sent.id), "saved"),
        (_status(sent.id, "acting"), "acting"),
        (_status(sent.id, "done"), "done"),
    ]:
        window.receive(samples.batch(message))
        assert word in view._state.text()


def _status(row_id: str, state: str) -> CorrectionStatus:
    return CorrectionStatus(id=row_id, text="go up", command="go higher", grounding="near", similarity=0.9,
                            state=state, author="Ada", session_ns=1, episode="e")  # fmt: skip


def test_a_hint_goes_with_what_it_points_at_and_comes_back(window, preferences):
    preferences.hints_seen = False
    window.registry.trigger("help.hints")
    assert window.hints.isVisible()
    window.show_place("view.settings")
    assert not window.hints.isVisible() and not preferences.hints_seen
    window.show_place("view.live")
    assert window.hints.isVisible()
    window.hints.advance()
    window.hints.advance()
    window.hints.advance()
    window.show_place("view.settings")
    window.show_place("view.live")
    assert not window.hints.isVisible() and preferences.hints_seen


def test_hints_are_not_shown_where_they_point_at_nothing(qtbot, qapp, preferences, link, clock):
    preferences.hints_seen = False
    theme = Theme("light", 13)
    window = MainWindow(lambda _address: Connection(lambda: Opened(link), clock), preferences, theme, clock=clock)
    window.show_place("view.annotate")
    window.show()
    window.start()
    qtbot.wait(50)
    assert not window.hints.isVisible() and not preferences.hints_seen
    window.close()
    shiboken6.delete(window)
