"""What the window knows of versions of the policies, from messages; what a person chose; what it has to ask next.

Times are ns of this computer's monotonic clock, given by the caller. `wall_s` is the time of day as seconds since
1970, from which the age of a version follows that was there before this window. Knows nothing of Qt or sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from gui.models.lineage import fate_of
from hitl.clock import new_ulid
from hitl.messages import Message
from hitl.model_messages import (
    AskModels,
    EpisodePoint,
    Learned,
    Models,
    ModelVersion,
    PromoteModel,
    RollBackModel,
    SetLearning,
)

ASK_AGAIN_NS = 2_000_000_000
"""What was asked and not answered for so long is asked again; questions may be lost with a link."""
LATE_NS = 5_000_000_000
"""A wish that is not answered for so long is told as such. It is not sent again: a second roll back is another one."""
SHOWN_NS = 12_000_000_000
"""So long Live says why something was not done; Models says it until something is."""
FRESH_NS = 3_000_000_000
"""So long a version that has just taken over is marked."""

Wish = PromoteModel | RollBackModel | SetLearning
How = Literal["learned", "promoted", "rolled back"]


@dataclass(frozen=True)
class TakeOver:
    """A version began to act. since_ns: when, None where that is not known; seen: while this window was there;
    waited_s: from the newest correction being saved to the controller answering with it, 0 where that is not told."""

    version: ModelVersion
    how: How
    since_ns: int | None
    seen: bool
    waited_s: float = 0.0


class ModelsState:
    """Versions and episodes as the backend told them last. `author` is who asks."""

    def __init__(self, author: str) -> None:
        self.author = author
        self.connected = False
        self.known = False
        """Whether the backend told its versions."""
        self.versions: list[ModelVersion] = []
        """Oldest first."""
        self.history: list[str] = []
        self.episodes: list[EpisodePoint] = []
        self.learning = True
        self.learner = True
        self.error = ""
        """Why the last wish was not done; empty where it was, or where nothing was wished."""
        self.changes = 0
        """Counts whatever changes what is to be shown, time aside."""
        self.take_over: TakeOver | None = None
        self.refused: ModelVersion | None = None
        """A version that the gate refused since the last one took over."""
        self._error_ns = -SHOWN_NS
        self._answered = False
        """Whether this backend told its versions since the link is there."""
        self._asked_ns = -ASK_AGAIN_NS
        self._wish: Wish | None = None
        self._wished_ns = 0
        self._chosen = ""
        self._second = ""
        self.asked = ""
        """Name of the refused version about which it is asked once more whether it is to act."""

    # -- the link -----------------------------------------------------------------------------------------------------

    def link(self, connected: bool, now_ns: int) -> None:
        """Whether the backend is there; all is asked anew when it comes back."""
        if connected and not self.connected:
            self._asked_ns = -ASK_AGAIN_NS
            self._answered = False
        if not connected and self._wish is not None:
            self._wish = None
            self._fail("The backend went away before it answered. Look at what acts when it is back.", now_ns)
        self.changes += connected != self.connected
        self.connected = connected

    def asks(self, now_ns: int) -> list[AskModels]:
        """What has to be asked now."""
        if not self.connected or self._answered or now_ns - self._asked_ns < ASK_AGAIN_NS:
            return []
        self._asked_ns = now_ns
        return [AskModels(id=new_ulid(), author=self.author)]

    # -- what came in -------------------------------------------------------------------------------------------------

    def apply(self, message: Message, now_ns: int, wall_s: float) -> bool:
        """Take one message in; whether it said anything of versions."""
        match message:
            case Models():
                self._models(message, now_ns, wall_s)
            case Learned():
                self._learned(message, now_ns)
            case _:
                return False
        self.changes += 1
        return True

    def _models(self, told: Models, now_ns: int, wall_s: float) -> None:
        before, known = list(self.history), {version.name for version in self.versions}
        first = not self.known
        self.versions, self.history = list(told.versions), list(told.history)
        self.episodes, self.learning, self.learner = list(told.episodes), told.learning, told.learner
        self.known = self._answered = True
        if self._wish is not None and told.id == self._wish.id:
            self._wish = None
        if told.error:
            self._fail(told.error, now_ns)
        acts = self.acts
        if acts is None:
            self.take_over = None
        elif first or not before:
            self.take_over = TakeOver(acts, "learned", _since(acts.made, now_ns, wall_s), seen=False)
        elif before[-1] != acts.name:
            self.refused, self.error = None, ""
            back = len(self.history) < len(before)
            how: How = "rolled back" if back else "promoted" if acts.name in known else "learned"
            self.take_over = TakeOver(acts, how, now_ns, seen=True)
        elif self.take_over is not None:
            told_so = self.take_over
            self.take_over = TakeOver(acts, told_so.how, told_so.since_ns, told_so.seen, told_so.waited_s)

    def _learned(self, told: Learned, now_ns: int) -> None:
        version = told.version
        if version.name in {known.name for known in self.versions}:
            self.versions = [version if known.name == version.name else known for known in self.versions]
        else:
            self.versions = [*self.versions, version]
        if not told.promoted:
            self.refused = version
            return
        self.refused, self.error = None, ""
        if not self.history or self.history[-1] != version.name:
            self.history = [*self.history, version.name]
        before = self.take_over
        since_ns = before.since_ns if before is not None and before.version.name == version.name else now_ns
        self.take_over = TakeOver(version, "learned", since_ns, seen=True, waited_s=told.waited_s)

    # -- what a person wants ------------------------------------------------------------------------------------------

    def wish(self, wish: Wish, now_ns: int) -> list[Wish]:
        """Have something done: what is to be sent. Nothing without a backend, or while another wish waits; why is in
        `error` then."""
        if not self.connected:
            self._fail("The backend does not answer, so nothing was changed. Try again when it is there.", now_ns)
            return []
        if self.waiting(now_ns):
            return []
        self.error = ""
        self.changes += 1
        self._wish, self._wished_ns = wish, now_ns
        return [wish]

    def waiting(self, now_ns: int) -> bool:
        """Whether what was wished is not answered yet. After LATE_NS it is given up, and `error` says so."""
        if self._wish is not None and now_ns - self._wished_ns >= LATE_NS:
            self._wish = None
            self._fail("The backend has not answered for 5 s. Try again if it is not done.", now_ns)
        return self._wish is not None

    def _fail(self, why: str, now_ns: int) -> None:
        self.error, self._error_ns = why, now_ns
        self.changes += 1

    def choose(self, name: str) -> None:
        """Look at this version; nothing is compared any more."""
        self._chosen, self._second, self.asked = name, "", ""
        self.changes += 1

    def compare_with(self, name: str) -> None:
        """Compare the chosen version with this one; the same or none: no more."""
        chosen = self.chosen
        self._second, self.asked = "" if chosen is None or chosen.name == name else name, ""
        self.changes += 1

    def ask_about(self, name: str) -> None:
        """Ask once more whether this refused version is to act; empty: ask no more."""
        self.asked = name
        self.changes += 1

    # -- what follows from it -----------------------------------------------------------------------------------------

    def version(self, name: str) -> ModelVersion | None:
        """The version of this name."""
        return next((version for version in reversed(self.versions) if version.name == name), None)

    @property
    def acts(self) -> ModelVersion | None:
        """The version that acts."""
        return self.version(self.history[-1]) if self.history else None

    @property
    def before(self) -> str:
        """Name of the version that rolling back makes act; empty where there is none."""
        return self.history[-2] if len(self.history) > 1 else ""

    @property
    def chosen(self) -> ModelVersion | None:
        """The version that is looked at: the one that a person chose, else the one that acts, else the newest."""
        return self.version(self._chosen) or self.acts or (self.versions[-1] if self.versions else None)

    @property
    def second(self) -> ModelVersion | None:
        """The version that the chosen one is compared with."""
        return self.version(self._second) if self._second else None

    @property
    def only_packaged(self) -> bool:
        """Whether nothing was learned yet."""
        return all(version.part == "packaged" for version in self.versions)

    @property
    def compared_first(self) -> str:
        """Name of the version that it is natural to compare the chosen one with: the one that acts, or else the one
        that it stems from; empty where there is none."""
        chosen, acts = self.chosen, self.acts
        if chosen is None:
            return ""
        if acts is not None and acts.name != chosen.name:
            return acts.name
        return chosen.parent if self.version(chosen.parent) is not None else ""

    def must_ask(self, version: ModelVersion) -> bool:
        """Whether promoting it is asked about once more, as the gate had said no."""
        return not version.passed and fate_of(version, self.history) == "refused"

    def new_error(self, now_ns: int) -> str:
        """Why the last wish was not done, for a moment after it was told."""
        return self.error if now_ns - self._error_ns < SHOWN_NS else ""

    def fresh(self, now_ns: int) -> bool:
        """Whether a version has just taken over while this window was there."""
        over = self.take_over
        return over is not None and over.seen and over.since_ns is not None and now_ns - over.since_ns < FRESH_NS

    def knowing(self, correction: str) -> list[str]:
        """Names of the versions that were learned from a correction, oldest first."""
        return [version.name for version in self.versions if any(c.id == correction for c in version.taught)]


def moment_of(made: str) -> datetime | None:
    """A time as versions write it (ISO 8601, UTC); None where it is none."""
    try:
        found = datetime.fromisoformat(made)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _since(made: str, now_ns: int, wall_s: float) -> int | None:
    found = moment_of(made)
    return None if found is None else now_ns - max(0, round((wall_s - found.timestamp()) * 1e9))
