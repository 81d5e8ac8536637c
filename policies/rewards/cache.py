"""Features of documents on disk, so that no answer is encoded twice: one small safetensors file a document.

The name of a file says what is in it: the encoder's fingerprint, the version of the features and the document. A file
that is damaged is read as missing, told of once in the log, and replaced. Knows nothing of encoders and labels.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from policies.rewards.documents import Document
from policies.rewards.features import FEATURES_VERSION, Features

_log = logging.getLogger(__name__)


class FeatureCache:
    """fingerprint: of the encoder. The folder is made when the first features are kept."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        key = hashlib.sha256(f"{fingerprint} {FEATURES_VERSION}".encode()).hexdigest()[:16]
        self._folder = Path(folder) / key

    def path(self, document: Document) -> Path:
        """Where the features of a document are or would be; ids make no difference."""
        name = document.content
        return self._folder / name[:2] / f"{name}.safetensors"

    def get(self, document: Document) -> Features | None:
        """None where there are none, or their file is damaged."""
        path = self.path(document)
        if not path.exists():
            return None
        try:
            arrays = load_file(str(path))
            segments = {density: arrays[f"segments.{density}"] for density in document.segments}
            for density, rows in segments.items():
                if len(rows) != len(document.segments[density]):
                    raise ValueError(f"{len(rows)} rows of {density}")
            return Features(segments, arrays["sources"], arrays["covered"], arrays["whole"])
        except (SafetensorError, OSError, KeyError, ValueError) as problem:
            _log.warning("%s is damaged (%s); its answer is read anew.", path, problem)
            return None

    def put(self, document: Document, features: Features) -> None:
        """Written beside and moved into place, so that a reader sees all of it or nothing."""
        path = self.path(document)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        arrays = {f"segments.{density}": rows for density, rows in features.segments.items()}
        arrays |= {"sources": features.sources, "covered": features.covered, "whole": features.whole}
        save_file(arrays, str(partial))
        os.replace(partial, path)
