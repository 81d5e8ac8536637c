"""The weights of a CTranslate2 model as arrays by name, read and written.

CTranslate2 itself only converts from training frameworks. Reading its file lets a recognizer that was installed as a
package be taught on, and writing it lets what was learned run in the same fast engine. Layout (CTranslate2,
python/ctranslate2/specs/model_spec.py, binary version 6): u32 version; name of the specification, its u32 revision;
u32 number of variables, each: name, u8 rank, u32 dimensions, u8 kind of number, u32 bytes, data; u32 number of
aliases, each: alias, name. Text is a u16 length with its closing zero, then the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import CheckpointError

BINARY_VERSION = 6
_KINDS = ("<f4", "i1", "<i2", "<i4", "<f2")


@dataclass(frozen=True)
class Weights:
    """What a `model.bin` holds. arrays: by name, in the file's order; aliases: other names for some of them."""

    specification: str
    revision: int
    arrays: dict[str, NDArray[Any]]
    aliases: dict[str, str]


def read_weights(path: Path) -> Weights:
    """The file's arrays. Raises CheckpointError where it is missing, cut off or of another version."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise CheckpointError(f"cannot be read ({problem.strerror}).", field=str(path)) from problem
    try:
        return _Reader(data).weights()
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as problem:
        raise CheckpointError(
            "is no CTranslate2 model of binary version 6.",
            field=str(path),
            hint="Convert it anew with ct2-transformers-converter.",
        ) from problem


def write_weights(path: Path, weights: Weights) -> None:
    """Write the file, whole or not at all."""
    parts = [struct.pack("<I", BINARY_VERSION), _text(weights.specification), struct.pack("<I", weights.revision)]
    parts.append(struct.pack("<I", len(weights.arrays)))
    for name, array in weights.arrays.items():
        kind = _KINDS.index(array.dtype.str if array.dtype.itemsize > 1 else "i1")
        raw = np.ascontiguousarray(array).tobytes()
        parts += [_text(name), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
        parts += [struct.pack("<BI", kind, len(raw)), raw]
    parts.append(struct.pack("<I", len(weights.aliases)))
    parts += [_text(alias) + _text(name) for alias, name in weights.aliases.items()]
    draft = path.with_suffix(".part")
    draft.write_bytes(b"".join(parts))
    draft.replace(path)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def weights(self) -> Weights:
        if self._number("I") != BINARY_VERSION:
            raise ValueError("another binary version")
        specification, revision = self._string(), self._number("I")
        arrays = dict(self._array() for _ in range(self._number("I")))
        aliases = {}
        for _ in range(self._number("I")):
            alias = self._string()
            aliases[alias] = self._string()
        return Weights(specification, revision, arrays, aliases)

    def _number(self, kind: str) -> int:
        (value,) = struct.unpack_from(f"<{kind}", self._data, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return int(value)

    def _bytes(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise ValueError("cut off")
        found = self._data[self._at : self._at + count]
        self._at += count
        return found

    def _string(self) -> str:
        return self._bytes(self._number("H")).rstrip(b"\0").decode()

    def _array(self) -> tuple[str, NDArray[Any]]:
        name, rank = self._string(), self._number("B")
        shape = [self._number("I") for _ in range(rank)]
        kind = _KINDS[self._number("B")]
        return name, np.frombuffer(self._bytes(self._number("I")), kind).reshape(shape)


def _text(text: str) -> bytes:
    raw = text.encode() + b"\0"
    return struct.pack("<H", len(raw)) + raw
