"""The thread that writes outputs for windows that ask for them: one wish after the other, each can be stopped."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from hitl.annotation.project import Projects
from hitl.annotation_messages import Generate, StopGenerating, Written
from hitl.backend.writers import writer_of
from hitl.backend.writing import Progressed, Wish, Writer, write_items
from hitl.errors import HitlError

log = logging.getLogger("hitl.learner")

_EVERY_S = 0.1
"""How often a window hears of words that were added."""


class WriterThread:
    """make(model, device): the writer of that name; it is kept for the next wish."""

    def __init__(
        self,
        projects: Projects,
        tell: Callable[[Written], None],
        device: str,
        make: Callable[[str, str], Writer] = writer_of,
    ) -> None:
        self._projects, self._tell, self._device, self._make = projects, tell, device, make
        self._wishes: queue.SimpleQueue[Generate | None] = queue.SimpleQueue()
        self._stopped: set[str] = set()
        self._closing = threading.Event()
        self._writers: dict[str, Writer] = {}
        self._thread = threading.Thread(target=self._run, name="writing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, message: Generate | StopGenerating) -> None:
        """Safe from any thread."""
        if isinstance(message, Generate):
            self._wishes.put(message)
        else:
            self._stopped.add(message.id)

    def close(self) -> None:
        """End between two words."""
        self._closing.set()
        self._wishes.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (wish := self._wishes.get()) is not None:
            error = ""
            try:
                self._write(wish)
            except HitlError as problem:
                error = str(problem)
            except Exception as problem:  # whatever a model's libraries raise: who asked is told
                log.exception("writing failed")
                error = f"writing failed: {problem}"
            done = Written(id=wish.id, project=wish.project, done=0, of=len(wish.prompts), finished=True, error=error)
            self._tell(done)
            self._stopped.discard(wish.id)

    def _write(self, wish: Generate) -> None:
        if wish.model not in self._writers:
            self._writers[wish.model] = self._make(wish.model, self._device)
        project = self._projects.open(wish.project)
        told_s = 0.0

        def told(now: Progressed) -> None:
            nonlocal told_s
            if now.item is None and time.monotonic() - told_s < _EVERY_S:
                return
            told_s = time.monotonic()
            self._tell(
                Written(
                    id=wish.id, project=wish.project, done=now.done, of=now.of, texts=list(now.texts),
                    item=now.item.id if now.item else "",
                )
            )  # fmt: skip

        try:
            write_items(
                project,
                wish.prompts,
                self._writers[wish.model],
                Wish(wish.count, wish.max_tokens, wish.temperature, wish.seed),
                told,
                lambda: wish.id in self._stopped or self._closing.is_set(),
            )
        finally:
            project.close()
