"""CTranslate2's file, written and read: round trips, and every way of being cut off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hitl.errors import CheckpointError
from hitl.speech.ct2_file import Weights, read_weights, write_weights

DTYPES = ("<f4", "i1", "<i2", "<i4", "<f2")
NAMES = st.text(min_size=1, max_size=20).filter(lambda text: not text.endswith("\0") and _encodes(text))
ARRAYS = hnp.arrays(st.sampled_from([np.dtype(kind) for kind in DTYPES]), hnp.array_shapes(min_dims=0, max_side=4))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def same(read: Weights, wrote: Weights) -> None:
    assert (read.specification, read.revision, read.aliases) == (wrote.specification, wrote.revision, wrote.aliases)
    assert list(read.arrays) == list(wrote.arrays)
    for name, array in wrote.arrays.items():
        assert read.arrays[name].dtype == array.dtype and read.arrays[name].shape == array.shape
        np.testing.assert_array_equal(read.arrays[name], array)


@given(st.dictionaries(NAMES, ARRAYS, max_size=4), st.dictionaries(NAMES, NAMES, max_size=2))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, arrays: dict[str, np.ndarray], aliases: dict[str, str]) -> None:
    wrote = Weights("WhisperSpec", 3, arrays, aliases)
    write_weights(tmp_path / "model.bin", wrote)
    same(read_weights(tmp_path / "model.bin"), wrote)
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]


def small() -> Weights:
    arrays = {
        "encoder/linear/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "encoder/heads": np.array(6, np.int16),
        "decoder/bytes": np.arange(-3, 3, dtype=np.int8),
    }
    return Weights("WhisperSpec", 3, arrays, {"decoder/projection/weight": "encoder/linear/weight"})


def test_a_file_cut_off_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_weights(path, small())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="model.bin"):
            read_weights(path)


@given(st.binary(max_size=200), st.integers(0, 150))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_refused_or_read_and_nothing_else(tmp_path: Path, damage: bytes, at: int) -> None:
    path = tmp_path / "model.bin"
    write_weights(path, small())
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    try:
        read_weights(path)
    except CheckpointError:
        pass


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none.bin"):
        read_weights(tmp_path / "none.bin")
