"""Which item comes next: the order, the filter, and how far the person is. Knows nothing of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from hitl.annotation_messages import Counts, Order

Filter = Literal["open", "flagged", "all"]
ORDER_WORDS: Mapping[Order, str] = {"uncertain": "most uncertain", "listed": "as listed", "random": "random"}
FILTER_WORDS: Mapping[Filter, str] = {"open": "not done", "flagged": "flagged", "all": "all items"}


def checked_order(word: str) -> Order:
    """`word` as an order; the first one for any other."""
    return next((order for order in ORDER_WORDS if order == word), "uncertain")


@dataclass
class Queue:
    """Items in the order in which this person sees them. `by_uncertainty` comes from the learner."""

    author: str
    counts: dict[str, Counts]
    """Item -> how far the person is with it; in the order of the import."""
    order: Order = "uncertain"
    filter: Filter = "open"
    by_uncertainty: Sequence[str] = ()

    def ordered(self) -> list[str]:
        """All items in the chosen order."""
        listed = list(self.counts)
        if self.order == "random":
            return sorted(listed, key=self._shuffled)
        if self.order == "uncertain":
            first = [item for item in self.by_uncertainty if item in self.counts]
            known = set(first)
            return first + [item for item in listed if item not in known]
        return listed

    def shown(self) -> list[str]:
        """Items that pass the filter, in order."""
        return [item for item in self.ordered() if self._passes(item)]

    def after(self, item: str, step: int = 1) -> str:
        """The next item (or, with -1, the one before) that passes the filter; empty where there is none.

        By uncertainty the next is always the head of the queue, since the order changes while one works.
        """
        order = self.ordered()
        if self.order == "uncertain" and step > 0 and self.filter == "open":
            candidates = order
        else:
            here = order.index(item) if item in self.counts else -1
            candidates = order[here + 1 :] + order[: max(here, 0)] if step > 0 else order[: max(here, 0)][::-1]
        return next((name for name in candidates if name != item and self._passes(name)), "")

    def place(self, item: str) -> tuple[int, int]:
        """Number of `item` from 1 as listed in the chosen order, and how many there are in all."""
        order = self.ordered()
        return (order.index(item) + 1 if item in self.counts else 0), len(order)

    @property
    def done(self) -> int:
        """How many items are done."""
        return sum(count.state == "done" for count in self.counts.values())

    def _passes(self, item: str) -> bool:
        state = self.counts[item].state
        if self.filter == "open":
            return state in ("new", "open")
        return self.filter == "all" or state == "flagged"

    def _shuffled(self, item: str) -> bytes:
        return blake2b(f"{self.author}\0{item}".encode(), digest_size=8).digest()
