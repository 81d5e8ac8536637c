"""`hitl models`: a list of versions, and how two differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitl import cli
from hitl.backend.lineage import GateRecord, Lineage
from hitl.backend.registry import PACKAGED, ModelRegistry
from hitl.backend.version_report import diff, diff_as_text
from hitl.errors import CheckpointError
from hitl.events import CorrectionEvent
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog


def correction(name: str, text: str, command: str) -> CorrectionEvent:
    return CorrectionEvent(
        id=name, session="s", episode="e", session_ns=0, author="ann", source="typed", text=text, command=command,
        grounding="near", similarity=1.0, policy_command="", policy_probability=0.0, observations=[], hold_s=0.0,
    )  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FeedbackLog]:
    made = FeedbackLog(Catalog(tmp_path).log_file)
    made.append(correction("e1", "up a bit", "go higher"))
    made.append(correction("e2", "open it", "open it"))
    yield made
    made.close()


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    import numpy as np
    from safetensors.numpy import save_file

    made = ModelRegistry(tmp_path)
    for number, (events, passed) in enumerate(((["e1"], True), (["e1", "e2", "e9"], False)), 1):

        def fill(folder: Path, number: int = number) -> None:
            (folder / "model.json").write_text("{}")
            bank = np.ones((number, 4), np.float32)  # a command more each time
            weights = np.full((2, 2), float(number), np.float32)
            save_file({"weights": weights, "bank": bank}, str(folder / "high_level.safetensors"))
            for part in ("low_level", "command_encoder"):
                save_file({"w": np.ones(3, np.float32)}, str(folder / f"{part}.safetensors"))

        gate = GateRecord(
            passed=passed, reasons=[] if passed else ["It forgets."], scores={"base": 0.9 + number / 100}
        )
        made.write(
            fill, Lineage(part="high_level", base=PACKAGED, parent=PACKAGED, events=events, made="2026-01", gate=gate)
        )
    made.promote("v0001")
    return made


def exit_of(*arguments: str) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_two_versions_differ_by_what_they_know(registry: ModelRegistry, log: FeedbackLog) -> None:
    found = diff(registry, log, "v0001", "v0002")
    assert found["only"]["v0001"] == []
    known = {"event": "e2", "said": "open it", "command": "open it", "author": "ann"}
    gone = {"event": "e9", "said": "", "command": "", "author": ""}
    assert found["only"]["v0002"] == [known, gone]
    assert found["scores"] == {"base": [0.91, 0.92]}
    distance = found["distance"]
    assert distance["high_level"] == pytest.approx((4 / 8) ** 0.5, abs=1e-6)  # all weights one apart; ones in the bank
    assert distance["low_level"] == distance["command_encoder"] == 0.0
    text = diff_as_text(found)
    assert "“open it”" in text and "no longer in the log" in text and "0.9200" in text
    assert diff(registry, log, "v0002", "v0001")["only"]["v0001"] == []


def test_a_damaged_file_is_named(registry: ModelRegistry, log: FeedbackLog) -> None:
    (registry.version("v0002").folder / "high_level.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="cannot be read"):
        diff(registry, log, "v0001", "v0002")


def test_the_list_shows_what_acts_and_why_others_may_not(
    registry: ModelRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", str(tmp_path))
    assert exit_of("models", "list", *data) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["version", "part", "parent", "made", "corrections", "base", "answered", "gate"]
    assert lines[1].split()[0] == PACKAGED and lines[2].split()[:2] == ["→", "v0001"] and "91.0%" in lines[2]
    assert "held back" in lines[3] and lines[4] == "v0002: It forgets."
    assert exit_of("models", "list", "--json", *data) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["current"] == "v0001" and [v["name"] for v in found["versions"]] == [PACKAGED, "v0001", "v0002"]


def test_promote_and_rollback_from_a_shell(
    registry: ModelRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", str(tmp_path))
    assert exit_of("models", "promote", "v0002", *data) == 2
    assert "did not pass the gate" in capsys.readouterr().err and registry.current().name == "v0001"
    assert exit_of("models", "promote", "v0002", "--force", *data) == 0 and registry.current().name == "v0002"
    assert [exit_of("models", "rollback", *data) for _ in range(3)] == [0, 0, 2]
    assert registry.current().name == PACKAGED and "none before" in capsys.readouterr().err
    assert exit_of("models", "promote", "v9", *data) == 2 and "Known: packaged" in capsys.readouterr().err
    assert exit_of("models", "diff", "v0001", "v0002", "--json", *data) == 0
    assert json.loads(capsys.readouterr().out)["versions"] == ["v0001", "v0002"]
