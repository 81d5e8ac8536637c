"""Reading files whole and strictly, and writing them whole: UTF-8, JSON, JSON lines, tables.

Every InputError names the file and the place in it. Knows nothing of formats.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hitl.errors import InputError

T = TypeVar("T")
MAX_FIELD_CHARS = 1 << 24
"""Longest cell of a table; what is longer is a quotation mark that nobody closed."""


def read_text(path: Path) -> str:
    """The whole file. Raises InputError where it cannot be read or is no UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{error.strerror}", field=str(path), hint="Give the path of a file.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} is no UTF-8", field=str(path), hint="Write the file again as UTF-8."
        ) from error


def read_json(path: Path, kind: type[T]) -> T:
    """A JSON file of this shape. Raises InputError that says where it is otherwise."""
    return _decoded(read_text(path), kind, str(path))


def read_lines(path: Path, kind: type[T]) -> Iterator[tuple[int, T]]:
    """Number of the line from 1, and what is in it; empty lines are passed over."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, _decoded(line, kind, f"{path}:{number}")


def _decoded(text: str, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(text.encode(), type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        cut = "truncated" in str(error)
        hint = "Is the file whole? Copy it again." if cut else "Is it the format that was named?"
        raise InputError(f"{error}", field=where, hint=hint) from error


def read_table(
    path: Path,
    needed: Sequence[str],
    *,
    tabs: bool,
    quoted: bool = True,
    other_names: Mapping[str, str] | None = None,
    optional: Sequence[str] | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line from 1 on which a row ends, and its cells by the names in the first row.

    needed: columns that must be there; optional: those that may be; None: any. other_names: what columns are called in
    some files -> their name. Raises InputError, also where a row has more or fewer cells than the first.
    """
    csv.field_size_limit(MAX_FIELD_CHARS)
    rows = csv.reader(
        io.StringIO(read_text(path), newline=""),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names: list[str] | None = None
    hint = "Is the file whole? Copy it again."
    try:
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if names is None:
                names = [(other_names or {}).get(name, name) for name in row]
                _check_columns(names, needed, optional, where)
            elif len(row) != len(names):
                why = f"has {len(row)} cells, the first row has {len(names)}"
                raise InputError(why, field=where, hint=hint)
            else:
                yield rows.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{error}", field=f"{path}:{rows.line_num}", hint=hint) from error
    if names is None:
        raise InputError("is empty", field=str(path), hint="The first row names the columns.")


def _check_columns(names: Sequence[str], needed: Sequence[str], optional: Sequence[str] | None, where: str) -> None:
    if missing := [name for name in needed if name not in names]:
        raise InputError(f"lacks {', '.join(map(repr, missing))}", field=where, hint="It must name the columns.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"column {twice[0]!r} is there twice", field=where, hint="Take one away.")
    unknown = [name for name in names if name not in needed and name not in optional] if optional is not None else []
    if unknown:
        raise InputError(f"has the unknown column {unknown[0][:80]!r}", field=where, hint="Take it away.")


def as_table(rows: Iterable[Sequence[str]], *, tabs: bool, quoted: bool = True) -> bytes:
    """Rows as text, the first with the names of the columns; lines of a quoted one end as RFC 4180 has it."""
    out = io.StringIO(newline="")
    if quoted:
        csv.writer(out, delimiter="\t" if tabs else ",", lineterminator="\r\n").writerows(rows)
    else:
        out.writelines("\t".join(row) + "\n" for row in rows)
    return out.getvalue().encode()


def as_json(value: Any) -> bytes:
    """One value, indented."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def as_lines(values: Iterable[Any]) -> bytes:
    """One value a line."""
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def write_whole(path: Path, data: bytes) -> None:
    """The file is the old one or the new one, also after a crash. Raises OSError that names it."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
