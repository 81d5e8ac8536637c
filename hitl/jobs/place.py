"""What a place is where work runs, and the nearest one: this process. Knows nothing of processes or clusters."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from hitl.clock import new_ulid
from hitl.errors import InputError, StorageError

Told = Callable[[Any], None]
Asked = Callable[[], bool]


def never() -> bool:
    """Nothing stops it."""
    return False


class Kept(Protocol):
    """An object that stays where it was made, and whose methods are called from here. Where it is lost with its
    worker it is made anew, as it was at first: what a call depends on, each call must bring."""

    def call(self, method: str, *arguments: Any, stop: Asked = never) -> Any:
        """The result of that method, which also gets `stop`, a function it may ask whether to end early."""
        ...

    def close(self) -> None:
        """Let it go; the place lets go what is left."""
        ...


class Place(ABC):
    """A context manager; closing ends only what it started.

    Functions must be importable by name, and they and their arguments picklable. What a function raises is raised
    here. UnavailableError where a job's worker died again and again, or where the place is gone.
    """

    other_machines = False
    """Whether jobs may run on other machines than this one."""

    @abstractmethod
    def run(self, function: Callable[..., Any], *arguments: Any, told: Told | None = None, device: str = "cpu") -> Any:
        """One job and its result. told: gets what the job says meanwhile; the function is then called with the
        keyword `told`, too. device: cpu, cuda, or auto for a GPU where the place has one. Ctrl-C interrupts the job
        as it would here."""

    @abstractmethod
    def each(
        self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], stop: Asked = never
    ) -> Iterator[Any]:
        """The result of `function(*one)` for every one of `arguments`, in the order in which they end.

        stop: asked now and then; from then on nothing more is begun, and what is under way is not waited for."""

    @abstractmethod
    def keep(self, make: Callable[..., Any], *arguments: Any) -> Kept:
        """Make an object there, and keep it until closed."""

    @abstractmethod
    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """The result of the same job on every machine, by the machine's name."""

    def close(self) -> None:
        """End what was started."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check_shared(self, folders: Sequence[Path], files: Sequence[Path] = ()) -> None:
        """Raise InputError unless all machines see these folders, into which is written, and these same files."""
        marks = []
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                mark = folder / f".seen-{new_ulid()}"
                mark.write_text(mark.name, encoding="utf-8")
                marks.append(mark)
            wanted = digests([*marks, *files])
            for machine, found in self.everywhere(digests, [*marks, *files]).items():
                for path, digest in found.items():
                    if digest != wanted[path]:
                        raise InputError(
                            f"is not the same on {machine}, where the work would run.",
                            field=str(path.parent if path in marks else path),
                            hint="Put it on a disk that all machines of the cluster share, at the same path.",
                        )
        except OSError as error:
            hint = "Choose a folder that can be written to."
            raise StorageError(f"{error.strerror}.", field=str(error.filename), hint=hint) from error
        finally:
            for mark in marks:
                mark.unlink(missing_ok=True)


class Here(Place):
    """This process, one after the other."""

    def run(self, function: Callable[..., Any], *arguments: Any, told: Told | None = None, device: str = "cpu") -> Any:
        return function(*arguments) if told is None else function(*arguments, told=told)

    def each(
        self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], stop: Asked = never
    ) -> Iterator[Any]:
        for one in arguments:
            if stop():
                return
            yield function(*one)

    def keep(self, make: Callable[..., Any], *arguments: Any) -> Kept:
        return _KeptHere(make(*arguments))

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        return {"this machine": function(*arguments)}


class _KeptHere:
    def __init__(self, made: Any) -> None:
        self._made = made

    def call(self, method: str, *arguments: Any, stop: Asked = never) -> Any:
        return getattr(self._made, method)(*arguments, stop=stop)

    def close(self) -> None:
        self._made = None


def digests(paths: Sequence[Path]) -> dict[Path, str]:
    """SHA-256 of each file as this machine sees it; empty for one that it does not see."""
    found = {}
    for path in paths:
        try:
            found[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            found[path] = ""
    return found
