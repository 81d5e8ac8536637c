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
    _need(["ray", "grpc"] if on.startswith("ray://") else ["ray"])
    from hitl.jobs.cluster import Cluster

    return Cluster(on, workers)


def _need(modules: list[str]) -> None:
    for module in modules:
        if find_spec(module) is None:
            raise MissingPackageError(
                "running on a Ray cluster needs it and it is not installed.",
                field=module,
                hint="Run: pip install 'hitl[cluster]'.",
            )
