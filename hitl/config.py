"""Typed settings: defaults < settings.toml < HITL_* environment < flags. Knows nothing of what the settings are for.

Every part reads the same `Settings`, so one file configures window, backend and robot. A wrong name, type or value
is a ConfigError that names the field and where it came from, and lists names that are near.
"""

from __future__ import annotations

import difflib
import getpass
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import platformdirs

from hitl.errors import ConfigError

ENVIRONMENT_PREFIX = "HITL_"
NO_SETTINGS = frozenset({"HITL_SPEECH_KEY", "HITL_WRITER_KEY", "HITL_KOKORO_VOICES"})
"""Variables with the prefix that are read where they are used: secrets, and a folder of an experiment."""

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0)]
_Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Times are in seconds, rates in hertz; an empty text means the default said beside it."""

    data: str = ""
    """Folder of sessions, feedback log and models; empty: the user's data folder."""
    host: str = ""
    """Host of the backend; empty: private sockets of this machine."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65532)] = 5570
    """First of four TCP ports, used where `host` is set."""
    sockets: str = ""
    """Folder of the private sockets; empty: one in the user's runtime folder."""
    keys: str = ""
    """Folder of CURVE keys; needed off this machine."""
    author: str = ""
    """Who corrects; empty: the login name."""
    driver: str = "aloha"
    """Name of the robot driver."""
    seed: int | None = None
    """Seed of the first episode; empty: a random one."""
    shift: str = "nominal"
    """Shift of the first episode."""
    model: str = ""
    """Folder of the model; empty: the promoted version, at first the one that ships."""
    device: str = "auto"
    """Where the policies run: auto, cpu, cuda, ..."""
    hold_s: _NotNegative = 8.0
    """How long a correction holds at most; 0: until it is done or released."""
    lease_s: Annotated[float, msgspec.Meta(gt=0, le=2.0)] = 0.3
    """How long the robot moves without a fresh action before it holds still."""
    high_level_hz: Annotated[float, msgspec.Meta(ge=1.0, le=50.0)] = 2.0
    """How often the high level is asked."""
    done_threshold: _Probability = 0.5
    """Probability of "done" from which an observation counts towards the end of a command."""
    done_observations: Annotated[int, msgspec.Meta(ge=1)] = 3
    """How many such observations in a row end a command."""
    min_command_s: _NotNegative = 0.5
    """A command runs at least this long before it can be done or the high level can replace it."""
    pause_s: _NotNegative = 0.8
    """How long the robot waits for the next words when a correction is done; 0: the high level goes on at once."""
    switch_probability: _Probability = 0.5
    """From which probability the high level replaces its own unfinished command."""
    switch_asks: Annotated[int, msgspec.Meta(ge=1)] = 2
    """How many times in a row it must be so sure of the same command."""
    ask_s: _Positive = 8.0
    """For how long a correction of low certainty is asked about; then nothing follows from it."""
    ask_margin: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """Where the policy's two best commands are this close in probability it asks which is right; 0: never."""
    ask_repeats: Annotated[int, msgspec.Meta(ge=0)] = 3
    """After how many tries in a row without effect of the same command it asks, too; 0: never."""
    unsure_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0
    """For how long the policy asks before it goes on by itself."""
    ask_every_s: _NotNegative = 15.0
    """How long it does not ask again after that."""
    give_up_s: _NotNegative = 8.0
    """The policy gives a command of its own up that ran for so long while the task did not get on; 0: never."""
    aside_s: _NotNegative = 20.0
    """For how long it does not begin that again, unless the task gets on."""
    microphone: str = ""
    """Name of the microphone; empty: the system's."""
    talk: Literal["hold", "tap", "hands-free"] = "hold"
    """How talking begins and ends: holding the talk key, tapping it, or speaking."""
    wake: str = ""
    """Words that must begin what is said hands-free; empty: none."""
    narrate: bool = False
    """Whether spoken words are recorded as narration and not obeyed, in `hitl listen`; stop words always stop."""
    recognizer: Literal["commands", "faster-whisper", "openai-whisper", "endpoint"] = "commands"
    """What hears words; see hitl/speech/recognizer.py."""
    recognizer_model: str = ""
    """The recognizer's model (a size, a folder, an address); empty: its default."""
    recognizer_at: Literal["here", "backend"] = "here"
    """Where speech is recognized: on the computer with the microphone, or on the backend's (`hitl recognizer`)."""
    sounds: bool = True
    """Whether the begin and the end of talking, and a question of the policy, are heard."""
    aloud: bool = False
    """Whether what was understood is said aloud."""
    policy: bool = True
    """Whether the backend loads a robot's policy; without one it is for annotating alone."""
    learner: bool = True
    """Whether the backend keeps a learner running, which learns rewards from labels and policies from corrections."""
    learning: bool = True
    """Whether policies learn from corrections while they are given; else these are only kept."""
    margin_s: _NotNegative = 2.0
    """How long before a correction what the policy did counts as wrong, and the correction as right."""
    learn_guidance: bool = False
    """Whether small motions, with which a person guides a hand, teach the high level, too; they act either way."""
    strategy: Literal["none", "replay", "view-batch", "mas", "gpm", "osf", "classp"] = "replay"
    """How learning from corrections keeps what was learned before."""
    replay_share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5
    """Share of what ships with the model in what is learned from."""
    gate_margin: _Probability = 0.02
    """By how much agreement on what ships with the model may fall, 0 to 1, for a new version to act."""
    quiet_s: _Positive = 5.0
    """How long nobody corrects until everything is learned anew."""
    learn_on: Annotated[str, msgspec.Meta(pattern="^(here|ray|auto|ray://.+)$")] = "here"
    """Where updates are computed: here (the learner's process), ray (a Ray cluster of this machine alone), auto (the
    one that it belongs to), or ray://HOST:PORT."""
    project: str = ""
    """The annotation project that the window opens at first; empty: the latest one."""
    encoder: str = ""
    """What reads texts for reward models (a name, a folder); empty: the embedded one."""
    record: bool = True
    """Whether sessions are recorded."""
    jpeg_quality: Annotated[int, msgspec.Meta(ge=10, le=100)] = 85
    """Quality of camera pictures that leave the machine or go into the recording."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""

    @property
    def data_folder(self) -> Path:
        """The folder of sessions, feedback log and models (not created here)."""
        return Path(self.data).expanduser() if self.data else Path(platformdirs.user_data_dir("hitl"))

    @property
    def sockets_folder(self) -> Path:
        """The folder of the private sockets (not created here)."""
        if self.sockets:
            return Path(self.sockets).expanduser()
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        return Path(runtime) / "hitl" if runtime else Path(tempfile.gettempdir()) / f"hitl-{os.getuid()}"

    @property
    def author_name(self) -> str:
        """Who corrects: `author`, or the login name."""
        return self.author or getpass.getuser()

    @property
    def on_this_machine(self) -> bool:
        """Whether backend, robot and window share one machine, and so its monotonic clock."""
        return self.host in ("", "127.0.0.1", "localhost", "::1")


FIELDS: dict[str, msgspec.structs.FieldInfo] = {field.name: field for field in msgspec.structs.fields(Settings)}


def settings_file() -> Path:
    """Where the settings file is looked for."""
    return Path(platformdirs.user_config_dir("hitl")) / "settings.toml"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from all sources. Flags that are None were not given.

    `file`: another settings file, which must then exist. Raises ConfigError for an unknown name, wrong type or value.
    """
    values: dict[str, Any] = _from_file(file)
    variables = os.environ if environment is None else environment
    for variable, text in variables.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NO_SETTINGS:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            values[name] = _checked(name, text, f"environment variable {variable}")
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _checked(name, value, f"option --{name.replace('_', '-')}")
    return Settings(**values)


def to_environment(settings: Settings) -> dict[str, str]:
    """The HITL_* variables from which a child process reads the same settings."""
    return {
        f"{ENVIRONMENT_PREFIX}{name.upper()}": "null" if value is None else str(value)
        for name, value in msgspec.structs.asdict(settings).items()
    }


def _from_file(file: Path | None) -> dict[str, Any]:
    path = settings_file() if file is None else file
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if file is None:
            return {}
        raise ConfigError("no such settings file.", field=str(path), hint="Give an existing file.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"not a readable TOML file ({error}).", field=str(path), hint="Mend or remove it.") from None
    return {name: _checked(name, value, f"in {path}") for name, value in table.items()}


def _checked(name: str, value: Any, where: str) -> Any:
    field = FIELDS.get(name)
    if field is None:
        near = difflib.get_close_matches(name, FIELDS, n=3, cutoff=0.5)
        listed = f"Did you mean {', '.join(near)}?" if near else f"Known settings: {', '.join(FIELDS)}."
        raise ConfigError(f"no such setting ({where}).", field=name, hint=listed)
    text_kinds = isinstance(value, str)
    try:
        # bool("1") from the environment, 3 -> 3.0 from a file: lax only where the source has nothing but text.
        return msgspec.convert(value, field.type, strict=not text_kinds)
    except msgspec.ValidationError as error:
        choices = get_args(field.type) if get_origin(field.type) is Literal else ()
        known = f"Use one of {', '.join(choices)}. " if choices else ""
        hint = f"{known}The default is {field.default!r}."
        raise ConfigError(f"{error}, got {value!r} ({where}).", field=name, hint=hint) from None
