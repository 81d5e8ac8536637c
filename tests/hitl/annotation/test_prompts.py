"""Files of prompts."""

from __future__ import annotations

import json

import pytest

from hitl.annotation.items import MAX_TEXT_CHARS, Prompt, SourceText
from hitl.annotation.prompts import read_prompts
from hitl.errors import InputError


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_lines_of_text(tmp_path):
    path = written(tmp_path, "p.txt", "\ufeffWhy?\n\n  How?  \r\n")
    assert read_prompts(path) == [Prompt(text="Why?"), Prompt(text="How?")]


def test_objects_a_line_with_sources_cut_into_sentences(tmp_path):
    lines = [
        {"prompt": "Why?", "sources": ["It rains. It pours.", {"title": "T", "sentences": ["One."]}]},
        {"prompt": "How?"},
    ]
    path = written(tmp_path, "p.jsonl", "\n".join(json.dumps(line) for line in lines))
    assert read_prompts(path) == [
        Prompt(
            text="Why?",
            sources=[SourceText(sentences=["It rains.", "It pours."]), SourceText(title="T", sentences=["One."])],
        ),
        Prompt(text="How?"),
    ]


def test_the_published_prompts(tmp_path):
    entry = {
        "text": "question: …",
        "answer": ["x"],
        "question": "Why?",
        "passages": [{"wikipage": "W", "content": "It rains. It pours."}],
    }
    path = written(tmp_path, "p.json", json.dumps([entry, {"prompt": "How?"}]))
    assert read_prompts(path)[0].sources == [SourceText(title="W", sentences=["It rains.", "It pours."])]
    assert read_prompts(path)[1] == Prompt(text="How?")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("p.txt", "\n \n", "holds no prompt"),
        ("p.txt", b"\xff\xfe", "no UTF-8"),
        ("p.doc", "x", "no file of prompts"),
        ("p.jsonl", '{"prompt": "a"}\n{"prompt"', ":2"),
        ("p.jsonl", '{"prompt": " "}', "empty prompt"),
        ("p.jsonl", '{"prompt": "a", "x": 1}', "unknown field"),
        ("p.json", '[{"prompt": "a"}, {"question": 3, "passages": []}]', r"\[1\]"),
        ("p.json", '[{"prompt": "a"}', "truncated"),
        ("p.json", "[]", "holds no prompt"),
        ("p.txt", "x" * (MAX_TEXT_CHARS + 1), "characters"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, name, content, why):
    with pytest.raises(InputError, match=why):
        read_prompts(written(tmp_path, name, content))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_prompts(tmp_path / "none.txt")
