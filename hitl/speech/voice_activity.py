"""How probably each 32 ms of sound are speech: the Silero model (MIT), run with onnxruntime alone.

Its own package would import torch, so only its model file is used. It takes 512 samples at 16 kHz after the last 64 of
the block before, and a state; both are kept here, so one object follows one stream.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from hitl.errors import MissingPackageError
from hitl.speech.audio import RATE, Audio

BLOCK = 512
_CONTEXT = 64
_MODEL = "data/silero_vad.onnx"


class VoiceActivity:
    """Speech probability of a stream, block by block."""

    def __init__(self) -> None:
        self._session = _open(model_path())
        self.reset()

    def reset(self) -> None:
        """Another stream begins."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def probability(self, block: Audio) -> float:
        """Of the next `(512,)` samples."""
        assert block.shape == (BLOCK,)
        given = np.concatenate((self._context, block))[None]
        inputs = {"input": given, "state": self._state, "sr": np.array(RATE, np.int64)}
        out, self._state = self._session.run(None, inputs)
        self._context = block[-_CONTEXT:]
        return float(out[0, 0])


def model_path() -> Path:
    """The model's file in the installed package, found without importing it. Raises MissingPackageError."""
    spec = importlib.util.find_spec("silero_vad")
    path = Path(spec.submodule_search_locations[0]) / _MODEL if spec and spec.submodule_search_locations else None
    if path is None or not path.is_file():
        raise MissingPackageError("silero-vad is not installed.", field="speech", hint="Run: make setup")
    return path


def _open(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as problem:
        raise MissingPackageError("onnxruntime is not installed.", field="speech", hint="Run: make setup") from problem
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
