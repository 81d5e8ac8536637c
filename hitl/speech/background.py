"""How loud a stream is now, and how loud it always is: what stands behind whoever speaks.

The background is a low quantile of the levels of the last seconds, so that neither words nor a lull among people who
talk count for it. Knows nothing of speech or utterances.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from hitl.speech.audio import RATE, Audio

LEVEL_S = 0.16
"""About a syllable."""
MEMORY_S, KNOWN_S = 10.0, 2.0
"""How long a level is remembered, and before how much was heard the background is not known."""
QUANTILE = 0.2
NEAR_DB = 6.0
"""Up to so much above it is nothing but the background. Both were chosen with the rules of `capture.py` on a third of
the test set of `hitl bench speech` (docs/measurements.md)."""
_FLOOR = 1e-8
"""-80 dB."""


class Background:
    """Follows one stream."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[float, int]] = deque()
        self._samples = 0
        self._levels: deque[tuple[float, int]] = deque()
        self._remembered = 0
        self._level_db = 10 * float(np.log10(_FLOOR))
        self._background_db = -np.inf

    def feed(self, block: Audio) -> None:
        """The next `(n,)` samples, n of any size."""
        self._blocks.append((float(np.sum(np.square(block, dtype=np.float64))), len(block)))
        self._samples += len(block)
        while self._samples - self._blocks[0][1] >= LEVEL_S * RATE:
            self._samples -= self._blocks.popleft()[1]
        power = sum(energy for energy, _ in self._blocks) / max(1, self._samples)
        self._level_db = 10 * float(np.log10(power + _FLOOR))
        self._remember(len(block))

    def _remember(self, samples: int) -> None:
        self._levels.append((self._level_db, samples))
        self._remembered += samples
        while self._remembered - self._levels[0][1] >= MEMORY_S * RATE:
            self._remembered -= self._levels.popleft()[1]
        if self._remembered >= KNOWN_S * RATE:
            self._background_db = float(np.quantile([level for level, _ in self._levels], QUANTILE))

    @property
    def level_db(self) -> float:
        """Of the last 0.16 s, below full scale."""
        return self._level_db

    @property
    def is_all(self) -> bool:
        """Whether nothing is heard now but the background; False while that is not known."""
        return self._level_db < self._background_db + NEAR_DB
