"""From a model folder to what the engine needs: policy, grounding, commands. The only file of the backend with torch.

torch is imported when a model is loaded, so the backend serves (and keeps corrections) before that and without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hitl.backend.engine import Model
from hitl.backend.registry import ModelRegistry
from hitl.config import Settings
from hitl.errors import CheckpointError, MissingPackageError, UnavailableError
from hitl.messages import Reading
from hitl.speech.certainty import Decided, decide
from hitl.speech.grounding import ground

if TYPE_CHECKING:
    from policies.hierarchy.policy import HierarchicalPolicy


def model_folder(settings: Settings) -> tuple[str, Path]:
    """Name and folder of the model to load: the one given, else the promoted one."""
    if settings.model:
        folder = Path(settings.model).expanduser()
        return folder.name, folder
    version = ModelRegistry(settings.data_folder).current()
    return version.name, version.folder


def features_of(policy: HierarchicalPolicy) -> str:
    """Names the features of this policy's history: they follow from the low level's weights and the probes."""
    digest = hashlib.sha256(" | ".join(policy.description["probes"]).encode())
    for name, weight in sorted(policy.low_level.state_dict().items()):
        digest.update(name.encode() + weight.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def load_nothing(settings: Settings) -> Model:
    """In place of `load_model`, for a backend that is there to annotate with. Raises UnavailableError."""
    raise UnavailableError(
        "none is loaded, since hitl was started to annotate.", field="policy", hint="Start hitl for a robot."
    )


def load_model(settings: Settings) -> Model:
    """Load the model of the settings. CheckpointError says which file is wrong and how; MissingPackageError, which
    package is not installed."""
    name, folder = model_folder(settings)
    try:
        import torch

        from policies.errors import PolicyError
        from policies.hierarchy.policy import HierarchicalPolicy
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"the policies need the package {error.name!r}, which is not installed.",
            field="model",
            hint="Run: pip install 'hitl[backend]', or make setup.",
        ) from error
    # One thread: the models are small, and more threads would take the cores from robot and hub in bursts.
    torch.set_num_threads(1)
    try:
        policy = HierarchicalPolicy.load(folder, device=settings.device)
        ground("warm up the sentence encoder", policy.space)  # its first call takes longer than a correction may
    except PolicyError as error:
        raise CheckpointError(str(error), field=str(folder), hint="Corrections are kept; nothing acts.") from error

    def decided(text: str, heard: float, readings: Sequence[Reading], *, spoken: bool) -> Decided:
        return decide(text, heard, readings, policy.space, spoken=spoken)

    return Model(
        policy=policy,
        ground=lambda text: ground(text, policy.space),
        commands=list(policy.bank.texts),
        name=name,
        device=str(policy.device),
        decide=decided,
        cameras=policy.cameras,
        features=features_of(policy),
    )
