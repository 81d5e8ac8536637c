"""From a name, as people give it with `--on` or in settings, to a place."""

from __future__ import annotations

from importlib.util import find_spec

from hitl.errors import InputError, MissingPackageError
from hitl.jobs.place import Here, Place

KINDS = "here, processes, ray, auto, ray://HOST:PORT"


def place_of(on: str, workers: int | None = None) -> Place:
    """The place of that name. workers: at most so many at once; None: one for each core.

    "" and "here": this process. "processes": others of this machine. "ray": a Ray cluster of this machine alone, made
    for this run. "auto": the Ray cluster that this machine belongs to. "ray://HOST:PORT": one elsewhere, by Ray's
    client port. Raises InputError for any other name, MissingPackageError where Ray is not installed.
    """
    if on in ("", "here"):
        return Here()
    if on == "processes":
        from hitl.jobs.pool import Processes

        return Processes(workers)
    if on not in ("ray", "auto") and on.removeprefix("ray://") in (on, ""):
        raise InputError(f"{on[:80]!r} is no place where work can run.", field="on", hint=f"Use one of: {KINDS}.")
    _need("ray", "hitl[cluster]")
    if on.startswith("ray://"):
        _need("grpc", "ray[client]==2.60.0")
    from hitl.jobs.cluster import Cluster

    return Cluster(on, workers)


def _need(module: str, package: str) -> None:
    if find_spec(module) is None:
        why = "running on a Ray cluster needs it and it is not installed."
        raise MissingPackageError(why, field=module, hint=f"Run: pip install '{package}'.")
