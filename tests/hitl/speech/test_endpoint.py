"""The recognizer on a server, with a server of the tests' own."""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from hitl.errors import InputError, UnavailableError
from hitl.speech.audio import RATE
from hitl.speech.recognizers.endpoint import KEY_VARIABLE, Endpoint

SOUND = np.full(RATE, 0.1, np.float32)


class Server:
    """Answers every request with `status` and `answer`, and keeps what was asked."""

    def __init__(self) -> None:
        self.status, self.answer, self.wait_s = 200, json.dumps({"text": " Go left. "}).encode(), 0.0
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.short = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.take(self)

            def log_message(self, *_: Any) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        head = f"Content-Type: {handler.headers['Content-Type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in message.iter_parts()
        }
        self.asked.append((handler.path, dict(handler.headers), parts))
        time.sleep(self.wait_s)
        handler.send_response(self.status)
        handler.send_header("Content-Length", str(len(self.answer) + (100 if self.short else 0)))
        handler.end_headers()
        handler.wfile.write(self.answer)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def test_it_asks_as_the_api_wants_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    endpoint = Endpoint(f"{server.address}/proxy/#whisper-large")
    assert endpoint.hear(SOUND, words=True, hints=["go left", "go up"]).text == "Go left."
    ((path, headers, parts),) = server.asked
    assert path == "/proxy/v1/audio/transcriptions"
    assert headers["Authorization"] == "Bearer secret"
    assert parts["model"] == b"whisper-large" and parts["prompt"] == b"go left, go up"
    assert parts["timestamp_granularities[]"] == b"word" and parts["language"] == b"en"
    with wave.open(io.BytesIO(parts["file"])) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (RATE, 1, len(SOUND))
    assert "secret" not in endpoint.name


def test_segments_without_speech_are_left_out_and_words_have_times(server: Server) -> None:
    answer = {
        "text": "Go left. Thanks for watching!",
        "segments": [
            {"text": " Go left.", "avg_logprob": -0.25, "no_speech_prob": 0.01, "tokens": [1, 2]},
            {"text": " Thanks for watching!", "avg_logprob": -0.3, "no_speech_prob": 0.9, "tokens": [3]},
        ],
        "words": [{"word": " Go", "start": 0.1, "end": 0.3}, {"word": "left.", "start": 0.3, "end": 0.6}],
    }
    server.answer = json.dumps(answer).encode()
    heard = Endpoint(server.address).hear(SOUND, words=True)
    assert heard.text == "Go left." and heard.hypotheses[0].log_probability == pytest.approx(-0.5)
    assert [(word.text, word.start_s) for word in heard.words] == [("Go", 0.1), ("left.", 0.3)]


@pytest.mark.parametrize(
    "answer",
    [{}, {"text": ""}, {"text": "you"}, {"text": "Thanks for watching!"}, {"segments": [], "text": None}],
)
def test_nothing_said_is_nothing_heard(server: Server, answer: dict[str, Any]) -> None:
    server.answer = json.dumps(answer).encode()
    assert Endpoint(server.address).hear(SOUND).text in ("", "you")


def test_silence_is_not_sent(server: Server) -> None:
    assert Endpoint(server.address).hear(np.zeros(RATE, np.float32)).hypotheses == ()
    assert Endpoint(server.address).hear(np.zeros(0, np.float32)).hypotheses == ()
    assert not server.asked


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_error_is_told_with_what_the_server_says(server: Server, status: int) -> None:
    server.status, server.answer = status, b"model not loaded \xff"
    with pytest.raises(UnavailableError, match=f"{status} .*model not loaded"):
        Endpoint(server.address).hear(SOUND)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"<html>", b"[1]", b'"text"', b"\xff\xfe", b'{"text": "hi", "segments": 7}',
        b'{"text": "hi", "words": 7}',
        b'{"segments": [{"text": "hi", "avg_logprob": "low"}]}', b'{"segments": [{"text": "hi", "tokens": 3}]}',
        b'{"text": "hi", "words": ["hi"]}', b'{"text": "hi", "words": [{"word": "hi", "start": null}]}',
    ],
)  # fmt: skip
def test_an_answer_that_is_no_transcription_is_told(server: Server, answer: bytes) -> None:
    server.answer = answer
    with pytest.raises(UnavailableError, match="its answer is no"):
        Endpoint(server.address).hear(SOUND)


def test_a_server_that_is_slow_gone_or_breaks_off_is_told(server: Server) -> None:
    server.wait_s = 1.0
    with pytest.raises(UnavailableError, match="does not answer"):
        Endpoint(server.address, timeout_s=0.1).hear(SOUND)
    server.wait_s, server.short = 0.0, True
    with pytest.raises(UnavailableError, match="does not answer"):
        Endpoint(server.address, timeout_s=0.5).hear(SOUND)
    with pytest.raises(UnavailableError, match="does not answer"):
        Endpoint("http://127.0.0.1:9").hear(SOUND)


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://host", "http://", "http://host:port", "http://[::1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="no address"):
        Endpoint(address)
