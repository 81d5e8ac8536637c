"""Sample data with which every view can be drawn without a backend: messages and pictures of a short session.

The pictures are renders of the simulated cell, shipped as JPEG beside this file. Nothing of this runs in a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from PySide6.QtCore import QSize
from PySide6.QtGui import QImage

from gui.connection import Batch, Health, Opened, Picture
from hitl.messages import (
    Alternative,
    BackendStatus,
    CommandStatus,
    CorrectionState,
    CorrectionStatus,
    Frame,
    Grounding,
    Message,
    Mode,
    Request,
    RobotState,
    Stop,
    Task,
    Welcome,
)  # fmt: skip
from hitl.model_messages import TeachNothing
from hitl.speech.ear_messages import ToEar

AUTHOR = "Ada"
NOW_NS = 3_600_000_000_000
"""The moment of the samples on the window's clock."""
CAMERAS = ("overhead", "front", "left_wrist", "right_wrist")
MICROPHONES = ["USB microphone", "HD Pro Webcam C920: USB Audio (hw:1,0)", "Built-in audio"]
HEADSET = "Studio headset"

_FOLDER = Path(__file__).with_name("sample_pictures")
_MINUTE_NS = 60_000_000_000
_SESSION_NS = 11 * _MINUTE_NS + 42_000_000_000
_EPISODE = "episode-4"
_BANK = [
    "pick up the red block", "pick up the green cylinder", "pick up the blue ball", "put it in the box",
    "hand it to the left arm", "move the left arm a bit to the left", "open the left gripper wider", "go higher",
    "go lower", "go home", "hold still",
]  # fmt: skip


class SampleLink:
    """A link that nothing comes from; it remembers what it was asked to send."""

    connected = True
    offset_ns = 0
    unsaved = 0
    round_trip_ms = 0.4
    refused = ""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.stops: list[Stop] = []

    def submit(self, request: Request) -> None:
        """Remember a request."""
        self.requests.append(request)

    def stop(self, stop: Stop) -> None:
        """Remember a stop."""
        self.stops.append(stop)

    def send(self, message: Message) -> bool:
        """Nobody answers."""
        return True

    def poll(self, timeout_ms: int) -> list[object]:
        """Nothing ever comes."""
        return []

    def wake(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def open_sample() -> Opened:
    """What a Connection opens when only samples are shown."""
    return Opened(SampleLink())


def pictures(age_ns: int = 0, sizes: dict[str, QSize] | None = None) -> dict[str, Picture]:
    """The four cameras, `age_ns` old at NOW_NS."""
    result = {}
    for camera in CAMERAS:
        image = QImage(str(_FOLDER / f"{camera}.jpg"))
        result[camera] = Picture(camera, image, image.size(), NOW_NS - age_ns, NOW_NS - age_ns)
    return result


def frame(camera: str = "overhead", stamp_ns: int = NOW_NS) -> tuple[Frame, bytes]:
    """One camera's picture as it comes over the wire."""
    path = _FOLDER / f"{camera}.jpg"
    size = QImage(str(path)).size()
    head = Frame(camera=camera, tick=1, stamp_ns=stamp_ns, height=size.height(), width=size.width(), encoding="jpeg")
    return head, path.read_bytes()


def robot(mode: Mode = "running", reason: str = "") -> RobotState:
    """The robot at 50 Hz, two of three objects packed."""
    task = Task(name="pack the box", stage=2, stages=3, finished=False, success=False, note="2 of 3 objects packed")
    return RobotState(
        tick=3600, stamp_ns=NOW_NS, episode=_EPISODE, mode=mode, reason=reason, command_id="01", chunk=90,
        rate_hz=50.0, task=task,
    )  # fmt: skip


def backend(**changes: object) -> BackendStatus:
    """A healthy backend, with `changes` to its fields."""
    fields: dict[str, object] = dict(
        session="01KAW0SESSION", session_ns=_SESSION_NS, robot="connected", robot_name="aloha",
        policy="aloha-packing v1", device="cpu", episode=_EPISODE, episode_ns=72_000_000_000, action_latency_ms=12.0,
        shifts=["arm offset", "new object", "box moved", "slippery gripper", "push", "other light"], events_saved=14,
        recording="session.mcap", commands=len(_BANK),
    )  # fmt: skip
    return BackendStatus(**{**fields, **changes})  # type: ignore[arg-type]


def alternatives() -> list[Alternative]:
    """What the policy would do next."""
    texts = ("put it in the box", "go higher", "open the left gripper wider", "hand it to the right arm", "go home")
    chances = (0.61, 0.19, 0.09, 0.06, 0.03)
    return [Alternative(text=text, probability=chance) for text, chance in zip(texts, chances, strict=True)]


def policy_command() -> CommandStatus:
    """The policy's own command."""
    return CommandStatus(
        command_id="01P", text="pick up the red block", source="policy", probability=0.87, done_probability=0.42,
        since_ns=NOW_NS - 2_000_000_000, alternatives=alternatives(),
    )  # fmt: skip


def unsure_command(failing: str = "", tried: int = 0) -> CommandStatus:
    """The policy asks which of two commands is right. failing: what does not seem to work, tried so often."""
    asked = [Alternative(text="pick up the blue ball", probability=0.44),
             Alternative(text="put it in the box", probability=0.39), *alternatives()[1:4]]  # fmt: skip
    return msgspec.structs.replace(
        policy_command(), text=asked[0].text, probability=0.44, done_probability=0.0, alternatives=asked,
        unsure=[each.text for each in asked[:2]], unsure_until_ns=NOW_NS + 2_000_000_000, failing=failing, tried=tried,
    )  # fmt: skip


def person_command() -> CommandStatus:
    """A person's command, understood as one of the bank."""
    return CommandStatus(
        command_id=_row_id(9), text="move the left arm a bit to the left", source="person", author=AUTHOR,
        said="nudge it left a little", probability=0.97, done_probability=0.31, alternatives=alternatives(),
    )  # fmt: skip


def _row_id(number: int) -> str:
    return f"01KAW0000000000000000000{number:02}"


def correction(
    number: int, at_s: int, text: str, state: CorrectionState, *, command: str = "", grounding: Grounding = "exact",
    similarity: float = 1.0, author: str = AUTHOR,
) -> CorrectionStatus:  # fmt: skip
    """One correction, given `at_s` seconds into the session."""
    return CorrectionStatus(
        id=_row_id(number), text=text, command=command or text, grounding=grounding, similarity=similarity,
        state=state, author=author, session_ns=at_s * 1_000_000_000, episode=_EPISODE,
    )  # fmt: skip


def corrections() -> list[CorrectionStatus]:
    """Corrections in several states; the oldest first."""
    return [
        correction(1, 92, "pick up the green cylinder", "done"),
        correction(2, 208, "go higher", "done"),
        correction(3, 214, "a little more", "undone", grounding="new", similarity=0.41),
        correction(4, 402, "open wider", "done", command="open the left gripper wider", grounding="near",
                   similarity=0.86),
        correction(5, 455, "not that one, take the blue ball", "replaced", command="pick up the blue ball",
                   grounding="near", similarity=0.81, author="Tomás"),
        correction(6, 470, "pick up the blue ball", "done", author="Tomás"),
        correction(7, 612, "wiggle until it comes loose", "released", grounding="new", similarity=0.38),
        correction(8, 671, "go lower", "done"),
    ]  # fmt: skip


def teach_nothing() -> TeachNothing:
    """A small motion that teaches the high level nothing."""
    reasons = {_row_id(8): "it guides a hand"}
    return TeachNothing(id="01N", session="01KAW0SESSION", reasons=reasons)


def acting(state: CorrectionState = "acting") -> CorrectionStatus:
    """The correction that runs under `person_command`."""
    return correction(9, 700, "nudge it left a little", state, command="move the left arm a bit to the left",
                      grounding="near", similarity=0.83)  # fmt: skip


def asked() -> CorrectionStatus:
    """Spoken words that may mean two things."""
    status = correction(9, 700, "turn it to the white", "asked", command="go right", grounding="near", similarity=0.66)
    choices = ["go right", "turn the right gripper clockwise"]
    return msgspec.structs.replace(status, source="voice", certainty="low", choices=choices)


def ignored() -> CorrectionStatus:
    """Spoken words that are no command."""
    status = correction(9, 700, "what a lovely day", "ignored", grounding="new", similarity=0.1)
    return msgspec.structs.replace(status, source="voice", certainty="low")


class SampleEar:
    """An ear that hears nothing."""

    def start(self) -> None:
        """Nothing to start."""

    def ask(self, message: ToEar) -> None:
        """Nobody listens."""

    def change(self, environment: Mapping[str, str]) -> None:
        """Nothing to change."""

    def close(self) -> None:
        """Nothing to end."""


def welcome(rows: list[CorrectionStatus]) -> Welcome:
    """The first answer of a backend."""
    return Welcome(id="01W", protocol=1, session="01KAW0SESSION", session_start_ns=0, commands=_BANK, corrections=rows)


def batch(
    *messages: Message, rows: list[CorrectionStatus] | None = None, connected: bool = True, unsaved: int = 0,
    picture_age_ns: int | None = 20_000_000, error: str = "",
) -> Batch:  # fmt: skip
    """All that a window needs to show one moment; `picture_age_ns` None leaves the pictures out."""
    known = [welcome(corrections() if rows is None else rows)] if connected else []
    health = Health(connected, 0, unsaved, 0.4 if connected else 0.0, error)
    shown = pictures(picture_age_ns) if picture_age_ns is not None else {}
    return Batch(messages=[*known, *messages], pictures=shown, health=health)
