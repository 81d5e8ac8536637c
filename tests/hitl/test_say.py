"""`hitl say` with a hub at the other end: what each kind of words sends."""

from __future__ import annotations

from typing import Any

import pytest

from hitl.bus.addresses import outbox_path
from hitl.bus.outbox import Outbox
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.messages import Correction, CorrectionStatus, Resume, Stop, Undo
from hitl.say import say


def status(text: str, state: Any = "done", author: str = "ann") -> CorrectionStatus:
    return CorrectionStatus(
        id=new_ulid(), text=text, command=text, grounding="exact", similarity=1.0, state=state, author=author,
        session_ns=0, episode="e",
    )  # fmt: skip


def test_words_are_a_correction(settings: Settings, other: Any) -> None:
    assert say("keep going left", settings, wait_s=20.0) == 'saved: "keep going left"'
    (sent,) = other.got
    assert isinstance(sent, Correction) and (sent.text, sent.author) == ("keep going left", "ann")


@pytest.mark.parametrize("text", ["stop", "wait"])
def test_a_typed_stop_goes_to_the_robot_and_words_may_end_it(settings: Settings, other: Any, text: str) -> None:
    assert "tick 7" in say(text, settings, wait_s=20.0)
    assert other.got and all(isinstance(stop, Stop) and stop.by_words for stop in other.got)


def test_go_on_resumes_by_words_only(settings: Settings, other: Any) -> None:
    assert "go on" in say("ok, go on", settings, wait_s=20.0)
    (sent,) = other.got
    assert isinstance(sent, Resume) and sent.by_words


def test_go_on_is_not_kept_for_a_backend_that_is_not_there(settings: Settings) -> None:
    with pytest.raises(UnavailableError, match="does not go on: no backend answered"):
        say("go on", settings, wait_s=0.1)
    outbox = Outbox(outbox_path(settings))
    assert outbox.pending() == []
    outbox.close()


def test_scratch_that_takes_back_the_newest_of_this_person_that_can_be(settings: Settings, other: Any) -> None:
    older, newest = status("go left"), status("go higher", "acting")
    other.corrections = [
        older, newest, status("go right", "undone"), status("hm", "ignored"), status("go home", author="eve")
    ]  # fmt: skip
    assert say("scratch that", settings, wait_s=20.0) == 'saved: taken back "go higher"'
    (sent,) = other.got
    assert isinstance(sent, Undo) and sent.target == newest.id


def test_scratch_that_with_nothing_to_take_back_says_so(settings: Settings, other: Any) -> None:
    other.corrections = [status("go right", "undone"), status("go home", author="eve")]
    with pytest.raises(InputError, match="ann has no correction"):
        say("scratch that", settings, wait_s=20.0)
    assert other.got == []
