"""Projects on disk: items are added once, whole or not at all; broken files are named."""

from __future__ import annotations

import msgspec
import pytest

from hitl.annotation.items import MAX_TEXT_CHARS, Item, Output, SourceText, checked_item
from hitl.annotation.presets import preset
from hitl.annotation.project import Projects
from hitl.errors import InputError, StorageError
from tests.support.labelled import PROJECT, item, project


def test_a_project_is_found_again_with_its_items(tmp_path):
    made = project(tmp_path)
    assert len(made) == 3 and made.ids() == ["one", "two", "three"]
    again = Projects(tmp_path).open(PROJECT)
    assert again.schema == preset("fine-grained-rlhf") and again.item("two") == item("two")
    assert list(again.items()) == [item("one"), item("two"), item("three")]
    assert Projects(tmp_path).names() == [PROJECT] and Projects(tmp_path / "none").names() == []


def test_the_same_items_again_change_nothing_and_others_are_refused_whole(tmp_path):
    made = project(tmp_path)
    assert made.add([item("one"), item("four")]) == 1
    with pytest.raises(InputError, match="'one' is in .* already"):
        made.add([item("five"), item("one", outputs=3)])
    assert made.ids() == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"id": ""}, "items.id"),
        ({"id": "a\nb"}, "items.id"),
        ({"outputs": []}, "nothing to annotate"),
        ({"outputs": [Output(track="1", text="a"), Output(track="1", text="b")]}, "outputs"),
        ({"outputs": [Output(track="time", text="a")]}, "outputs"),
        ({"outputs": [Output(track="a:b", text="a")]}, "outputs"),
        ({"prompt": "x" * (MAX_TEXT_CHARS + 1)}, "prompt: has 1000001 characters"),
        ({"prompt": "a\ud800"}, "surrogate"),
        ({"sources": [SourceText(sentences=["x" * 900_000] * 4)]}, "bytes in all"),
    ],
)
def test_an_item_that_cannot_be_used_is_named(fields, why):
    with pytest.raises(InputError, match=why):
        checked_item(msgspec.structs.replace(item(), **fields))


def test_a_recording_is_an_item_with_a_length():
    recording = Item(id="r", recording="s/e", duration_ms=90_000)
    assert checked_item(recording).length("time") == 90_000
    with pytest.raises(InputError, match="track"):
        recording.length("1")
    with pytest.raises(InputError, match="It has 1, 2"):
        item().length("time")


def test_names_are_checked_and_taken_once(tmp_path):
    projects = Projects(tmp_path)
    project(tmp_path)
    for name in ("", "../x", "a b", ".hidden", "x" * 101):
        with pytest.raises(InputError, match="project"):
            projects.create(name, preset("thumbs"))
    with pytest.raises(InputError, match="already"):
        projects.create(PROJECT, preset("thumbs"))
    with pytest.raises(InputError, match=f"There is: {PROJECT}"):
        projects.open("other")
    with pytest.raises(InputError, match="no item"):
        projects.open(PROJECT).item("x")


def test_a_changed_schema_is_kept_beside_the_old_one(tmp_path):
    made = project(tmp_path)
    smaller = msgspec.structs.replace(made.schema, categories=made.schema.categories[:-1])
    made.change_schema(smaller, {"Irrelevant": 4})
    again = Projects(tmp_path).open(PROJECT)
    assert again.schema.version == 2 and len(again.schemas) == 2 and len(again.schema.categories) == 7
    with pytest.raises(InputError, match="labels exist"):
        made.change_schema(preset("thumbs"), {"Irrelevant": 4})
    assert Projects(tmp_path).open(PROJECT).schema.version == 2


@pytest.mark.parametrize("name", ["project.json", "items.sqlite"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 4096])
def test_a_broken_file_is_named(tmp_path, name, content):
    made = project(tmp_path)
    made.close()
    path = made.folder / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=PROJECT):
        Projects(tmp_path).open(PROJECT)


def test_items_that_are_gone_are_missed(tmp_path):
    made = project(tmp_path)
    made.close()
    (made.folder / "items.sqlite").unlink()
    with pytest.raises(InputError, match="Restore the file"):
        Projects(tmp_path).open(PROJECT)


def test_a_full_disk_leaves_no_half_project(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hitl.annotation.project.os.fsync", full)
    with pytest.raises(StorageError, match="No space"):
        project(tmp_path)
    monkeypatch.undo()
    assert len(project(tmp_path)) == 3


def test_a_database_of_something_else_is_refused(tmp_path):
    made = project(tmp_path)
    made.close()
    import sqlite3

    other = sqlite3.connect(made.folder / "items.sqlite")
    other.execute("PRAGMA application_id=7")
    other.close()
    with pytest.raises(InputError, match="holds no items"):
        Projects(tmp_path).open(PROJECT)
