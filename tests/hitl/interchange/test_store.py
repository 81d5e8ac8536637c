"""Importing into projects and the log, exporting, schemas that change: by functions and by the command."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from hitl import cli
from hitl.annotation.presets import preset
from hitl.annotation.project import Projects
from hitl.clock import is_ulid
from hitl.errors import InputError, StorageError
from hitl.events import LabelEvent
from hitl.interchange.store import (
    change_schema,
    export_project,
    import_file,
    list_projects,
    opened,
    schema_of,
    used_categories,
)
from hitl.labels import Span
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from tests.support.random_projects import labelled

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "interchange"
FEEDBACK = SAMPLES / "qa_feedback.json"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one imported project."""
    import_file(tmp_path / "data", "fine-grained-rlhf", FEEDBACK, project="qa")
    return tmp_path / "data"


def steps(data: Path, project: str = "qa") -> list[LabelEvent]:
    with opened(data, project) as (_, events):
        return events


def test_importing_twice_changes_nothing(data: Path) -> None:
    before = steps(data)
    again = import_file(data, "fine-grained-rlhf", FEEDBACK, project="qa")
    assert (again.made, again.items, again.new_items, again.steps, again.new_steps) == (False, 10, 0, 10, 0)
    assert steps(data) == before
    assert all(is_ulid(event.id) and event.origin == "fine-grained-rlhf qa_feedback.json" for event in before)


def test_ids_of_steps_follow_from_project_author_and_labels(data: Path, tmp_path: Path) -> None:
    import_file(data, "fine-grained-rlhf", FEEDBACK, project="other")
    import_file(data, "fine-grained-rlhf", FEEDBACK, project="qa", author="ann")
    assert len({event.id for project in ("qa", "other") for event in steps(data, project)}) == 30
    longer = json.loads(FEEDBACK.read_text())
    longer.append({**longer[0], "question": "Another one?"})
    (tmp_path / "longer.json").write_text(json.dumps(longer))
    more = import_file(data, "fine-grained-rlhf", tmp_path / "longer.json", project="qa")
    assert (more.new_items, more.new_steps) == (1, 1)


def test_other_content_under_the_same_id_is_refused_and_nothing_is_stored(data: Path, tmp_path: Path) -> None:
    changed = json.loads(FEEDBACK.read_text())
    changed[3]["gold"] += " Indeed."
    changed.insert(0, {**changed[0], "question": "A new one?"})
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    before = steps(data)
    with pytest.raises(InputError, match="other content"):
        import_file(data, "fine-grained-rlhf", tmp_path / "changed.json", project="qa")
    assert steps(data) == before and list_projects(data)[0].items == 10


def test_a_project_keeps_its_schema(data: Path) -> None:
    with pytest.raises(InputError, match="schema"):
        import_file(data, "fine-grained-rlhf", FEEDBACK, project="qa", schema=preset("mqm"))
    with pytest.raises(InputError, match="Fluency|Accuracy|Style|Terminology"):
        import_file(data, "mqm-tsv", SAMPLES / "mqm_ted.tsv", project="qa")
    assert list_projects(data)[0].items == 10


def test_a_project_without_a_name_is_called_like_its_file(tmp_path: Path) -> None:
    (tmp_path / "my file (2).jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    assert import_file(tmp_path / "data", "trl-preference", tmp_path / "my file (2).jsonl").project == "my-file-2"


def test_own_lines_come_back_under_another_name_with_their_undo(data: Path, tmp_path: Path) -> None:
    first = steps(data)[0]
    undone = msgspec.structs.replace(
        first, id="01HZZZZZZZZZZZZZZZZZZZZZZZ", undoes=first.id, changes=first.changes[:1]
    )
    with closing(FeedbackLog(Catalog(data).log_file)) as log:
        log.append(undone)
    export_project(data, "jsonl", "qa", tmp_path / "qa.jsonl")
    for _ in range(2):
        import_file(data, "jsonl", tmp_path / "qa.jsonl", project="copy")
    copied = steps(data, "copy")
    assert [event.changes for event in copied] == [event.changes for event in steps(data)]
    assert copied[-1].undoes == copied[0].id != first.id
    assert copied[-1].id[:10] == "01HZZZZZZZ"
    moved = import_file(tmp_path / "elsewhere", "jsonl", tmp_path / "qa.jsonl", project="qa")
    assert steps(tmp_path / "elsewhere") == steps(data) and moved.new_steps == 11


def test_only_the_labels_of_one_person_are_written(data: Path, tmp_path: Path) -> None:
    import_file(data, "fine-grained-rlhf", FEEDBACK, project="qa", author="ann")
    with pytest.raises(InputError, match="imported"):
        export_project(data, "fine-grained-rlhf", "qa", tmp_path / "out.json")
    export_project(data, "fine-grained-rlhf", "qa", tmp_path / "out.json", author="ann")
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(FEEDBACK.read_text())
    with pytest.raises(InputError, match="bob"):
        export_project(data, "jsonl", "qa", tmp_path / "out.json", author="bob")


def test_what_cannot_be_written_leaves_the_old_file(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(InputError):
        export_project(data, "csv", "nothing", tmp_path / "out.csv")
    with pytest.raises(OSError):
        export_project(data, "csv", "qa", tmp_path / "no" / "folder.csv")
    assert (tmp_path / "out.csv").read_text() == "old"


def test_rows_are_read_into_the_project_they_were_written_from(data: Path, tmp_path: Path) -> None:
    export_project(data, "csv", "qa", tmp_path / "rows.csv")
    renamed = (tmp_path / "rows.csv").read_text().replace(",imported,", ",ann,")
    (tmp_path / "rows.csv").write_text(renamed)
    stored = import_file(data, "csv", tmp_path / "rows.csv", project="qa")
    assert (stored.new_items, stored.new_steps, stored.authors) == (0, 10, ["ann"])
    by_author = {
        author: [event.changes for event in steps(data) if event.author == author] for author in ("imported", "ann")
    }
    assert by_author["ann"] == by_author["imported"]


# -- schemas ------------------------------------------------------------------------------------------------------


def without(*keys: str) -> str:
    schema = preset("fine-grained-rlhf")
    kept = [category for category in schema.categories if category.key not in keys]
    return msgspec.json.encode(msgspec.structs.replace(schema, categories=kept)).decode()


def test_a_schema_that_would_lose_labels_is_refused_or_migrated(data: Path, tmp_path: Path) -> None:
    used = used_categories(steps(data))
    assert used["Redundant"] > 0 and used["Incoherent"] > 0
    path = tmp_path / "new.json"
    path.write_text(without("Redundant", "Incoherent"))
    new = schema_of(str(path))
    with pytest.raises(InputError, match=f"Incoherent .{used['Incoherent']} labels.*Redundant"):
        change_schema(data, "qa", new, {})
    with pytest.raises(InputError, match="Redundant"):
        change_schema(data, "qa", new, {"Incoherent": ""})
    assert list_projects(data)[0].version == 1
    assert change_schema(data, "qa", new, {"Incoherent": "", "Redundant": "Irrelevant"}).version == 2
    export_project(data, "fine-grained-rlhf", "qa", tmp_path / "out.json")
    entries = json.loads((tmp_path / "out.json").read_text())
    kinds = [error["error type"] for entry in entries for error in entry["feedback"]["errors"]]
    assert kinds.count("Irrelevant") == used["Irrelevant"] + used["Redundant"]
    assert "Redundant" not in kinds and "Incoherent" not in kinds
    export_project(data, "jsonl", "qa", tmp_path / "qa.jsonl")
    import_file(data, "jsonl", tmp_path / "qa.jsonl", project="copy")
    assert used_categories(steps(data, "copy")) == used


def test_what_was_taken_back_is_not_used(data: Path) -> None:
    with opened(data, "qa") as (project, _):
        item = project.item(project.ids()[0])
    event = labelled(item, [Span(track="1", start=0, end=1, categories=["Unverifiable"])], "ann")
    event = msgspec.structs.replace(event, project="qa")
    before = used_categories(steps(data))["Unverifiable"]
    taken = [msgspec.structs.replace(change, value=None) for change in event.changes]
    with closing(FeedbackLog(Catalog(data).log_file)) as log:
        log.append(event)
        assert used_categories(log.labels("qa"))["Unverifiable"] == before + 1
        log.append(msgspec.structs.replace(event, id="01HZZZZZZZZZZZZZZZZZZZZZZZ", changes=taken))
        assert used_categories(log.labels("qa"))["Unverifiable"] == before


def test_a_log_that_fails_takes_no_label_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise StorageError("disk full", field="log")

    with monkeypatch.context() as patch:
        patch.setattr(FeedbackLog, "extend", full)
        with pytest.raises(StorageError):
            import_file(tmp_path, "fine-grained-rlhf", FEEDBACK, project="qa")
    stored = import_file(tmp_path, "fine-grained-rlhf", FEEDBACK, project="qa")
    assert (stored.new_items, stored.new_steps) == (0, 10)


# -- the command --------------------------------------------------------------------------------------------------


def test_the_commands_from_a_file_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(tmp_path / "data")]
    assert cli.main(["import", "fine-grained-rlhf", str(FEEDBACK), "--project", "qa", *place]) == 0
    told = capsys.readouterr().out
    assert "project qa (made with the schema fine-grained-rlhf)" in told and "10 items, 10 of them new" in told
    assert cli.main(["import", "fine-grained-rlhf", str(FEEDBACK), "--project", "qa", "--author", "ann", *place]) == 0
    capsys.readouterr()
    assert cli.main(["projects", "--json", *place]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "qa", "items": 10, "labelled": 10, "steps": 20, "authors": ["ann", "imported"],
        "schema": "fine-grained-rlhf", "version": 1,
    }  # fmt: skip
    assert cli.main(["projects", *place]) == 0
    assert "ann, imported" in capsys.readouterr().out
    assert cli.main(["agreement", "qa", "--json", *place]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["overall"]["heads"]["relevance"]["value"] == 1.0 and len(found["items"]) == 10
    assert cli.main(["agreement", "qa", *place]) == 0
    assert "10 items are labelled by at least two" in capsys.readouterr().out
    out = tmp_path / "out.json"
    assert cli.main(["export", "fine-grained-rlhf", "qa", str(out), "--author", "ann", *place]) == 0
    assert "not held: who labelled (1): ann" in capsys.readouterr().out
    assert json.loads(out.read_text()) == json.loads(FEEDBACK.read_text())


def test_a_schema_is_shown_and_changed(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(data)]
    assert cli.main(["projects", "schema", "qa", *place]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "fine-grained-rlhf"
    (tmp_path / "new.json").write_text(without("Redundant"))
    assert cli.main(["projects", "schema", "qa", str(tmp_path / "new.json"), *place]) == 2
    assert "Redundant" in capsys.readouterr().err
    change = ["projects", "schema", "qa", str(tmp_path / "new.json"), "--rename", "Redundant=Irrelevant", *place]
    assert cli.main(change) == 0
    assert "version 2" in capsys.readouterr().out
    with closing(Projects(data).open("qa")) as project:
        assert project.schema.current("Redundant") == "Irrelevant"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["import", "yaml", "x"], "format"),
        (["import", "jsonl", "/no/such/file"], "/no/such/file"),
        (["import", "jsonl", "x", "--schema", "nothing"], "schema"),
        (["export", "haluquestqa", "qa", "x"], "haluquestqa"),
        (["export", "csv", "nothing", "x"], "project"),
        (["projects", "schema", "qa", "thumbs"], "Irrelevant"),
        (["projects", "schema", "qa", "--rename", "Redundant"], "--rename"),
        (["agreement", "nothing"], "project"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], named: str, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITL_DATA", str(data))
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert named in captured.err
