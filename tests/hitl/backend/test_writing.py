"""Outputs on the spot: what becomes an item, what is left alone, and a server that is real, on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hitl.annotation.items import Prompt, SourceText
from hitl.annotation.project import Projects
from hitl.backend.writers import EndpointWriter, writer_of
from hitl.backend.writing import Wish, instruction, item_id, write_items, write_project
from hitl.errors import HitlError, InputError, UnavailableError
from tests.support.labelled import project

PROMPTS = [
    Prompt(text="Why?", sources=[SourceText(title="Rain", sentences=["It rains.", "It pours."])]),
    Prompt(text="How?"),
]
WISH = Wish(count=2, max_tokens=9, seed=3)


class Echo:
    """Writes its number and the prompt's length, a word at a time."""

    name = "echo"

    def __init__(self):
        self.asked = []

    def write(self, prompt, wish, told, stopped):
        self.asked.append(prompt)
        texts = [f"{number} {len(prompt)}" for number in range(wish.count)]
        told([text.split()[0] for text in texts])
        told(texts)
        return texts


def test_every_prompt_becomes_an_item_with_its_outputs(tmp_path):
    made, told = project(tmp_path, []), []
    assert write_items(made, PROMPTS, Echo(), WISH, told.append) == 2
    first, second = made.items()
    assert [output.track for output in first.outputs] == ["1", "2"] and first.outputs[0].origin == "echo"
    assert first.prompt == "Why?" and first.sources == PROMPTS[0].sources and second.sources == []
    assert [(step.done, list(step.texts), step.item and step.item.id) for step in told[:3]] == [
        (0, ["0", "1"], None), (0, [o.text for o in first.outputs], None), (1, [], first.id)
    ]  # fmt: skip
    assert told[-1].done == told[-1].of == 2


def test_what_was_written_before_is_not_written_again(tmp_path):
    made, writer = project(tmp_path, []), Echo()
    write_items(made, PROMPTS[:1], writer, WISH, lambda _: None)
    assert write_items(made, PROMPTS, writer, WISH, lambda _: None) == 1 and len(writer.asked) == 2
    assert write_items(made, PROMPTS[:1], writer, Wish(count=2, max_tokens=9, seed=4), lambda _: None) == 1


def test_when_it_is_stopped_the_unfinished_item_is_left_out(tmp_path):
    made, stop = project(tmp_path, []), threading.Event()

    def told(progress):
        if progress.done == 1 and progress.texts:
            stop.set()

    assert write_items(made, PROMPTS, Echo(), WISH, told, stop.is_set) == 1
    assert len(made) == 1
    assert write_items(made, PROMPTS, Echo(), WISH, lambda _: None) == 1, "it goes on where it was"


def test_the_sources_come_before_the_question():
    assert instruction(PROMPTS[1]) == "How?"
    text = instruction(PROMPTS[0])
    assert text.startswith("Rain\nIt rains. It pours.") and text.endswith("Why?")


def test_an_id_follows_from_what_is_asked_and_how():
    names = {item_id(prompt, wish, name) for prompt in PROMPTS for wish in (WISH, Wish()) for name in "ab"}
    assert len(names) == 8 and item_id(PROMPTS[0], WISH, "a") in names


@pytest.mark.parametrize("fields", [{"count": 0}, {"count": 17}, {"max_tokens": 0}, {"temperature": -1},
                                    {"temperature": float("nan")}])  # fmt: skip
def test_a_wish_that_cannot_be_is_named(tmp_path, fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        write_items(project(tmp_path, []), PROMPTS, Echo(), Wish(**fields), lambda _: None)


def test_without_prompts_there_is_nothing_to_write(tmp_path):
    with pytest.raises(InputError, match="prompts"):
        write_items(project(tmp_path, []), [], Echo(), WISH, lambda _: None)


def test_a_project_is_made_where_there_is_none_and_keeps_its_schema(tmp_path):
    shown = []
    assert write_project(tmp_path, "new", "thumbs", PROMPTS, Echo(), WISH, shown.append) == 2
    assert write_project(tmp_path, "new", None, PROMPTS, Echo(), WISH, shown.append) == 0
    assert Projects(tmp_path).open("new").schema.name == "thumbs"
    assert shown[0].startswith("0/2 prompts  0") and shown[-1].startswith("2/2")
    with pytest.raises(InputError, match="schema"):
        write_project(tmp_path, "new", "mqm", PROMPTS, Echo(), WISH, shown.append)


class Server(ThreadingHTTPServer):
    """Speaks the chat completions API, as it is told to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.lines, self.status = [], [], 200
        self.address = f"http://127.0.0.1:{self.server_port}#tiny"

    def says(self, *pieces):
        events = [{"choices": [{"index": index, "delta": {"content": text}}]} for index, text in pieces]
        self.lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization")))
        self.send_response(self.server.status)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who asked may leave
            for line in self.server.lines:
                self.wfile.write(line.encode())
                self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def ask(server, told=lambda _: None, stopped=lambda: False):
    return writer_of(server.address).write("Why?", WISH, told, stopped)


def test_a_server_streams_all_answers_at_once(server, monkeypatch):
    monkeypatch.setenv("HITL_WRITER_KEY", "secret")
    server.says((0, " It"), (1, "Be"), (0, " rains."), (1, "cause"), (1, None), (7, "x"))
    told = []
    assert ask(server, told.append) == ["It rains.", "Because"]
    assert told[:3] == [[" It", ""], [" It", "Be"], [" It rains.", "Be"]]
    ((path, body, key),) = server.asked
    assert path == "/v1/chat/completions" and key == "Bearer secret"
    assert body["messages"] == [{"role": "user", "content": "Why?"}] and body["model"] == "tiny"
    assert (body["n"], body["max_tokens"], body["seed"], body["stream"]) == (2, 9, 3, True)


def test_a_server_is_left_when_it_is_stopped(server):
    server.says(*[(0, "x")] * 1_000)
    seen = []
    ask(server, seen.append, lambda: len(seen) >= 3)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("lines", "status", "why"),
    [
        (["data: {}\n\n"], 200, "no chat completion"),
        (["data: nonsense\n\n"], 200, "no chat completion"),
        ([": ping\n\n"], 200, "broke off"),
        (["no model of this name"], 404, "404.*no model"),
    ],
)
def test_what_a_server_does_wrong_is_said(server, lines, status, why):
    server.lines, server.status = lines, status
    with pytest.raises(UnavailableError, match=why):
        ask(server)


def test_a_server_that_is_not_there():
    with pytest.raises(UnavailableError, match="does not answer"):
        EndpointWriter("http://127.0.0.1:9#x", timeout_s=2).write("Why?", WISH, lambda _: None, lambda: False)


@pytest.mark.parametrize("address", ["http://", "ftp://x", "http://x:99999", "http://[x"])
def test_an_address_that_is_none(address):
    with pytest.raises(InputError, match="no address"):
        EndpointWriter(address)


def test_a_model_that_is_none(tmp_path):
    with pytest.raises(HitlError, match="cannot be loaded"):
        writer_of(str(tmp_path), "cpu").write("Why?", WISH, lambda _: None, lambda: False)
