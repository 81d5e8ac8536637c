"""One cell for all tests of this folder: building it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from robot.aloha.cell import AlohaCell


@pytest.fixture(scope="session")
def cell() -> Iterator[AlohaCell]:
    """A cell; each test begins its own episode."""
    made = AlohaCell(0)
    yield made
    made.close()
