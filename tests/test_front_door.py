"""The front door: the `hitl` command, doctor, `hitl say`, the documents, import rules, what must not be here."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hitl import cli, cli_shared, doctor
from hitl.bus.addresses import client_keys_of, hand_out, outbox_path, server_keys_of
from hitl.bus.outbox import Outbox
from hitl.config import Settings
from hitl.errors import ConfigError, HitlError, InputError, UnavailableError
from hitl.messages import Correction
from hitl.say import say
from policies.errors import PolicyError

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    [],
    ["demo"],
    ["backend"],
    ["recognizer"],
    ["robot"],
    ["gui"],
    ["say"],
    ["ear"],
    ["listen"],
    ["transcribe"],
    ["segments"],
    ["generate"],
    ["train"],
    ["train", "low-level"],
    ["train", "high-level"],
    ["train", "flat"],
    ["train-speech"],
    ["train-words"],
    ["sample-moments"],
    ["learner"],
    ["annotate"],
    ["write"],
    ["evaluate"],
    ["evaluate", "skills"],
    ["evaluate", "packing"],
    ["evaluate", "asking"],
    ["evaluate", "rewards"],
    ["evaluate", "label-efficiency"],
    ["evaluate", "forgetting"],
    ["evaluate", "segments"],
    ["bench"],
    ["bench", "rewards"],
    ["bench", "correction"],
    ["bench", "update"],
    ["bench", "stream"],
    ["bench", "speech"],
    ["bench", "label"],
    ["import"],
    ["export"],
    ["projects"],
    ["projects", "schema"],
    ["projects", "versions"],
    ["projects", "rollback"],
    ["agreement"],
    ["models"],
    ["models", "list"],
    ["models", "promote"],
    ["models", "rollback"],
    ["models", "diff"],
    ["screenshot"],
    ["doctor"],
    ["keys"],
    ["version"],
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path / "data"), sockets=str(tmp_path / "s"), author="tester")


def exit_of(*arguments: str) -> int:
    """Exit status of `hitl ARGUMENTS` in this process."""
    try:
        return cli.main(list(arguments))
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)


def tracked_files() -> Iterator[Path]:
    """Text files of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.suffix not in (".safetensors", ".png", ".mcap"):
            yield path


# -- the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "hitl")
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(*command, "--help") == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: hitl", *command]))


def test_training_is_told_both_commands_for_the_model_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, told = tmp_path / "my data", {}
    (data / "shards").mkdir(parents=True)
    (data / "meta.json").write_text('{"seed": 7}')
    for number in range(3):
        (data / "shards" / f"{number}.safetensors").touch()
    monkeypatch.setattr("policies.hierarchy.train.train", lambda *_, **options: told.update(options))
    arguments = ["train", "--dataset", str(data), "--out", str(tmp_path / "m")]
    monkeypatch.setattr(sys, "argv", ["hitl", *arguments])
    assert exit_of(*arguments) == 0
    first, second = told["command"].splitlines()
    assert first == f"hitl generate --out '{data}' --episodes 3 --seed 7"
    assert second.startswith("hitl train --dataset")
    (data / "meta.json").write_text("{}")
    assert exit_of(*arguments) == 0 and told["command"] == second


def test_every_command_can_be_chosen() -> None:
    groups = {"evaluate", "bench", "models"}
    assert {" ".join(command) for command in COMMANDS} - groups == set(cli._COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fly"], "fly"),
        (["say"], "TEXT"),
        (["evaluate"], "WHAT"),
        (["evaluate", "packing", "--mode", "magic"], "--mode"),
        (["evaluate", "skills", "--episodes", "0"], "--episodes"),
        (["bench", "stream", "--seconds", "nan"], "--seconds"),
        (["bench", "correction", "--n", "x" * 1000], "--n"),
        (["generate"], "--out"),
        (["robot", "--seed", "one"], "--seed"),
        (["doctor", "--settings", "/no/such/file.toml"], "/no/such/file.toml"),
        (["say", "go higher", "--connect", "nowhere"], "--connect"),
        (["say", "go higher", "--connect", "127.0.0.1:99999"], "port"),
        (["say", "go higher", "--connect", "192.0.2.1:5570"], "keys"),
        (["say", "  "], "text"),
        (["say", "go \x1b[31mhigher"], "text"),
        (["say", "higher " * 1000], "text"),
        (["keys", "keys", "../escape"], "keys.name"),
        (["keys", "/dev/null/keys", "window"], "/dev/null/keys"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_that_names_it(
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HITL_DATA", str(tmp_path / "data"))
    assert exit_of(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert named in captured.err


@pytest.mark.parametrize("error", [HitlError("broken", field="this"), PolicyError("broken", field="this")])
def test_errors_on_purpose_are_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings) -> None:
        raise error

    monkeypatch.setattr(doctor, "diagnose", fail)
    assert exit_of("doctor") == 2
    assert capsys.readouterr().err == "hitl: this: broken\n"


def test_debug_shows_where_an_error_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITL_DEBUG", "1")
    with pytest.raises(ConfigError):
        cli.main(["gui", "--connect", "nowhere"])


def test_mistakes_of_our_own_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(settings: Settings) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(doctor, "diagnose", fail)
    with pytest.raises(KeyError):
        cli.main(["doctor"])


def test_help_imports_nothing_heavy() -> None:
    done = python(
        "import sys\n"
        "from hitl.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'PySide6', 'numpy', 'zmq', 'mujoco', 'msgspec', 'cv2'} & set(sys.modules)))"
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("part", ["gui.main_window", "robot.node", "hitl.say", "hitl.doctor", "hitl.config"])
def test_parts_without_policies_import_no_torch(part: str) -> None:
    done = python(f"import sys, {part}\nprint('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:5570", ("127.0.0.1", 5570)), ("backend.lab:1", ("backend.lab", 1)), ("[::1]:5570", ("::1", 5570))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert cli_shared.parse_address(text, "--connect") == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":5570", "host:port", "host:-1", "host:\u0665"])
def test_wrong_addresses_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--connect"):
        cli_shared.parse_address(text, "--connect")


# -- hitl say -----------------------------------------------------------------------------------------------------


def kept(settings: Settings) -> list[str]:
    outbox = Outbox(outbox_path(settings))
    try:
        return [request.text for request in outbox.pending() if isinstance(request, Correction)]
    finally:
        outbox.close()


def test_say_keeps_what_no_backend_saved(settings: Settings) -> None:
    answer = say("go higher", settings, wait_s=0.05)
    assert "kept" in answer
    say("  go left ", settings, wait_s=0.05)
    assert kept(settings) == ["go higher", "go left"]


def test_say_keeps_nothing_that_is_no_correction(settings: Settings) -> None:
    with pytest.raises(InputError, match="text"):
        say("\x00", settings, wait_s=0.05)
    assert kept(settings) == []


@pytest.mark.parametrize(
    ("text", "field"), [("stop", "stop"), ("STOP!", "stop"), ("wait", "stop"), ("go on", "resume"), ("undo", "undo")]
)
def test_what_steers_the_loop_is_never_delivered_late(text: str, field: str, settings: Settings) -> None:
    with pytest.raises(UnavailableError, match=field):
        say(text, settings, wait_s=0.05)
    outbox = Outbox(outbox_path(settings))
    try:
        assert outbox.pending() == []
    finally:
        outbox.close()


# -- keys ---------------------------------------------------------------------------------------------------------


def test_handed_out_keys_fit_each_other(tmp_path: Path) -> None:
    window = hand_out(tmp_path / "keys", "window")
    robot = hand_out(tmp_path / "keys", "robot")
    server = server_keys_of(Settings(host="0.0.0.0", keys=str(tmp_path / "keys")))
    clients = [client_keys_of(Settings(host="192.0.2.1", keys=str(folder))) for folder in (window, robot)]
    assert server is not None
    assert {client.server for client in clients if client} == {server.public}
    assert {client.public for client in clients if client} == server.allowed
    assert (window / "client.key_secret").stat().st_mode & 0o077 == 0


def test_keys_are_not_replaced(tmp_path: Path) -> None:
    folder = hand_out(tmp_path, "window")
    secret = (folder / "client.key_secret").read_bytes()
    with pytest.raises(ConfigError, match=r"keys\.name"):
        hand_out(tmp_path, "window")
    assert (folder / "client.key_secret").read_bytes() == secret


def test_other_machines_need_keys() -> None:
    with pytest.raises(ConfigError, match="keys"):
        server_keys_of(Settings(host="0.0.0.0"))
    assert server_keys_of(Settings(host="127.0.0.1")) is None


# -- hitl doctor --------------------------------------------------------------------------------------------------


def test_doctor_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = exit_of("doctor", "--json", "--data", str(tmp_path))
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"ok", "checks"}
    assert answer["ok"] is (status == 0)
    names = [check["name"] for check in answer["checks"]]
    for wanted in (
        "python", "data folder", "model", "text encoder", "gpu", "rendering", "display", "microphone", "recognizer"
    ):  # fmt: skip
        assert wanted in names
    assert any("sockets" in name or "ports" in name for name in names)
    for check in answer["checks"]:
        assert set(check) == {"name", "status", "detail", "mend"}
        assert check["status"] in ("ok", "warn", "fail")
        assert check["detail"]
        assert check["mend"] or check["status"] == "ok", f"{check['name']} does not say how to mend it"


def test_doctor_fails_for_a_broken_model(tmp_path: Path) -> None:
    write_model(tmp_path, cut=1)
    (check,) = doctor.check_model(Settings(model=str(tmp_path)))
    assert check.status == "fail"
    assert "low_level.safetensors" in check.detail
    assert not doctor.all_well([check])


def test_doctor_accepts_a_whole_model(tmp_path: Path) -> None:
    write_model(tmp_path)
    (check,) = doctor.check_model(Settings(model=str(tmp_path)))
    assert check.status == "ok"


@pytest.mark.parametrize(
    "content",
    [b"", b"1234567", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 4) + b"junk"],
    ids=["empty", "short", "length", "list", "junk"],
)
def test_foreign_files_are_no_safetensors(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    assert doctor.safetensors_fault(path)


def test_doctor_says_where_speech_is_recognized_and_whether_it_answers(settings: Settings) -> None:
    there = msgspec.structs.replace(settings, recognizer_at="backend")
    (here,) = doctor.check_recognizer()
    assert here.status == "ok" and "this computer" in here.detail
    (check,) = doctor.check_remote_recognizer(there)
    assert check.status == "warn" and "backend's computer" in check.detail and "not there" in check.detail
    (check,) = doctor.check_remote_recognizer(msgspec.structs.replace(there, host="192.0.2.1"))
    assert check.status == "fail" and "keys" in check.detail and "hitl keys" in check.mend


@pytest.mark.parametrize(
    ("probe", "status", "words"),
    [
        (doctor.Probe({"missing": []}), "ok", "Arabic"),
        (doctor.Probe({"missing": ["emoji", "Devanagari"]}), "warn", "none for emoji, Devanagari"),
        (doctor.Probe({}, "no fontconfig"), "warn", "no fontconfig"),
    ],
)
def test_doctor_says_which_scripts_have_no_font(
    probe: doctor.Probe, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_probe", lambda *_: probe)
    (check,) = doctor.check_fonts()
    assert check.status == status and words in check.detail and bool(check.mend) == (status == "warn")


def test_doctor_sees_taken_ports() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (check,) = doctor.check_ports(Settings(host="127.0.0.1", port=min(port, 65532)))
    assert check.status == "warn"
    assert str(port) in check.detail


def test_doctor_sees_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (check,) = doctor.check_disk(tmp_path / "file" / "data")
    assert check.status == "fail"


def write_model(folder: Path, cut: int = 0) -> None:
    """A model folder with one tensor; its file lacks `cut` bytes."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(8)
    (folder / "low_level.safetensors").write_bytes(content[: len(content) - cut])
    (folder / "model.json").write_text("{}")


# -- the repository -----------------------------------------------------------------------------------------------


def test_import_rules() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_of_the_documents_exist() -> None:
    known = {" ".join(command) for command in COMMANDS}
    for document in ("README.md", "CONTRIBUTING.md", "docs/measurements.md"):
        lines = re.findall(r"(?:^|`)hitl((?: [a-z]+){0,2})", (ROOT / document).read_text(), flags=re.MULTILINE)
        assert lines, document
        for words in lines:
            first = words.split()[:1]
            assert " ".join(first) in known, f"{document}: hitl{words}"


def test_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text()))
    makefile = (ROOT / "Makefile").read_text()
    assert targets >= {"demo", "test", "setup"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_links_of_the_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = document.read_text()
        for link in re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
            if "://" not in link:
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_pins_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {}
    for name in ("demo", "microphone", "dev"):
        for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                package, _, version = line.partition("==")
                pinned[package.lower()] = version
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *(line for extra in extras.values() for line in extra)]:
        package, _, version = line.partition("==")
        assert pinned.get(package.lower()) == version, package
    makefile = (ROOT / "Makefile").read_text()
    assert f"install torch=={pinned['torch']} " in makefile
    assert f"setuptools=={pinned['setuptools']} " in makefile


def test_base_and_window_need_no_torch_and_base_no_qt() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = " ".join(project["dependencies"]).lower()
    assert "torch" not in base and "pyside" not in base
    for extra in ("gui", "robot"):
        assert "torch" not in " ".join(project["optional-dependencies"][extra])


def test_the_repository_names_no_machine() -> None:
    # Written in pieces, so that this file does not find itself.
    forbidden = [
        "/" + "work/",
        "py" + "pi.org",
        "download." + "pytorch",
        "/" + "opt/wheels",
        "index" + "-url",
        "/" + "tmp/bash",
    ]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        for word in forbidden
        if word in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert not found
