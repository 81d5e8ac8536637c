from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hitl.bus.delivery import OffsetFilter, OnceOnly, Resender, earliest
from hitl.messages import Ack

SECOND = 1_000_000_000


def test_pauses_double_up_to_the_longest() -> None:
    resender: Resender[str] = Resender(first_s=1.0, longest_s=4.0)
    resender.add("a", "x", 0)
    sent_at = []
    for now_s in range(20):
        for key, item in resender.due(now_s * SECOND):
            assert item == "x"
            resender.sent(key, now_s * SECOND)
            sent_at.append(now_s)
    assert sent_at == [0, 1, 3, 7, 11, 15, 19]


def test_everything_is_due_after_a_reconnect_and_nothing_after_removal() -> None:
    resender: Resender[str] = Resender(first_s=1.0, longest_s=4.0)
    for key in "ab":
        resender.add(key, key, 0)
        resender.sent(key, 0)
    assert resender.due(1) == []
    resender.all_due(1)
    assert [key for key, _ in resender.due(1)] == ["a", "b"]
    assert resender.remove("a") and not resender.remove("a")
    assert [key for key, _ in resender.due(1)] == ["b"]
    assert resender.next_due_ns() == 1 and len(resender) == 1


def test_a_known_key_keeps_its_schedule() -> None:
    resender: Resender[str] = Resender(first_s=1.0, longest_s=4.0)
    resender.add("a", "x", 0)
    resender.sent("a", 0)
    resender.add("a", "x", 0)
    assert resender.due(1) == []


def test_a_resend_is_handed_on_once_and_answered_the_same() -> None:
    once = OnceOnly(patience_s=1.0)
    assert once.offer("a", 0) is True
    assert once.offer("a", SECOND // 2) is False
    once.answered(Ack(id="a", error="no"))
    assert once.offer("a", SECOND) == Ack(id="a", error="no", duplicate=True)


def test_what_nobody_answered_is_handed_on_again() -> None:
    once = OnceOnly(patience_s=1.0)
    assert once.offer("a", 0) is True
    assert once.offer("a", SECOND) is True


def test_only_the_last_ids_are_remembered() -> None:
    once = OnceOnly(capacity=2)
    for key in "abc":
        once.offer(key, 0)
    assert once.offer("a", 0) is True
    assert once.offer("c", 0) is False
    once.answered(Ack(id="never seen"))


@given(st.integers(-(10**15), 10**15), st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), min_size=1))
def test_the_offset_is_within_half_the_best_round_trip(offset: int, delays: list[tuple[int, int]]) -> None:
    kept = OffsetFilter()
    best = []
    for number, (there, back) in enumerate(delays):
        t0 = number * SECOND
        t1 = t0 + there + offset
        kept.add(t0, t1, t1 + 5, t0 + there + 5 + back)
        best = [*best, there + back][-16:]
    assert abs(kept.offset_ns - offset) <= min(best) / 2 + 1
    assert kept.round_trip_ms == best[-1] / 1e6


def test_no_heartbeat_is_no_offset() -> None:
    kept = OffsetFilter()
    assert (kept.offset_ns, kept.round_trip_ms) == (0, 0.0)
    kept.add(0, 10, 10, 0)
    kept.clear()
    assert kept.offset_ns == 0


def test_earliest_ignores_what_is_never() -> None:
    assert earliest([None, 3, 2]) == 2
    assert earliest([None]) is None
