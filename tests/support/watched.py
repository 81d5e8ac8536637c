"""A recorded session with corrections and its log, a small model and base data to it, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from hitl.clock import new_ulid
from hitl.events import CorrectionEvent, LogEvent, OutcomeEvent
from hitl.segment_shards import Template, write_shards
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.recorded import read_recorded
from hitl.speech.narration import Segment
from policies.hierarchy.checkpoint import write_model
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from tests.support.narrated import CAMERAS, Move, record
from tests.support.recorded import S, command, session_with_commands

PICK, PUT, LEFT = "pick up the red block", "put it in the box", "move the left arm left"
FAMILIES = {PICK: "pick", PUT: "place", LEFT: "motion"}
COMMANDS = [{"text": text, "family": family, "train": [text], "held_out": []} for text, family in FAMILIES.items()]
EPISODE_S = 4.0


def correction(session: str, name: str, at_s: float, text: str = LEFT, **fields: Any) -> CorrectionEvent:
    given: dict[str, Any] = {
        "episode": "e0", "author": "ann", "source": "typed", "text": text, "command": text, "grounding": "exact",
        "similarity": 1.0, "policy_command": PUT, "policy_probability": 0.5, "observations": [], "hold_s": 8.0,
    }  # fmt: skip
    return CorrectionEvent(id=name, session=session, session_ns=round(at_s * S), **{**given, **fields})


def ended(session: str, name: str, at_s: float, state: Any = "done") -> OutcomeEvent:
    return OutcomeEvent(
        id=new_ulid(), session=session, episode="e0", session_ns=round(at_s * S), correction=name, state=state,
        acted=True,
    )  # fmt: skip


def log(data: Path, *events: LogEvent) -> None:
    opened = FeedbackLog(Catalog(data).log_file)
    opened.extend(events)
    opened.close()


def watched_session(data: Path, episodes: int = 3) -> tuple[Session, list[str]]:
    """In each episode the policy picks, a person says "left" from 1.2 s to 2.6 s, and the policy goes on; returns the
    session and the corrections' ids."""
    told, moves, names = [], [], []
    for number in range(episodes):
        at_s, name = number * EPISODE_S, new_ulid()
        told += [(at_s, command(PICK, name=new_ulid())), (at_s + 1.2, command(LEFT, "ann", name))]
        told += [(at_s + 3.0, command(PUT, name=new_ulid()))]
        moves += [Move(at_s + 1.3, at_s + 2.3, (-0.06, 0, 0)), Move(at_s + 3.2, at_s + 3.9, (0.06, 0, 0))]
        names.append(name)
    borders = [number * EPISODE_S for number in range(1, episodes)]
    session = session_with_commands(data, told, episodes * EPISODE_S, moves, borders)
    events: list[LogEvent] = []
    for number, name in enumerate(names):
        at_s = number * EPISODE_S
        events += [correction(session.id, name, at_s + 1.2), ended(session.id, name, at_s + 2.6)]
    log(data, *events)
    return session, names


def base_data(folder: Path, episodes: int = 16) -> Path:
    """Base data of as many episodes, two seconds each, in which the hand goes up or down."""
    ways = ((0, 0, 0.08), (0, 0, -0.08))
    moves = [Move(2.0 * number + 0.3, 2.0 * number + 1.3, ways[number % 2]) for number in range(episodes)]
    borders = [2.0 * number for number in range(1, episodes)]
    session = record(folder / "recorded", [], moves, 2.0 * episodes, borders_s=borders)
    found = read_recorded(session.recording)
    segments = [
        Segment(round(2 * at * S), round((2 * at + 2) * S), (PICK, PUT, LEFT)[at % 3], "", f"e{at}")
        for at in range(episodes)
    ]
    template = Template(CAMERAS, ["red block"], COMMANDS)
    write_shards(folder / "base", session.id, session.recording, found.episodes, segments, template)
    return folder / "base"


def small_model(folder: Path, **config: Any) -> Path:
    """A model folder whose low level is small and has learned nothing; enough of the rest to train it further."""
    torch.manual_seed(0)
    sizes = {"channels": 4, "film_channels": 8, "keypoints": 4, "scene_keypoints": 4, "hidden": 32}
    low_level = LowLevelPolicy(LowLevelConfig(CAMERAS, 1, **{**sizes, **config}))
    bank = functional.normalize(torch.randn(len(FAMILIES), 64), dim=1)
    parts = {
        "command_encoder": {"weight": torch.zeros(1)},
        "low_level": low_level.state_dict(),
        "high_level": {"bank": bank, "answer": torch.ones(2)},
    }
    description = {"bank": list(FAMILIES), "low_level": low_level.config.to_json(), "command": "made for a test"}
    write_model(folder, parts, description)
    return folder
