"""Features of recorded episodes, as a trajectory reward model reads them: computed once, kept in a folder.

What is kept is valid for one recording, one policy and one way of describing, which its name says; so that a file of
another is never read, and a run that is stopped goes on where it was. Knows nothing of labels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hitl.errors import StorageError
from hitl.recorded_moments import NO_COMMAND, RATE_HZ, RecordedMoments, read_moments

if TYPE_CHECKING:
    from policies.hierarchy.policy import HierarchicalPolicy
    from policies.rewards.trajectory.features import Features

_ENDS = 1 << 16


def features_of(
    recordings: Sequence[Path],
    policy: HierarchicalPolicy,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Features]]:
    """For each recording: `session/episode` -> features. What is not in the folder `cache` is computed and put there.

    Raises InputError where a recording cannot be used (see `read_moments`), StorageError where nothing can be kept.
    """
    found = []
    for done, path in enumerate(recordings, 1):
        file = cache / f"{fingerprint(path, policy)}.safetensors"
        features = _load(file)
        if features is None:
            features = {moments.key: describe(moments, policy) for moments in _read(path, policy)}
            _save(file, features)
        found.append(features)
        if progress is not None:
            progress(done, len(recordings))
    return found


def episode_features(recording: Path, episode: str, policy: HierarchicalPolicy, cache: Path) -> Features:
    """The features of one episode of a recording that may have many, kept as `features_of` keeps them; raises as that
    does."""
    file = cache / f"{fingerprint(recording, policy, episode)}.safetensors"
    kept = _load(file)
    if kept is None:
        found = read_moments(recording, policy.cameras, only=episode)
        kept = {moments.key: describe(moments, policy) for moments in found}
        _save(file, kept)
    return next(iter(kept.values()))


def fingerprint(recording: Path, policy: HierarchicalPolicy, episode: str = "") -> str:
    """Changes with the recording (its size, beginning and end), the policy, what features are, and the episode, where
    it is of one alone."""
    from policies.rewards.trajectory.features import VERSION

    about = f"{VERSION} {RATE_HZ} {policy.description.get('id', '')} {episode and f'{episode} '}"
    digest = hashlib.sha256(about.encode())
    try:
        with recording.open("rb") as file:
            size = file.seek(0, 2)
            digest.update(f"{size} ".encode())
            for at in (0, max(0, size - _ENDS)):
                file.seek(at)
                digest.update(file.read(_ENDS))
    except OSError:
        pass  # reading it says what is wrong
    return digest.hexdigest()[:24]


def describe(moments: RecordedMoments, policy: HierarchicalPolicy) -> Features:
    """The features of one episode."""
    from policies.rewards.trajectory.features import Moments, describe_moments

    texts = list(moments.texts)
    codes = [policy.bank.code(text) if text in policy.bank else policy.embed(text) for text in texts]
    size = policy.low_level.config.code
    table = np.stack([*codes, np.zeros(size, np.float32)])
    command = np.where(moments.command == NO_COMMAND, len(texts), moments.command)
    plain = Moments(
        rate_hz=RATE_HZ,
        images=moments.images,
        pose=moments.pose,
        target=moments.target,
        start=moments.start,
        codes=table[command].astype(np.float32),
        elapsed_s=(moments.time_ms - moments.begun_ms) / 1000,
    )
    return describe_moments(policy.low_level, plain, moments.seen)


def _read(path: Path, policy: HierarchicalPolicy) -> list[RecordedMoments]:
    return read_moments(path, policy.cameras)


def _save(file: Path, features: Mapping[str, Features]) -> None:
    tensors: dict[str, NDArray[Any]] = {}
    for at, one in enumerate(features.values()):
        tensors |= {f"{at}.{name}": x for name, x in one.groups.items()}
        tensors[f"{at}.seen"] = one.seen
    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={"episodes": json.dumps(list(features))})
        part.replace(file)
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}", field="cache", hint="Free some space.") from error


def _load(file: Path) -> dict[str, Features] | None:
    """What is kept; None where it is not there or not whole."""
    from policies.rewards.trajectory.features import Features

    try:
        with safe_open(str(file), framework="numpy") as opened:
            names = list(opened.keys())
            episodes = json.loads(opened.metadata()["episodes"])
            tensors = {name: opened.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    found = {}
    for at, key in enumerate(episodes):
        mine = {name.split(".", 1)[1]: x for name, x in tensors.items() if name.startswith(f"{at}.")}
        seen = mine.pop("seen")
        found[key] = Features(RATE_HZ, mine, seen)
    return found
