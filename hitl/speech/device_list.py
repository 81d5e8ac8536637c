"""Which microphones there are now, asked in a process of its own.

PortAudio reads the list of devices when it starts and must not be started anew while a stream is open; probing the
devices may also take long, or crash. A device that somebody uses alone may be missing from the list.
"""

from __future__ import annotations

import json
import subprocess
import sys

from hitl.errors import UnavailableError

_PROBE = """
import json
from hitl.speech.microphone import devices
print(json.dumps([device.name for device in devices()]))
"""
_PATIENCE_S = 30.0
"""A busy machine takes its time; nothing waits for the list."""


def names_now() -> list[str]:
    """Names of the input devices, each once, in the system's order. Raises UnavailableError where they cannot be
    listed."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_PATIENCE_S,
        )
        return list(dict.fromkeys(json.loads(done.stdout)))
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        raise UnavailableError(f"cannot be listed ({problem}).", field="microphones", hint="hitl doctor") from problem
