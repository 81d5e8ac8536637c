"""Which policy packs the box: the hierarchy, or one of the published ablations of it (Shi et al. 2024).

"hierarchy": a high level that answers in text space, over the low level. "one-hot": a high level that is a plain
classifier over fixed commands (`hitl train high-level --output one-hot`). "scripted": the commands of the task in
their canonical order, over the low level, blind. "flat": no commands at all (`hitl train flat`).
Knows nothing of jobs, files of results or tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hitl.backend.loaded_model import Grounded, Model
from hitl.backend.models import load_model, model_folder
from hitl.backend.parts import Rules
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation.packing_summary import HIERARCHY
from policies.errors import PolicyError
from policies.hierarchy.checkpoint import FLAT, KIND, read_description
from policies.hierarchy.flat import TASK, FlatPolicy
from policies.hierarchy.policy import HierarchicalPolicy
from policies.hierarchy.scripted import ScriptedOrder
from robot.aloha.cell import AlohaCell
from robot.aloha.planner import script

ONE_HOT, SCRIPTED = "one-hot", "scripted"
POLICIES = (HIERARCHY, ONE_HOT, SCRIPTED, FLAT)
LEARNING = (HIERARCHY, ONE_HOT)
"""Those with a high level that can learn from a correction."""
_MAKE = {
    ONE_HOT: "Make one: hitl train high-level --output one-hot, and give it with --model.",
    HIERARCHY: "Say which policy it is: --policy one-hot.",
    FLAT: "Make one: hitl train flat, and give it with --model.",
}


def check(settings: Settings, policy: str, modes: Sequence[str]) -> None:
    """Raises InputError where the policy cannot do what the modes ask, or the model of the settings is another."""
    if policy not in POLICIES:
        raise InputError(f"there is no policy {policy!r}.", field="policy", hint=f"Use one of: {', '.join(POLICIES)}.")
    if policy == FLAT and set(modes) != {"base"}:
        raise InputError(
            "a flat policy has no commands: it cannot be spoken to, nor learn from what is said.",
            field="policy flat",
            hint="Use: --mode base",
        )
    if policy == SCRIPTED and "learned" in modes:
        raise InputError(
            "a script learns nothing from a command.",
            field="policy scripted",
            hint="Use: --mode base or --mode corrected",
        )
    _check_model(model_folder(settings)[1], policy)


def _check_model(folder: Path, policy: str) -> None:
    try:
        about = read_description(folder, FLAT if policy == FLAT else KIND)
    except PolicyError as error:
        hint = _MAKE[FLAT] if policy == FLAT else ""
        raise InputError(error.message, field=error.field, hint=hint or error.hint) from error
    output = about.get("high_level", {}).get("output", "codes")
    if policy in LEARNING and (output == "one-hot") != (policy == ONE_HOT):
        raise InputError(f"its high level answers with {output}.", field=str(folder), hint=_MAKE[policy])


def load_policy(settings: Settings, policy: str, cell: AlohaCell, rules: Rules) -> Model:
    """The model of the settings as `policy` acts with it in `cell`. rules: of the controller; a script goes on when
    the controller thinks that a command is done. Raises CheckpointError."""
    if policy == FLAT:
        name, folder = model_folder(settings)
        flat = FlatPolicy.load(folder, settings.device)
        return Model(flat, _deaf, [TASK], name, str(flat.device), cameras=flat.cameras)
    model = load_model(settings)
    if policy != SCRIPTED:
        return model
    hierarchy = model.policy
    assert isinstance(hierarchy, HierarchicalPolicy)
    scripted = ScriptedOrder(
        hierarchy,
        lambda: script(cell),
        done_threshold=rules.done_threshold,
        done_observations=rules.done_observations,
        least_s=rules.min_command_s,
    )
    return replace(model, policy=scripted)


def _deaf(text: str) -> Grounded:
    raise InputError(f"nobody understands {text!r}.", field="policy flat", hint="It has no commands.")
