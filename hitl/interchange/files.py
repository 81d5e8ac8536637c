"""Reading files whole and strictly, and writing them whole: UTF-8, JSON, JSON lines, tables.

Every InputError names the file and the place in it. Knows nothing of formats.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
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


def read_table(path: Path, *, tabs: bool, quoted: bool = True) -> Iterator[tuple[int, dict[str, str]]]:
    """Line from 1 on which a row ends, and its cells by the names in the first row. Raises InputError where a row has
    more or fewer."""
    text = read_text(path)
    csv.field_size_limit(MAX_FIELD_CHARS)
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names: list[str] | None = None
    try:
        for row in rows:
            if names is None:
                names = _unique(row, path)
            elif len(row) != len(names):
                raise InputError(
                    f"has {len(row)} cells, the first row has {len(names)}",
                    field=f"{path}:{rows.line_num}",
                    hint="Is the file whole? Copy it again.",
                )
            else:
                yield rows.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise InputError(
            f"{error}", field=f"{path}:{rows.line_num}", hint="Is the file whole? Copy it again."
        ) from error
    if names is None:
        raise InputError("is empty", field=str(path), hint="The first row names the columns.")


def _unique(names: list[str], path: Path) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"column {twice[0]!r} is there twice", field=str(path), hint="Take one away.")
    return names


def need_columns(names: Iterable[str], needed: Iterable[str], path: Path) -> None:
    """Raise InputError where a column is missing."""
    missing = [name for name in needed if name not in set(names)]
    if missing:
        raise InputError(
            f"lacks {', '.join(map(repr, missing))}", field=str(path), hint="The first row must name the columns."
        )


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
