"""Sessions with corrections, as a backend leaves them on disk, and a model folder to learn on from: the packaged one
with a sample of base data that its high level answers as it does."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from hitl.backend.models import features_of
from hitl.backend.registry import MODEL_FILE, packaged_model
from hitl.clock import new_ulid
from hitl.events import CorrectionEvent, EpisodeEvent, LogEvent, OutcomeEvent, RequestEvent
from hitl.messages import Alternative
from hitl.sessions import moments
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.moments import Moment, MomentStore
from policies.hierarchy import base_moments
from policies.hierarchy.high_level_training import Moments
from policies.hierarchy.policy import HierarchicalPolicy

EPISODES, MOMENTS = 12, 20
WANTED = "go home"
"""What the policy wanted before every correction."""


@dataclass
class Taught:
    """A model folder, what its features are called, and a high level's mean and scale."""

    folder: Path
    features: str
    mean: torch.Tensor
    scale: torch.Tensor
    commands: list[str] = field(default_factory=list)

    def history(self, place: int, noise: int = 0) -> np.ndarray:
        """`(4, features)` somewhere of its own for each place, so that it can be told from the others."""
        where = torch.randn(len(self.mean), generator=torch.Generator().manual_seed(1000 + place))
        around = torch.randn(4, len(self.mean), generator=torch.Generator().manual_seed(noise)) * 0.1
        found: np.ndarray = (self.mean + self.scale * (where + around)).numpy().astype(np.float16)
        return found


def make_model(folder: Path) -> Taught:
    """The packaged model in `folder`, with a small sample of base data."""
    folder.mkdir(parents=True)
    for path in packaged_model().iterdir():
        if path.name != base_moments.FILE:
            os.symlink(path, folder / path.name) if path.name != MODEL_FILE else (folder / MODEL_FILE).write_bytes(
                path.read_bytes()
            )
    policy = HierarchicalPolicy.load(folder, device="cpu")
    high_level = policy.high_level
    made = Taught(folder, features_of(policy), high_level.mean, high_level.scale, list(policy.bank.texts))
    generator = torch.Generator().manual_seed(0)
    count = EPISODES * MOMENTS
    features = made.mean + made.scale * torch.randn(count, len(made.mean), generator=generator)
    episode = torch.arange(EPISODES).repeat_interleave(MOMENTS)
    found = Moments(
        features=features.half(),
        episode=episode,
        command=torch.zeros(count, dtype=torch.long),
        first=torch.searchsorted(episode, episode),
        held_out=episode >= EPISODES - 4,
        per_s=1,
    )
    rows = found.features[found.histories(torch.arange(count))].float()
    with torch.no_grad():
        codes = torch.from_numpy(policy.bank.codes.copy())
        answers = torch.cat([high_level.logits(high_level(part), codes).argmax(1) for part in rows.split(64)])
    found.command.copy_(answers)
    base_moments.save(folder / base_moments.FILE, found, list(policy.bank.texts), high_level)
    return made


@dataclass
class Given:
    """A correction as it stands in the log."""

    id: str
    command: str


class Session:
    """One session in a data folder, into which corrections are written: events, and moments unless told otherwise."""

    def __init__(self, data: Path, taught: Taught) -> None:
        self.session = Catalog(data).new_session()
        self.log = FeedbackLog(Catalog(data).log_file)
        self.path = self.session.folder / moments.FILE
        self._taught = taught
        self._now_ns = 0

    def correct(self, command: str, place: int, *, kept: bool = True, features: str = "", text: str = "") -> Given:
        """An episode in which the policy wanted `WANTED` for three seconds at `place`, and a person then `command`."""
        episode, event = new_ulid(), new_ulid()
        began_ns = self._now_ns
        corrected_ns = began_ns + 3_000_000_000
        self._append(
            CorrectionEvent(
                id=event, session=self.session.id, episode=episode, session_ns=corrected_ns, author="ann",
                source="typed", text=text or command, command=command, grounding="exact", similarity=1.0,
                policy_command=WANTED, policy_probability=0.9, observations=[], hold_s=8.0,
            )
        )  # fmt: skip
        self._append(
            OutcomeEvent(
                id=new_ulid(), session=self.session.id, episode=episode, session_ns=corrected_ns + 2_000_000_000,
                correction=event, state="done", acted=True,
            )
        )  # fmt: skip
        self._append(
            EpisodeEvent(
                id=new_ulid(), session=self.session.id, episode=episode, session_ns=corrected_ns + 3_000_000_000,
                stage=1, stages=4, success=False, shift="nominal",
            )
        )  # fmt: skip
        self._now_ns = corrected_ns + 4_000_000_000
        if kept:
            store = MomentStore(self.path)
            store.put([self._moment(episode, began_ns, at, event, command, place, features) for at in range(12)])
            store.close()
        return Given(event, command)

    def undo(self, given: Given) -> None:
        """Somebody takes it back."""
        self._append(
            RequestEvent(
                id=new_ulid(), session=self.session.id, episode="", session_ns=self._now_ns, author="ann", kind="undo",
                target=given.id,
            )
        )  # fmt: skip

    def close(self) -> None:
        self.log.close()

    def _append(self, event: LogEvent) -> None:
        self.log.append(event)

    def _moment(
        self, episode: str, began_ns: int, at: int, event: str, command: str, place: int, features: str
    ) -> Moment:
        person = at >= 6
        return Moment(
            episode=episode,
            tick=25 * at,
            session_ns=began_ns + at * 500_000_000,
            stage=0,
            command_id=event if person else f"p{episode}",
            command=command if person else WANTED,
            source="person" if person else "policy",
            waits=False,
            wanted=(Alternative(text=WANTED, probability=0.9),),
            history=self._taught.history(place, at),
            features=features or self._taught.features,
        )
