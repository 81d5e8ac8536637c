"""From a model folder to what the engine needs: policy, grounding, commands. The only file of the backend with torch.

torch is imported when a model is loaded, so the backend serves (and keeps corrections) before that and without it.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hitl.backend.loaded_model import Model, Swap
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
    """Names the features of this policy's history: they follow from what the high level sees by, and the probes."""
    from policies.hierarchy.low_level import perception

    digest = hashlib.sha256(" | ".join(policy.description["probes"]).encode())
    for name, weight in sorted(perception(policy.eyes).items()):
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
    return load_folder(name, folder, settings.device)


def load_folder(name: str, folder: Path, device: str) -> Model:
    """Load the version `name` in `folder`. Errors as `load_model`."""
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
        policy = HierarchicalPolicy.load(folder, device=device)
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


def load_version(name: str, folder: Path, acting: Model) -> Swap:
    """The version `name`, ready to act in place of `acting`. Where only the high level differs, only that is read, and
    `acting`'s policy takes it over; else all is loaded anew. Raises CheckpointError."""
    from policies.errors import PolicyError
    from policies.hierarchy.checkpoint import read_description, read_part, restore
    from policies.hierarchy.policy import HierarchicalPolicy

    policy = acting.policy
    try:
        about = read_description(folder)
        if not isinstance(policy, HierarchicalPolicy) or _rest(about) != _rest(policy.description):
            return Swap(load_folder(name, folder, acting.device))
        weights = dict(read_part(folder, "high_level"))
        codes, texts = weights.pop("bank", None), [str(text) for text in about["bank"]]
        if codes is None or len(codes) != len(texts):
            raise CheckpointError("its bank does not fit high_level.safetensors.", field=str(folder / "model.json"))
        high_level = copy.deepcopy(policy.high_level)
        restore(high_level, weights, folder / "high_level.safetensors")
    except PolicyError as error:
        raise CheckpointError(str(error), field=str(folder), hint="The version before it goes on.") from error
    bank = dict(zip(texts, codes.numpy(), strict=True))

    def adopt() -> None:
        policy.adopt(high_level, bank, [text for text in policy.bank.texts if text not in bank])

    return Swap(replace(acting, name=name, commands=texts), adopt)


def _rest(about: dict[str, Any]) -> list[Any]:
    """What of a model's description must be equal for only the high level to differ."""
    from policies.hierarchy.policy import EYES

    files = about.get("files", {})
    digests = [files.get(f"{part}.safetensors", {}).get("sha256") for part in ("low_level", EYES, "command_encoder")]
    return [*digests, about.get("low_level"), about.get("high_level"), about.get("probes")]
