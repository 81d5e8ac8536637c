"""Where the recording of an episode is, of which only the name is known: `session/episode`.

In the data folder by its session, or at a path that was noted when it was taken from elsewhere. Reads no more than
what the file says about itself, so that a path that leads to something else is found out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hitl.errors import InputError
from hitl.sessions.catalog import Catalog
from hitl.sessions.recording import is_whole, recording_info

PATH = "path"
"""Under this name an item keeps where its recording is, if that is not in the data folder."""
_BACK = "Put the file back, or import it into another project from where it is now."


def find_recording(catalog: Catalog, name: str, extra: Mapping[str, Any]) -> tuple[Path, str]:
    """The file of `session/episode`, and the episode. extra: of the item.

    Raises InputError where there is no such file, it is the recording of another session, or it is not whole.
    """
    session, _, episode = name.partition("/")
    if not session or not episode:
        raise InputError(f"{name[:120]!r} is no recording", field="recording", hint="It is session/episode.")
    path = _place(catalog, session, extra.get(PATH))
    found = recording_info(path).session
    if found != session:
        why = f"{path} is the recording of session {found or 'unknown'}, not of {session}"
        raise InputError(why, field="recording", hint=_BACK)
    if not is_whole(path):
        why = f"{path} is cut off or still being written"
        raise InputError(why, field="recording", hint="Choose one that ended; close the session where it still runs.")
    return path, episode


def _place(catalog: Catalog, session: str, noted: object) -> Path:
    """The noted path, else that of the catalog."""
    if isinstance(noted, str) and noted and Path(noted).is_file():
        return Path(noted)
    try:
        path = catalog.session(session).recording
    except InputError:
        path = None
    if path is not None and path.is_file():
        return path
    where = f"{noted[:300]}" if isinstance(noted, str) and noted else f"session {session} of {catalog.data}"
    raise InputError(f"the recording is gone: {where}", field="recording", hint=_BACK)
