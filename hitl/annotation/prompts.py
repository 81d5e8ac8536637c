"""Files of prompts, with their sources: what outputs are written for.

    *.txt      one prompt a line
    *.jsonl    one object a line: {"prompt": "…", "sources": ["a passage", {"title": "…", "sentences": ["…"]}]}
    *.json     a list of such objects, or of the published prompts of Fine-Grained RLHF (`dev.json` of
               `tasks/qa_feedback/data`: {"question": "…", "passages": [{"wikipage": "…", "content": "…"}]})

Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hitl.annotation.items import MAX_TEXT_CHARS, Prompt, SourceText
from hitl.annotation.text import sentences
from hitl.errors import InputError


class _Named(msgspec.Struct):
    wikipage: str
    content: str


class _Published(msgspec.Struct):
    question: str
    passages: list[_Named]


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    prompt: str
    sources: list[SourceText | str] = []


def read_prompts(path: Path) -> list[Prompt]:
    """All prompts of a file. Raises InputError naming file and line."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise InputError(f"{error.strerror}", field=str(path), hint="Give a file of prompts.") from error
    except UnicodeDecodeError as error:
        why = f"is no UTF-8 (byte {error.start})"
        raise InputError(why, field=str(path), hint="Save the file as UTF-8.") from error
    readers: dict[str, Callable[[Path, str], list[Prompt]]] = {
        ".txt": _lines, ".jsonl": _json_lines, ".json": _json
    }  # fmt: skip
    if path.suffix not in readers:
        raise InputError("is no file of prompts", field=str(path), hint="Give a .txt, .jsonl or .json file.")
    prompts = readers[path.suffix](path, text.removeprefix("\ufeff"))
    if not prompts:
        raise InputError("holds no prompt", field=str(path), hint="Write one a line.")
    return prompts


def _lines(path: Path, text: str) -> list[Prompt]:
    return [_checked(line.strip(), [], f"{path}:{number}") for number, line in _numbered(text)]


def _json_lines(path: Path, text: str) -> list[Prompt]:
    found = []
    for number, line in _numbered(text):
        where = f"{path}:{number}"
        plain = _decoded(line, _Plain, where)
        found.append(_checked(plain.prompt, plain.sources, where))
    return found


def _json(path: Path, text: str) -> list[Prompt]:
    entries = _decoded(text, list[dict[str, Any]], str(path))
    found = []
    for number, entry in enumerate(entries):
        where = f"{path}[{number}]"
        try:
            if "question" in entry:
                published = msgspec.convert(entry, _Published)
                sources: Sequence[SourceText | str] = [_passage(p.wikipage, p.content) for p in published.passages]
                found.append(_checked(published.question, sources, where))
            else:
                plain = msgspec.convert(entry, _Plain)
                found.append(_checked(plain.prompt, plain.sources, where))
        except msgspec.ValidationError as error:
            raise _unreadable(where, error) from error
    return found


def _numbered(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _decoded(text: str, kind: Any, where: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: Exception) -> InputError:
    return InputError(f"{error}", field=where, hint='Write for instance {"prompt": "…", "sources": ["…"]}.')


def _checked(prompt: str, sources: Sequence[SourceText | str], where: str) -> Prompt:
    if not prompt.strip():
        raise InputError("has an empty prompt", field=where, hint="Remove it, or write one.")
    if len(prompt) > MAX_TEXT_CHARS:
        why = f"has a prompt of {len(prompt)} characters; at most {MAX_TEXT_CHARS} are taken"
        raise InputError(why, field=where, hint="Cut it.")
    whole = [_passage("", source) if isinstance(source, str) else source for source in sources]
    return Prompt(text=prompt, sources=whole)


def _passage(title: str, text: str) -> SourceText:
    return SourceText(title=title, sentences=[text[start:end] for start, end in sentences(text)])
