"""The Qt binding must not lose references to None: before Python 3.12 that ends the process after some thousand calls.

PySide6 6.12.0 loses one in every call that returns nothing; 6.11.3 does not.
"""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: with the fault, the counting itself takes the references that pytest lives on.
_COUNT = """
import sys
spare = [None] * 100_000
from PySide6.QtGui import QFont
font = QFont()
before = sys.getrefcount(None)
for _ in range(1000):
    font.setPointSizeF(10)
print(before - sys.getrefcount(None))
"""


def test_calls_that_return_nothing_keep_the_count_of_none():
    counted = subprocess.run([sys.executable, "-c", _COUNT], capture_output=True, text=True, check=True)
    lost = int(counted.stdout)
    assert lost < 100, f"{lost} references lost in 1000 calls: install another PySide6-Essentials, e.g. 6.11.3"
