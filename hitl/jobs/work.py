"""A job as it travels: packed here, carried out there. Knows nothing of how it travels.

What a worker is to find in its environment is set before the function is unpacked, and so before anything that reads
it on import (torch, MuJoCo). Bytes go between processes of one user and never into a file.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hitl.errors import UnavailableError

log = logging.getLogger("hitl.jobs")

REPEATS = 3
"""So often a job is repeated whose worker died; dying every time, it is the job that kills it."""
Outcome = tuple[bool, Any]
"""Whether it ended well, and its result or what it raised."""
_INHERITED = ("MUJOCO_GL",)
_LONGEST = 160


class Tries:
    """How often the worker of something died at it."""

    def __init__(self, name: str) -> None:
        self.name, self.died = name, 0

    def lost(self, why: str) -> None:
        """Its worker died, and it is to be repeated. Raises UnavailableError where that was too often."""
        self.died += 1
        if self.died > REPEATS:
            raise UnavailableError(
                f"its worker died {self.died} times ({why}).",
                field=self.name,
                hint="Is memory short there? Give it fewer workers or more memory, and try again.",
            )
        log.warning("a worker died (%s); repeating %s", why, self.name)


class Job(Tries):
    """One call, in words and packed."""

    def __init__(self, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
        super().__init__(name_of(function, arguments))
        self.packed = packed(function, *arguments)


def name_of(function: Callable[..., Any], arguments: Sequence[Any]) -> str:
    """A call in words."""
    said = ", ".join(repr(one) for one in arguments)
    called = getattr(function, "__name__", type(function).__name__).strip("_")
    return f"{called}({said if len(said) <= _LONGEST else said[: _LONGEST - 3] + '...'})"


def environment() -> dict[str, str]:
    """What workers find in their environment: one thread each, since there is a worker for each core."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **inherited}


def packed(*parts: Any) -> bytes:
    """These objects as bytes; functions and classes by their names."""
    return pickle.dumps(parts, protocol=pickle.HIGHEST_PROTOCOL)


def unpacked(parts: bytes, variables: Mapping[str, str] | None = None) -> Any:
    """What was packed, in an environment with these variables."""
    os.environ.update(variables or {})
    found = pickle.loads(parts)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    return found


def carry_out(job: bytes, variables: Mapping[str, str], told: Callable[[Any], None] | None = None) -> Outcome:
    """Call a packed function with its arguments, and with `told` where that is given."""

    def call() -> Any:
        function, *arguments = unpacked(job, variables)
        return function(*arguments) if told is None else function(*arguments, told=told)

    return attempt(call)


def attempt(call: Callable[[], Any]) -> Outcome:
    """What comes of a call. What it raises is an outcome, too, with where it came from as a note; KeyboardInterrupt
    passes."""
    try:
        return True, call()
    except Exception as error:
        said = traceback.format_exc()
        found: Exception = error
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            found = RuntimeError(f"{type(error).__name__}: {error}")
        found.add_note(f"In the worker:\n{said}")
        return False, found


def listen_to_interrupts() -> None:
    """In the main thread of a worker: whoever started us in the background may have left Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def result_of(outcome: Outcome) -> Any:
    """The result; raises what the job raised."""
    well, found = outcome
    if not well:
        raise found
    return found
