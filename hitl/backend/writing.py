"""Outputs written on the spot: prompts go to a writer, its answers become items of a project.

A *writer* is the embedded language model in this process, or a server that speaks OpenAI's chat API (vLLM, llama.cpp,
hosted). An item's id follows from its prompt and the way in which it was written, so that what was written before is
not written again. Knows nothing of sockets of ours or windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from hitl.annotation.items import Item, Output, Prompt
from hitl.annotation.presets import preset
from hitl.annotation.project import Project, Projects
from hitl.errors import InputError

MAX_COUNT = 16
MAX_TOKENS = 4_096


@dataclass(frozen=True)
class Wish:
    """How outputs are to be written: `count` for each prompt. temperature 0: the most probable words."""

    count: int = 4
    max_tokens: int = 200
    temperature: float = 0.7
    seed: int = 0

    def checked(self) -> Wish:
        """This, or InputError naming the field."""
        limits = (("count", self.count, 1, MAX_COUNT), ("max_tokens", self.max_tokens, 1, MAX_TOKENS))
        for field, value, low, high in (*limits, ("temperature", self.temperature, 0, 10)):
            if not low <= value <= high:
                raise InputError(f"is {value}; give {low} to {high}", field=field, hint="Change it.")
        return self


class Writer(Protocol):
    """Something that answers prompts."""

    @property
    def name(self) -> str:
        """What is written down as an output's origin."""
        ...

    def write(
        self, prompt: str, wish: Wish, told: Callable[[list[str]], None], stopped: Callable[[], bool]
    ) -> list[str]:
        """`wish.count` answers. told: called meanwhile with all of them so far; stopped: asked meanwhile whether to
        end. Raises HitlError."""
        ...


@dataclass(frozen=True)
class Progressed:
    """How far it is. done: prompts that have their outputs; texts: of the one that is being written; item: a new
    one."""

    done: int
    of: int
    texts: Sequence[str] = ()
    item: Item | None = None


def instruction(prompt: Prompt) -> str:
    """What the writer reads: the sources, then the question; the question alone where there are none."""
    if not prompt.sources:
        return prompt.text
    sources = "\n\n".join(f"{source.title}\n{' '.join(source.sentences)}".strip() for source in prompt.sources)
    return f"{sources}\n\nAnswer this question in a few sentences, from the text above alone: {prompt.text}"


def item_id(prompt: Prompt, wish: Wish, writer: str) -> str:
    """The id of the item that comes of it."""
    told = msgspec.json.encode([prompt, wish.count, wish.max_tokens, wish.temperature, wish.seed, writer])
    return f"written-{hashlib.sha256(told).hexdigest()[:20]}"


def write_items(
    project: Project,
    prompts: Sequence[Prompt],
    writer: Writer,
    wish: Wish,
    told: Callable[[Progressed], None],
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Write outputs for prompts and add them, one item a prompt, each as soon as it is finished. Returns how many are
    new; what was written before with the same wish is left as it is. Ends early, between two words, where `stopped`
    says so: the unfinished item is left out. Raises HitlError."""
    wish.checked()
    if not prompts:
        raise InputError("is empty", field="prompts", hint="Give at least one.")
    known = set(project.ids())
    added = 0
    for place, prompt in enumerate(prompts):
        name = item_id(prompt, wish, writer.name)
        item = None
        if name not in known:
            so_far = partial(_so_far, told, place, len(prompts))
            texts = writer.write(instruction(prompt), wish, so_far, stopped)
            if stopped():
                return added
            item = _item(name, prompt, texts, writer.name)
            added += project.add([item])
            known.add(name)
        told(Progressed(place + 1, len(prompts), item=item))
    return added


def _so_far(told: Callable[[Progressed], None], done: int, of: int, texts: list[str]) -> None:
    told(Progressed(done, of, texts))


def _item(name: str, prompt: Prompt, texts: Iterable[str], origin: str) -> Item:
    outputs = [Output(track=str(place), text=text, origin=origin) for place, text in enumerate(texts, 1)]
    return Item(id=name, prompt=prompt.text, sources=list(prompt.sources), outputs=outputs)


def write_project(
    data: Path,
    name: str,
    schema: str | None,
    prompts: Sequence[Prompt],
    writer: Writer,
    wish: Wish,
    show: Callable[[str], None],
) -> int:
    """`write_items` into the project of this name, which is made where there is none; `show` gets a line of progress.
    Ctrl-C ends it between two items at the latest. Raises HitlError."""
    projects = Projects(data)
    if name in projects.names():
        if schema is not None:
            raise InputError("is given by the project", field="schema", hint="Leave it out, or name a new project.")
        project = projects.open(name)
    else:
        project = projects.create(name, preset(schema or "fine-grained-rlhf"))

    def told(now: Progressed) -> None:
        newest = next((text for text in now.texts if text), "")
        show(f"{now.done}/{now.of} prompts  {' '.join(newest.split())[-60:]}")

    try:
        return write_items(project, prompts, writer, wish, told)
    finally:
        project.close()
