"""Projects on disk: what is asked, and the items. Labels are in the feedback log, not here.

<data>/projects/<name>/project.json    the schema, all of its versions
<data>/projects/<name>/items.sqlite    the items, in order; they are added and never changed

Read by several processes at once. Knows nothing of windows, sockets or models.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from hitl.annotation.items import Item, checked_item
from hitl.annotation.schema import Schema, changed, checked
from hitl.errors import InputError, StorageError

FORMAT = "hitl-project-1"
_APPLICATION_ID = 0x6869746D  # "hitm"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ABOUT = "project.json"


class _About(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    name: str
    schemas: list[Schema]
    """Every version, the newest last."""


class Project:
    """One project. `create` or `open` makes it; may be used from several threads."""

    def __init__(self, folder: Path, about: _About, *, new: bool = False) -> None:
        self.folder = folder
        self._about = about
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(folder / "items.sqlite", timeout=5.0, check_same_thread=False)
            kind = self._db.execute("PRAGMA application_id").fetchone()[0]
            if kind != (0 if new else _APPLICATION_ID):  # 0 is a file that is empty, or was not there
                raise InputError(
                    f"{folder / 'items.sqlite'} holds no items", field="project", hint="Restore the file."
                )
            with self._db:
                self._db.execute(
                    "CREATE TABLE IF NOT EXISTS items"
                    " (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL)"
                )
                self._db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        except sqlite3.OperationalError as error:
            raise _storage_error(folder, error) from error
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{folder / 'items.sqlite'}: {error}", field="project", hint="Restore the file."
            ) from error

    @property
    def name(self) -> str:
        """What it is called."""
        return self._about.name

    @property
    def schema(self) -> Schema:
        """What it asks now."""
        return self._about.schemas[-1]

    @property
    def schemas(self) -> list[Schema]:
        """Every version of the schema, the newest last."""
        return list(self._about.schemas)

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM items").fetchone()[0])

    def ids(self) -> list[str]:
        """Ids of all items, in order."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT id FROM items ORDER BY place")]

    def item(self, item_id: str) -> Item:
        """One item. Raises InputError where there is none."""
        with self._lock:
            row = self._db.execute("SELECT body FROM items WHERE id = ?", (item_id,)).fetchone()
        if row is None:
            raise InputError(f"{item_id!r} is no item of {self.name!r}", field="item", hint="List the items.")
        return self._decoded(row[0])

    def items(self) -> Iterator[Item]:
        """All items, in order."""
        for item_id in self.ids():
            yield self.item(item_id)

    def _decoded(self, body: bytes) -> Item:
        try:
            return msgspec.json.decode(body, type=Item)
        except msgspec.DecodeError as error:
            raise InputError(f"{self.folder}: {error}", field="items", hint="Restore items.sqlite.") from error

    def add(self, items: Iterable[Item]) -> int:
        """Add items behind those that are there: all or none. Returns how many are new; one that is there already,
        exactly the same, is left as it is. Raises InputError where an id is there with other content, or an item
        cannot be used."""
        added = 0
        with self._lock:
            try:
                with self._db:
                    for item in items:
                        body = msgspec.json.encode(checked_item(item))
                        row = self._db.execute("SELECT body FROM items WHERE id = ?", (item.id,)).fetchone()
                        if row is None:
                            self._db.execute("INSERT INTO items (id, body) VALUES (?, ?)", (item.id, body))
                            added += 1
                        elif row[0] != body:
                            raise InputError(
                                f"{item.id!r} is in {self.name!r} already, with other content",
                                field="items.id",
                                hint="Use another project, or give the item another id; nothing was added.",
                            )
            except sqlite3.OperationalError as error:
                raise _storage_error(self.folder, error) from error
        return added

    def change_schema(self, new: Schema, used: Mapping[str, int], renames: Mapping[str, str] | None = None) -> None:
        """Ask something else from now on. used: category -> number of its labels; see `schema.changed`."""
        schema = changed(self.schema, new, used, renames or {})
        about = msgspec.structs.replace(self._about, schemas=[*self._about.schemas, schema])
        _write_whole(self.folder / _ABOUT, about)
        self._about = about

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._db.close()


class Projects:
    """The projects of a data folder."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "projects"

    def names(self) -> list[str]:
        """Of all projects, in the order of the alphabet."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if (path / _ABOUT).is_file())

    def create(self, name: str, schema: Schema) -> Project:
        """A new project. Raises InputError where the name is taken or is none, StorageError."""
        folder = self.folder / _checked_name(name)
        if folder.exists():
            raise InputError(f"there is a project {name!r} already", field="project", hint="Choose another name.")
        about = _About(format=FORMAT, name=name, schemas=[checked(schema)])
        try:
            folder.mkdir(parents=True)
            made = Project(folder, about, new=True)
            _write_whole(folder / _ABOUT, about)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)  # no half project stays behind
            raise _storage_error(folder, error) from error
        except StorageError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return made

    def open(self, name: str) -> Project:
        """A project that is there. Raises InputError."""
        folder = self.folder / _checked_name(name)
        path = folder / _ABOUT
        if not path.is_file():
            known = ", ".join(self.names()) or "none"
            raise InputError(f"there is no project {name!r}", field="project", hint=f"There is: {known}.")
        try:
            about = msgspec.json.decode(path.read_bytes(), type=_About)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {error}", field="project", hint="Restore the file.") from error
        if about.format != FORMAT or about.name != name or not about.schemas:
            raise InputError(f"{path} is not of this project and {FORMAT}", field="project", hint="Restore the file.")
        return Project(folder, about)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:120]!r} is no name of a project", field="project", hint="Use letters, digits, . - and _."
        )
    return name


def _write_whole(path: Path, about: _About) -> None:
    """The file is the old one or the new one, also after a crash."""
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(about)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _storage_error(path, error) from error


def _storage_error(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path}: {error}", field="project", hint="Free some space; what is there already is safe.")
