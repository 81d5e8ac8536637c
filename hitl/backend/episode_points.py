"""How much help each episode of a session needed, from the events of its feedback log. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from hitl.clock import is_ulid, ulid_ms
from hitl.events import EpisodeEvent, LogEvent
from hitl.model_messages import EpisodePoint
from hitl.sessions.feedback_log import views_of


def points_of(events: Sequence[LogEvent]) -> list[EpisodePoint]:
    """One for each episode that ended, in order. Corrections are those that acted, taken back or not; stops are none.
    When an episode began is in its id, and when it ended in that of its event."""
    given = Counter(view.event.episode for view in views_of(events) if view.acted and view.event.grounding != "stop")
    return [_point(event, given[event.episode]) for event in events if isinstance(event, EpisodeEvent)]


def _point(event: EpisodeEvent, corrections: int) -> EpisodePoint:
    ended_ms = ulid_ms(event.id) if is_ulid(event.id) else 0
    began_ms = ulid_ms(event.episode) if is_ulid(event.episode) else ended_ms
    return EpisodePoint(
        episode=event.episode,
        session=event.session,
        began=datetime.fromtimestamp(began_ms / 1000, UTC).isoformat(timespec="seconds"),
        shift=event.shift,
        version=event.version,
        corrections=corrections,
        seconds=max(0, ended_ms - began_ms) / 1000,
        stage=event.stage,
        stages=event.stages,
        success=event.success,
    )
