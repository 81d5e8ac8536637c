"""What to tell a person about the state of things, in sentences: what happened, what is safe, what to do. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gui.state import LiveState, Notice, Row
from hitl.messages import CommandStatus, CorrectionStatus

Tone = Literal["plain", "good", "warn", "danger", "accent"]

PAUSED = "Say or type “go on”, or press Resume."
"""What ends a stop by words."""


@dataclass(frozen=True)
class Item:
    """One entry of the status bar: words, their tone, and an explanation."""

    name: str
    text: str
    tone: Tone = "plain"
    tip: str = ""


def clock_text(nanoseconds: int) -> str:
    """`nanoseconds` as minutes and seconds, hours only where there are some."""
    seconds = max(0, nanoseconds) // 1_000_000_000
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"


def waiting_notice(state: LiveState, now_ns: int, address: str) -> Notice | None:
    """Why nothing is to be seen yet; None when all that is needed is there."""
    match state.phase(now_ns):
        case "offline" if state.link_error:
            return Notice("There is no link to a backend.", state.link_error, "danger")
        case "offline":
            return Notice(
                "Waiting for the backend.",
                f"It should answer at {address}. Start it with “hitl backend”. "
                "What you write meanwhile is kept on this computer and sent once, when it answers.",
            )
        case "starting":
            return Notice("The backend is starting.", "It loads its models; this takes a few seconds.")
        case "no_robot":
            waits = state.backend.waiting_for if state.backend else ""
            return Notice(_sentence(f"Waiting for {waits or 'the robot'}"), "Start one with “hitl robot”.")
    return None


def trouble_notice(state: LiveState, now_ns: int) -> Notice | None:
    """What is wrong while pictures may still be shown; None if nothing is."""
    phase = state.phase(now_ns)
    if state.stop_asked is not None:
        return Notice("Stop requested. The robot has not answered yet.", "It is asked again until it does.", "danger")
    if phase == "offline" and state.backend is not None:
        kept = "The robot holds still by itself. What you write is kept."
        return Notice(
            "The backend does not answer.", state.refusal.title if state.refusal is not None else kept, "warn"
        )
    if phase == "robot_stale":
        return Notice("The robot does not answer.", "The pictures are old. It holds still by itself.", "warn")
    if phase == "fault" and state.robot is not None:
        reason = state.robot.reason or "The driver reported a fault."
        return Notice("The robot stopped with a fault.", f"{reason} Resume when the cause is gone.", "danger")
    if state.refusal is not None:
        return state.refusal
    if phase == "paused":
        return Notice("Paused by words.", PAUSED, "warn")
    if phase in ("running", "holding") and state.backend is not None and state.backend.waiting_for:
        return Notice(_sentence(f"Waiting for {state.backend.waiting_for}"), "", "warn")
    return None


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def row_words(row: Row, connected: bool) -> tuple[str, Tone]:
    """The state of a correction in a word or two, and its tone."""
    if row.undoing:
        return "undoing", "plain"
    words: dict[str, tuple[str, Tone]] = {
        "sent": ("sent", "plain") if connected else ("not sent yet", "warn"),
        "saved": ("saved", "plain"),
        "acting": ("acting", "accent"),
        "done": ("done", "good"),
        "released": ("released", "plain"),
        "expired": ("time is up", "plain"),
        "replaced": ("replaced", "plain"),
        "undone": ("undone", "plain"),
        "refused": ("refused", "danger"),
        "failed": ("not kept", "danger"),
        "asked": ("asks which", "warn"),
        "ignored": ("not a command", "plain"),
    }
    return words[row.state]


def doubt_words(state: LiveState, now_ns: int) -> str:
    """What the policy asks, and until when; or that what a person said has no effect. Empty where neither is so."""
    command = state.command
    if command is None:
        return ""
    tries = f" ({command.tried} tries)" if command.tried > 1 else ""
    fails = f"“{command.failing}” does not seem to work{tries}." if command.failing else ""
    if not state.unsure:
        return fails
    left_s = round(state.unsure_left(now_ns)[0])
    return f"{fails or 'Which is right?'} Press 1 or 2, or say it; goes on by itself in {left_s} s."


def doubt_spoken(command: CommandStatus) -> str:
    """The same for ears: the two commands with their keys."""
    first, second = command.unsure
    fails = f"{command.failing} does not seem to work. " if command.failing else ""
    return f"{fails}1: {first}, or 2: {second}?"


def answer_words(status: CorrectionStatus) -> str:
    """What became of spoken words, for the caption."""
    if status.state == "asked":
        return f"“{status.text}”: which one, 1 or 2?"
    if status.state == "ignored":
        return f"“{status.text}” is no command."
    if status.certainty == "middle" or status.grounding == "near":
        return f"“{status.text}”, understood as “{status.command}”"
    return f"“{status.text}”"


def row_lesson(row: Row) -> str:
    """Why the high level learns nothing from a correction; empty where it does, or where its state says so already."""
    shown = row.silent and row.state not in ("undone", "ignored", "refused")
    return f"not learned: {row.silent}" if shown else ""


def row_meaning(row: Row) -> str:
    """What a correction was understood as; empty where that is what was said."""
    if row.note:
        return row.note
    if row.choices:
        return " or ".join(f"“{choice}”" for choice in row.choices)
    if row.state == "ignored":
        return ""
    if row.grounding == "exact" and row.certainty == "middle":
        return f"understood as “{row.command}”"
    if row.grounding == "near":
        return f"understood as “{row.command}” ({row.similarity:.2f})"
    if row.grounding == "new":
        return "new words, given to the policy as they are"
    if row.grounding == "stop":
        return "understood as a stop request"
    return ""


def status_items(state: LiveState, now_ns: int) -> list[Item]:
    """The entries of the status bar, from left to right."""
    return [
        _robot_item(state, now_ns), _latency_item(state, now_ns), _backend_item(state, now_ns), _saved_item(state),
        _recording_item(state), _task_item(state),
    ]  # fmt: skip


def _robot_item(state: LiveState, now_ns: int) -> Item:
    phase = state.phase(now_ns)
    name = (state.backend.robot_name if state.backend else "") or "robot"
    tip = "Control ticks a second, measured in the robot node over the last second."
    if state.robot is None or phase in ("offline", "starting", "no_robot"):
        return Item("robot", "robot: not there", "warn", tip)
    if phase == "robot_stale":
        return Item("robot", f"{name}: no answer", "warn", tip)
    late = f" {state.robot.late_ticks} ticks began late since the start." if state.robot.late_ticks else ""
    tone: Tone = "danger" if phase in ("stopped", "fault") else "warn" if phase == "paused" else "plain"
    return Item("robot", f"{name} {phase}, {state.robot.rate_hz:.1f} Hz", tone, tip + late)


def _latency_item(state: LiveState, now_ns: int) -> Item:
    tip = "Median time from a picture in the robot node to the actions that answer it."
    if state.backend is None or not state.connected or state.backend.action_latency_ms <= 0:
        return Item("latency", "action –", "plain", tip)
    return Item("latency", f"action {state.backend.action_latency_ms:.0f} ms", "plain", tip)


def _backend_item(state: LiveState, now_ns: int) -> Item:
    if not state.connected:
        return Item("backend", "backend: not there", "warn", "The window looks for it all the time.")
    if state.backend is None:
        return Item("backend", "backend: starting", "warn", "It has said hello and not yet told its state.")
    trip = f"Round trip {state.round_trip_ms:.1f} ms. Policy: {state.backend.policy or 'none'}."
    return Item("backend", f"backend {state.backend.device or 'ready'}", "plain", trip)


def _saved_item(state: LiveState) -> Item:
    tip = "Corrections that wait on this computer until the backend has them on disk."
    if state.unsaved:
        return Item("saved", f"{state.unsaved} not yet saved", "warn", tip)
    return Item("saved", "saved, 0 waiting", "plain", tip)


def _recording_item(state: LiveState) -> Item:
    if state.backend is None or not state.connected:
        return Item("recording", "not recording", "plain", "The backend records.")
    if state.backend.recording_error:
        return Item("recording", "recording failed", "danger", state.backend.recording_error)
    if state.backend.recording:
        return Item("recording", "recording", "plain", state.backend.recording)
    return Item("recording", "not recording", "plain", "The backend was started without a recording.")


def _task_item(state: LiveState) -> Item:
    task = state.robot.task if state.robot else None
    if task is None:
        return Item("task", "no task", "plain", "The robot judges no task.")
    if task.success:
        return Item("task", f"{task.name}: finished", "good", task.note or "All stages are reached.")
    return Item("task", f"{task.name}: {task.stage} of {task.stages}", "plain", task.note or "Stages reached.")
