"""The two writers: the embedded language model, and a server that speaks OpenAI's chat completions API.

POST {address}/v1/chat/completions with `"stream": true`; the answer is server-sent events, one JSON object each, whose
choices have an index (https://platform.openai.com/docs/api-reference/chat/streaming). Address and model are one text:
`http://host:8000#model`. A key, where the server wants one, comes from the environment variable HITL_WRITER_KEY and is
never written anywhere.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hitl.backend.writing import Wish, Writer
from hitl.errors import InputError, UnavailableError

KEY_VARIABLE = "HITL_WRITER_KEY"
_PATH = "/v1/chat/completions"
_TIMEOUT_S = 60.0
_LONGEST_LINE = 1 << 20


def writer_of(model: str, device: str = "auto") -> Writer:
    """The writer of this name: an address, a folder or hub name, or empty for the embedded model. Raises HitlError."""
    if model.startswith(("http://", "https://")):
        return EndpointWriter(model)
    return EmbeddedWriter(model, device)


class EmbeddedWriter:
    """A language model in this process; it is loaded when it first writes."""

    def __init__(self, model: str = "", device: str = "auto") -> None:
        from policies.language.model import EMBEDDED, LanguageModel

        self._given, self._device = model, device
        self._model: LanguageModel | None = None
        self.name = model or EMBEDDED

    def write(
        self, prompt: str, wish: Wish, told: Callable[[list[str]], None], stopped: Callable[[], bool]
    ) -> list[str]:
        """See `Writer.write`."""
        from policies.errors import PolicyError
        from policies.language.model import Sampling, load

        try:
            if self._model is None:
                self._model = load(self._given, self._device)
            sampling = Sampling(max_tokens=wish.max_tokens, temperature=wish.temperature, seed=wish.seed)
            return self._model.write(prompt, wish.count, sampling, told=told, stopped=stopped)
        except PolicyError as problem:
            raise UnavailableError(problem.message, field=problem.field, hint=problem.hint) from problem


class EndpointWriter:
    """One server, one model. Raises InputError for an address that is none."""

    def __init__(self, address: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._parts, self._timeout_s = _split(address), timeout_s
        self._model = self._parts.fragment
        self.name = f"{self._model or 'a model'} at {self._parts.netloc}"

    def write(
        self, prompt: str, wish: Wish, told: Callable[[list[str]], None], stopped: Callable[[], bool]
    ) -> list[str]:
        """See `Writer.write`."""
        texts = [""] * wish.count
        body: dict[str, Any] = {
            "messages": [{"role": "user", "content": prompt}],
            "n": wish.count,
            "max_tokens": wish.max_tokens,
            "temperature": wish.temperature,
            "seed": wish.seed,
            "stream": True,
        }
        if self._model:
            body["model"] = self._model
        for index, piece in self._pieces(body):
            if index < len(texts):
                texts[index] += piece
                told(list(texts))
            if stopped():
                break
        return [text.strip() for text in texts]

    def _pieces(self, body: dict[str, Any]) -> Iterator[tuple[int, str]]:
        """What the server adds to which answer, in order."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        try:
            connection.request("POST", self._parts.path.rstrip("/") + _PATH, json.dumps(body), headers)
            answer = connection.getresponse()
            if answer.status != 200:
                why = answer.read(300).decode(errors="replace")
                raise self._error(f"it answers {answer.status} {answer.reason}: {why}")
            yield from self._events(answer)
        except (OSError, http.client.HTTPException) as problem:
            raise self._error(f"it does not answer ({problem or type(problem).__name__}).") from problem
        finally:
            connection.close()

    def _events(self, answer: http.client.HTTPResponse) -> Iterator[tuple[int, str]]:
        while line := answer.readline(_LONGEST_LINE):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            yield from self._choices(data)
        raise self._error("its answer broke off.")

    def _choices(self, data: bytes) -> list[tuple[int, str]]:
        try:
            choices = json.loads(data)["choices"]
            return [(int(c["index"]), str(c["delta"].get("content") or "")) for c in choices]
        except (ValueError, LookupError, TypeError, AttributeError) as problem:
            raise self._error("its answer is no chat completion.") from problem

    def _error(self, why: str) -> UnavailableError:
        return UnavailableError(
            why, field=self.name, hint="What was finished is kept; start it again when it is there."
        )


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of its port, or of an IPv6 address
        right = False
    if not right:
        hint = "Give for instance http://127.0.0.1:8000#model."
        raise InputError(f"“{address}” is no address.", field="model", hint=hint)
    return parts
