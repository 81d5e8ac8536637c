"""The command bank: which commands there are, and which of them a vector means. It is open: commands come and go.

Knows nothing of words (texts are names here), models or how a code was made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.errors import CheckpointError, PolicyError

TEMPERATURE = 0.07
"""Cosines are divided by this before the softmax; the one that the command encoder was trained with."""
FORMAT = "hitl-command-bank-1"


class CommandBank:
    """Texts and their unit codes, in the order in which they were added."""

    def __init__(self, texts: Sequence[str], codes: ArrayLike, temperature: float = TEMPERATURE) -> None:
        """texts: all different; codes: `(len(texts), size)`, made unit; PolicyError says what is wrong with them."""
        rows = np.asarray(codes, np.float32)
        if rows.ndim != 2 or len(rows) != len(texts):
            raise PolicyError(f"{len(texts)} texts need as many codes, got shape {rows.shape}.", field="codes")
        if len(set(texts)) != len(texts):
            raise PolicyError("has a text twice.", field="texts")
        if not temperature > 0:
            raise PolicyError(f"must be positive, got {temperature}.", field="temperature")
        self.temperature = temperature
        self._texts = list(texts)
        self._codes = np.stack([_unit(row, text) for row, text in zip(rows, texts, strict=True)]) if texts else rows

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, text: object) -> bool:
        return text in self._texts

    @property
    def texts(self) -> tuple[str, ...]:
        """The commands, oldest first."""
        return tuple(self._texts)

    @property
    def codes(self) -> NDArray[np.float32]:
        """Unit codes `(commands, size)`, a row per text; read-only."""
        view = self._codes.view()
        view.flags.writeable = False
        return view

    def code(self, text: str) -> NDArray[np.float32]:
        """The unit code `(size,)` of a text of the bank; PolicyError for any other."""
        return self._codes[self._index(text)].copy()

    def add(self, text: str, code: ArrayLike) -> None:
        """Add a command, or give a known one a new code `(size,)`."""
        row = _unit(np.asarray(code, np.float32), text)
        if self._texts and row.shape != self._codes.shape[1:]:
            raise PolicyError(
                f"has size {row.shape}, the bank has {self._codes.shape[1:]}.", field=f"code of {text!r}"
            )
        if text in self._texts:
            # A new array each time: another thread may be reading the old one.
            codes = self._codes.copy()
            codes[self._texts.index(text)] = row
        else:
            codes = np.concatenate((self._codes.reshape(-1, len(row)), row[None]))
            self._texts = [*self._texts, text]
        self._codes = codes

    def remove(self, text: str) -> None:
        """Forget a command; PolicyError where the bank has none of this text."""
        at = self._index(text)
        self._texts = [*self._texts[:at], *self._texts[at + 1 :]]
        self._codes = np.delete(self._codes, at, axis=0)

    def nearest(self, vector: ArrayLike, k: int) -> list[tuple[str, float, float]]:
        """The `k` commands of greatest cosine with `vector` `(size,)`: text, cosine, probability; best first.

        Probabilities are over the whole bank and add to one there.
        """
        if not self._texts:
            return []
        direction = _unit(np.asarray(vector, np.float32), "vector")
        if direction.shape != self._codes.shape[1:]:
            raise PolicyError(f"has shape {direction.shape}, codes have {self._codes.shape[1:]}.", field="vector")
        cosines = (self._codes @ direction).astype(np.float64)
        weights = np.exp((cosines - cosines.max()) / self.temperature)
        probabilities = weights / weights.sum()
        order = np.argsort(-cosines, kind="stable")[:k]
        return [(self._texts[at], float(cosines[at]), float(probabilities[at])) for at in order]

    def save(self, path: Path) -> None:
        """Write `path`.json (texts, temperature) and `path`.safetensors (codes)."""
        from safetensors.numpy import save_file

        save_file({"codes": np.ascontiguousarray(self._codes)}, str(_beside(path, ".safetensors")))
        description = {"format": FORMAT, "temperature": self.temperature, "texts": self._texts}
        _beside(path, ".json").write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> CommandBank:
        """Read what `save` wrote; CheckpointError names the file that is missing, truncated or of another kind."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        where = _beside(path, ".json")
        try:
            description = json.loads(where.read_text("utf-8"))
            if description["format"] != FORMAT:
                raise CheckpointError(f"has format {description['format']!r}, expected {FORMAT!r}.", field=str(where))
            texts, temperature = [str(text) for text in description["texts"]], float(description["temperature"])
            where = _beside(path, ".safetensors")
            return cls(texts, load_file(str(where))["codes"], temperature)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as problem:
            raise CheckpointError(f"is no command bank ({problem}).", field=str(where)) from problem
        except PolicyError as problem:
            if isinstance(problem, CheckpointError):
                raise
            raise CheckpointError(f"is no command bank ({problem}).", field=str(where)) from problem

    def _index(self, text: str) -> int:
        if text not in self._texts:
            raise PolicyError("is not in the command bank.", field=repr(text))
        return self._texts.index(text)


def _beside(path: Path, ending: str) -> Path:
    return Path(path).with_name(Path(path).name + ending)


def _unit(row: NDArray[np.float32], text: str) -> NDArray[np.float32]:
    length = float(np.linalg.norm(row))
    if row.ndim != 1 or not np.isfinite(length) or length == 0:
        raise PolicyError("must be one row of finite numbers, not all zero.", field=f"code of {text!r}")
    unit: NDArray[np.float32] = (row / np.float32(length)).astype(np.float32)
    return unit
