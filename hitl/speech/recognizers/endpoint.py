"""A server that speaks OpenAI's transcription API, hosted or one's own (vLLM, speaches, faster-whisper-server, ...).

POST {address}/v1/audio/transcriptions with a WAV file, as multipart/form-data; the answer is JSON (`verbose_json`
where times of words are asked for). Address and model are one text: `http://host:8000#model`. A key, where the server
wants one, comes from the environment variable HITL_SPEECH_KEY and is never written anywhere.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import os
import uuid
import wave
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from hitl.errors import InputError, UnavailableError
from hitl.speech.audio import RATE, Audio, to_int16
from hitl.speech.heard import Heard, Hypothesis, Word
from hitl.speech.silence import is_hallucination

KEY_VARIABLE = "HITL_SPEECH_KEY"
_TIMEOUT_S = 15.0
_MODEL = "whisper-1"
_PATH = "/v1/audio/transcriptions"


class Endpoint:
    """One server, one model. Raises InputError for an address that is none."""

    def __init__(self, address: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        try:
            parts = urlsplit(address)
            right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # of its port, or of an IPv6 address
            right = False
        if not right:
            raise InputError(
                f"“{address}” is no address.",
                field="recognizer_model",
                hint="Give for instance http://127.0.0.1:8000#whisper-1.",
            )
        self._parts, self._timeout_s = parts, timeout_s
        self._model = parts.fragment or _MODEL

    @property
    def name(self) -> str:
        """For people."""
        return f"{self._model} at {self._parts.netloc}"

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        """See `Recognizer.hear`; the API gives one reading. Raises UnavailableError where the server does not
        answer."""
        if not len(audio) or not audio.any():
            return Heard(())
        fields = {"model": self._model, "language": "en", "response_format": "verbose_json", "temperature": "0"}
        if hints:
            fields["prompt"] = ", ".join(hints)
        if words:
            fields["timestamp_granularities[]"] = "word"
        answer = self._ask(*_form(fields, _wav(audio)))
        try:
            return _heard(answer)
        except (AttributeError, TypeError, ValueError) as problem:
            raise self._error("its answer is no transcription.") from problem

    def _ask(self, body: bytes, boundary: str) -> dict[str, Any]:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        try:
            connection.request("POST", self._parts.path.rstrip("/") + _PATH, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            raise self._error(f"it does not answer ({problem or type(problem).__name__}).") from problem
        finally:
            connection.close()
        if answer.status != 200:
            raise self._error(f"it answers {answer.status} {answer.reason}: {content[:200].decode(errors='replace')}")
        try:
            found = json.loads(content)
        except ValueError as problem:
            raise self._error("its answer is no JSON.") from problem
        if not isinstance(found, dict):
            raise self._error("its answer is no transcription.")
        return found

    def _error(self, why: str) -> UnavailableError:
        return UnavailableError(why, field=self.name, hint="Typing keeps working.")


def _heard(answer: dict[str, Any]) -> Heard:
    """The API's answer. Raises AttributeError, TypeError or ValueError where it is another one."""
    segments = [piece for piece in answer.get("segments") or () if isinstance(piece, dict)]
    kept = [piece for piece in segments if not _nobody(piece)]
    if segments:
        text = " ".join(str(piece.get("text") or "").strip() for piece in kept).strip()
    else:
        text = str(answer.get("text") or "").strip()
    if not text or not segments and is_hallucination(text, 0.0, 0.0):
        return Heard((), 1.0)
    score = sum(float(piece.get("avg_logprob", 0.0)) * max(1, len(piece.get("tokens") or ())) for piece in kept)
    timed = tuple(
        Word(str(w.get("word", "")).strip(), float(w.get("start", 0.0)), float(w.get("end", 0.0)), 1.0)
        for w in answer.get("words") or ()
    )
    return Heard((Hypothesis(text, score),), 0.0, timed)


def _nobody(piece: dict[str, Any]) -> bool:
    return is_hallucination(
        str(piece.get("text", "")), float(piece.get("no_speech_prob", 0.0)), float(piece.get("avg_logprob", -math.inf))
        if "avg_logprob" in piece else 0.0,
    )  # fmt: skip


def _wav(audio: Audio) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(to_int16(audio))
    return out.getvalue()


def _form(fields: dict[str, str], sound: bytes) -> tuple[bytes, str]:
    """Body and boundary of multipart/form-data (RFC 7578)."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="said.wav"\r\n'
    parts += [head.encode(), b"Content-Type: audio/wav\r\n\r\n", sound, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), boundary
