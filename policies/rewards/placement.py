"""Rewards of segments on the policy's own tokens, by the characters of both.

A segment's reward stands on its last token. Where segments of several heads end in one token their rewards add up; the
published code overwrites one by the other (tasks/qa_feedback/training/reward.py). Knows nothing of models.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from policies.rewards.documents import Span


def place_rewards(offsets: Sequence[Span], rewards: Iterable[tuple[int, float]]) -> NDArray[np.float64]:
    """offsets: characters of each token in the answer, in order, empty for tokens without any, such as the end mark;
    rewards: (end of the segment in characters, value). Returns `(tokens,)`; its sum is that of all values.

    A segment that no token begins in or before goes to the first token that has characters. Without any such token
    there is nothing to put a reward on, and all is zero.
    """
    placed = np.zeros(len(offsets))
    real = [at for at, (start, end) in enumerate(offsets) if end > start]
    starts = [offsets[at][0] for at in real]
    for end, value in rewards:
        if real:
            placed[real[max(0, bisect_left(starts, end) - 1)]] += value
    return placed
