"""What a recognizer was taught, added to the weights it was packaged with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hitl.errors import CheckpointError
from hitl.speech.adapted import adapted_folder, corrected
from hitl.speech.ct2_file import Weights, read_weights, write_weights

RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 4)).astype(np.float16)
NORM = np.ones(4, np.float32)
WEIGHTS = Weights("WhisperSpec", 3, {"ffn/linear/weight": W, "ffn/norm/gamma": NORM, "other": NORM}, {})
A, B = RNG.normal(size=(2, 4)).astype(np.float16), RNG.normal(size=(6, 2)).astype(np.float16)


def adapter(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "adapter.safetensors"
    save_file({name.replace("__", "/"): array for name, array in arrays.items()}, path)
    return path


def test_low_rank_corrections_are_added_and_vectors_replaced(tmp_path: Path) -> None:
    learned = adapter(tmp_path, ffn__linear__a=A, ffn__linear__b=B, ffn__norm__gamma=2 * NORM)
    found = corrected(WEIGHTS, learned).arrays
    wanted = W.astype(np.float32) + B.astype(np.float32) @ A.astype(np.float32)
    np.testing.assert_allclose(found["ffn/linear/weight"], wanted, atol=0.01)
    assert found["ffn/linear/weight"].dtype == np.float16
    np.testing.assert_array_equal(found["ffn/norm/gamma"], 2 * NORM)
    np.testing.assert_array_equal(found["other"], NORM)
    np.testing.assert_array_equal(WEIGHTS.arrays["ffn/linear/weight"], W)


@pytest.mark.parametrize(
    "arrays",
    [
        {"nowhere__a": A, "nowhere__b": B},
        {"ffn__linear__b": B},
        {"ffn__linear__a": A, "ffn__linear__b": B[:3]},
        {"ffn__linear__a": A[:, :3], "ffn__linear__b": B},
        {"ffn__linear__a": A[:1], "ffn__linear__b": B},
        {"ffn__norm__gamma": np.ones(5, np.float32)},
    ],
)
def test_corrections_of_another_model_are_refused_by_name(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(CheckpointError, match="adapter.safetensors"):
        corrected(WEIGHTS, adapter(tmp_path, **arrays))


def test_the_joined_folder_is_made_once_and_anew_for_other_corrections(tmp_path: Path) -> None:
    base, store = tmp_path / "base", tmp_path / "cache"
    base.mkdir()
    write_weights(base / "model.bin", WEIGHTS)
    (base / "tokenizer.json").write_text("{}")
    first = adapted_folder(base, adapter(tmp_path, ffn__linear__a=A, ffn__linear__b=B), store)
    made_ns = (first / "model.bin").stat().st_mtime_ns
    assert (first / "tokenizer.json").read_text() == "{}"
    assert not np.array_equal(read_weights(first / "model.bin").arrays["ffn/linear/weight"], W)
    assert adapted_folder(base, tmp_path / "adapter.safetensors", store) == first
    assert (first / "model.bin").stat().st_mtime_ns == made_ns
    assert adapted_folder(base, adapter(tmp_path, ffn__linear__a=A, ffn__linear__b=2 * B), store) != first
    assert not list(store.glob("*.part"))


def test_several_processes_may_make_it_at_once(tmp_path: Path) -> None:
    base, store = tmp_path / "base", tmp_path / "cache"
    base.mkdir()
    write_weights(base / "model.bin", WEIGHTS)
    learned = adapter(tmp_path, ffn__linear__a=A, ffn__linear__b=B)
    with ThreadPoolExecutor(4) as pool:
        (folder,) = set(pool.map(lambda _: adapted_folder(base, learned, store), range(8)))
    assert read_weights(folder / "model.bin").arrays
    assert [path.name for path in store.iterdir()] == [folder.name]


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    write_weights(tmp_path / "model.bin", WEIGHTS)
    with pytest.raises(CheckpointError, match="none.safetensors"):
        adapted_folder(tmp_path, tmp_path / "none.safetensors", tmp_path / "cache")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="bad.safetensors"):
        corrected(WEIGHTS, tmp_path / "bad.safetensors")
