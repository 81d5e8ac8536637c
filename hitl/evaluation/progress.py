"""How far a long command is: one line on standard error that is written over. Silent where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Progress:
    """`of("labels")(3, 10)` shows "labels: 3 of 10"."""

    def __init__(self, shown: bool | None = None) -> None:
        self._shown = sys.stderr.isatty() if shown is None else shown

    def of(self, what: str) -> Callable[[int, int], None]:
        """A function of done and all."""

        def show(done: int, every: int) -> None:
            if self._shown:
                end = "\n" if done == every else ""
                print(f"\r{what}: {done} of {every}   ", end=end, file=sys.stderr, flush=True)

        return show
