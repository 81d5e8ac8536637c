"""What windows are told of the versions of the policies, and what they may change: registry and feedback log, read on
behalf of one thread that may wait for disks. Knows no sockets and no weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hitl.backend.episode_points import points_of
from hitl.backend.registry import ModelRegistry
from hitl.errors import HitlError
from hitl.events import CorrectionEvent
from hitl.model_messages import EpisodePoint, Models, ModelVersion, TaughtBy
from hitl.sessions.feedback_log import FeedbackLog

SESSIONS = 20
"""Episodes of so many of the newest sessions are told."""
TAUGHT = 40
"""So many of the corrections of each version, the newest, so that the message stays far below its limit."""


class ModelDesk:
    """session: the present one, whose episodes may still come."""

    def __init__(self, registry: ModelRegistry, log: FeedbackLog, session: str) -> None:
        self._registry, self._log, self._session = registry, log, session
        self._points: dict[str, list[EpisodePoint]] = {}
        self._said: dict[str, TaughtBy] = {}

    def models(self, request: str, *, learning: bool, learner: bool, error: str = "") -> Models:
        """The answer to `request`, or what changed where that is empty. What cannot be read is said in `error`."""
        versions: list[ModelVersion] = []
        history: list[str] = []
        episodes: list[EpisodePoint] = []
        try:
            versions, history = self._versions(), self._registry.history()
            episodes = self._episodes()
        except HitlError as problem:
            error = error or str(problem)
        return Models(
            id=request, versions=versions, history=history, episodes=episodes, learning=learning, learner=learner,
            error=error,
        )  # fmt: skip

    def promote(self, name: str) -> str:
        """Let this version act; why not, or nothing."""
        try:
            self._registry.promote(name)
        except HitlError as error:
            return str(error)
        return ""

    def roll_back(self) -> str:
        """Let the version before the current one act again; why not, or nothing."""
        try:
            if len(self._registry.history()) < 2:
                return "There is no version before the one that acts."
            self._registry.roll_back()
        except HitlError as error:
            return str(error)
        return ""

    def _versions(self) -> list[ModelVersion]:
        found = self._registry.describe()
        newest = {version.name: self._registry.lineage(version.name).events[-TAUGHT:] for version in found}
        self._look_up([event for events in newest.values() for event in events])
        return [
            msgspec.structs.replace(version, taught=[self._said[e] for e in newest[version.name] if e in self._said])
            for version in found
        ]

    def _look_up(self, events: Sequence[str]) -> None:
        unknown = [event for event in dict.fromkeys(events) if event not in self._said]
        for event in self._log.find(unknown) if unknown else []:
            if isinstance(event, CorrectionEvent):
                command = event.command if event.command != event.text else ""
                self._said[event.id] = TaughtBy(
                    id=event.id, text=event.text, command=command, author=event.author, episode=event.episode
                )

    def _episodes(self) -> list[EpisodePoint]:
        sessions = sorted(self._log.sessions(SESSIONS))
        for session in sessions:
            if session == self._session or session not in self._points:
                self._points[session] = points_of(self._log.teaching(session=session)[0])
        return [point for session in sessions for point in self._points[session]]
