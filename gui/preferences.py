"""What the window remembers between starts, as one declarative table over QSettings.

Values are checked on the way in and out: a hand-edited or old settings file gives the default, never a crash.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import re
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QByteArray, QSettings

from gui.theme import MODES, TEXT_SIZES, Mode, checked_mode
from hitl.config import ENVIRONMENT_PREFIX
from hitl.errors import ConfigError, InputError
from hitl.speech.ear_messages import Configure

Kind = Literal["choice", "whole", "number", "text", "device"]
"""device: the name of a microphone, empty for the system's."""
MAX_HOLD_S = 600.0
MAX_AUTHOR_CHARS = 60
PLACES = ("as started", "on this computer", "on the backend's computer")
_PLACE_OF = {PLACES[1]: "here", PLACES[2]: "backend"}
_ADDRESS = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^\s:/]+):(\d{1,5})/?")


@dataclass(frozen=True)
class Setting:
    """One setting: where it is kept, how it is called and edited, its limits and what it does."""

    key: str
    group: str
    label: str
    kind: Kind
    default: str | int | float
    note: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    unit: str = ""


SETTINGS: tuple[Setting, ...] = (
    Setting("theme", "Appearance", "Theme", "choice", "system", "“System” follows the colours of the desktop.",
            choices=MODES),
    Setting("text_size", "Appearance", "Text size", "whole", TEXT_SIZES[0], "Size of body text.",
            low=TEXT_SIZES[0], high=TEXT_SIZES[1], unit="pt"),
    Setting("author", "Corrections", "Your name", "text", "", "Written beside each of your corrections in the log."),
    Setting("hold_s", "Corrections", "Hold for at most", "number", 0.0,
            "How long a correction holds. With 0 it holds until it is done or you release it.",
            low=0, high=MAX_HOLD_S, unit="s"),
    Setting("talk", "Talking", "How to talk", "choice", "hold",
            "Hold the talk key, tap it before and after, or just speak.", choices=("hold", "tap", "hands-free")),
    Setting("microphone", "Talking", "Microphone", "device", "",
            "“System default” is the one that the desktop has chosen, also when it chooses another."),
    Setting("wake", "Talking", "Wake words", "text", "",
            "Hands-free, only what begins with these words is for the robot. Empty: all that is said."),
    Setting("recognizer_at", "Talking", "Recognize speech", "choice", PLACES[0],
            "Where words are understood. The microphone and stop words stay on this computer.", choices=PLACES),
    Setting("narrate", "Talking", "Narrate", "choice", "off",
            "For data collection: what is said is recorded with its time, and not obeyed. Stop words still stop.",
            choices=("off", "on")),
    Setting("sounds", "Talking", "Sounds", "choice", "on",
            "Soft notes when it begins and ends to listen, and when the policy asks.", choices=("on", "off")),
    Setting("aloud", "Talking", "Answers", "choice", "off",
            "Says aloud what was understood. Captions are always there.", choices=("off", "on")),
    Setting("address", "Connection", "Backend address", "text", "",
            "Empty: the backend that this window was started with. Otherwise “tcp://host:port”, "
            "where port is the first of four."),
)  # fmt: skip


class Preferences:
    """The remembered settings."""

    def __init__(self, store: QSettings | None = None) -> None:
        self._store = store or QSettings("hitl", "window")

    def get(self, key: str) -> str | int | float:
        """The value of a setting of SETTINGS, or its default where what is kept cannot be used."""
        setting = next(entry for entry in SETTINGS if entry.key == key)
        value = self._store.value(key)
        try:
            return setting.default if value is None else checked(setting, value)
        except InputError:
            return setting.default

    def set(self, key: str, value: str | int | float) -> None:
        """Keep a value; InputError names what is wrong with it."""
        setting = next(entry for entry in SETTINGS if entry.key == key)
        self._store.setValue(key, checked(setting, value))

    @property
    def theme(self) -> Mode:
        """The theme."""
        return checked_mode(str(self.get("theme")))

    @property
    def text_size(self) -> int:
        """Body type in points."""
        return int(self.get("text_size"))

    @property
    def author(self) -> str:
        """The person's name; the account's name until one is given."""
        return str(self.get("author")) or _account()

    @property
    def hold_s(self) -> float:
        """Longest hold of a correction in seconds; 0 is until done or released."""
        return float(self.get("hold_s"))

    @property
    def address(self) -> str:
        """Address of the backend; empty for the one that the window was started with."""
        return str(self.get("address"))

    @property
    def talking(self) -> Configure:
        """What an ear is told of these settings."""
        mode = str(self.get("talk"))
        return Configure(
            mode="tap" if mode == "tap" else "hands-free" if mode == "hands-free" else "hold",
            device=str(self.get("microphone")),
            wake="" if self.narrates else str(self.get("wake")),
            sounds=self.get("sounds") == "on",
            aloud=self.get("aloud") == "on",
            words=self.narrates,
        )

    @property
    def ear_environment(self) -> dict[str, str]:
        """The variables by which the process of an ear learns where speech is recognized; none where that is as
        started."""
        place = _PLACE_OF.get(str(self.get("recognizer_at")))
        given = {"RECOGNIZER_AT": place} if place else {}
        if place != "here" and self.address:
            with contextlib.suppress(InputError):  # the window, too, stays with the backend that it was started with
                host, port = host_and_port(self.address)
                given |= {"HOST": host, "PORT": str(port)}
        return {f"{ENVIRONMENT_PREFIX}{name}": value for name, value in given.items()}

    @property
    def narrates(self) -> bool:
        """Whether spoken words are recorded and not obeyed."""
        return self.get("narrate") == "on"

    @property
    def hints_seen(self) -> bool:
        """Whether the first-run hints were dismissed."""
        return self._store.value("hints_seen") in (True, "true")

    @hints_seen.setter
    def hints_seen(self, seen: bool) -> None:
        self._store.setValue("hints_seen", seen)

    @property
    def keys(self) -> dict[str, str]:
        """Keys that the person changed, by command id."""
        try:
            kept = json.loads(str(self._store.value("keys") or "{}"))
        except json.JSONDecodeError:
            return {}
        return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}

    @keys.setter
    def keys(self, keys: dict[str, str]) -> None:
        self._store.setValue("keys", json.dumps(keys))

    @property
    def geometry(self) -> QByteArray | None:
        """Place and size of the window."""
        kept = self._store.value("geometry")
        return kept if isinstance(kept, QByteArray) else None

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._store.setValue("geometry", geometry)

    def remembered(self, name: str) -> str:
        """A word that a view remembers; empty where it does not."""
        return str(self._store.value(f"remembered/{name}") or "")

    def remember(self, name: str, word: str) -> None:
        """Remember a word for a view."""
        self._store.setValue(f"remembered/{name}", word)

    def layout(self, name: str) -> list[QByteArray]:
        """How a view divided its room; empty where that is not known."""
        kept = self._store.value(f"layout/{name}")
        return [state for state in kept if isinstance(state, QByteArray)] if isinstance(kept, list) else []

    def keep_layout(self, name: str, states: list[QByteArray]) -> None:
        """Keep how a view divided its room."""
        self._store.setValue(f"layout/{name}", states)

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()


def host_and_port(address: str) -> tuple[str, int]:
    """Those of “tcp://host:port”, port the first of four. Raises ConfigError for anything else."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None:
        raise ConfigError(f"{address!r} is no address", field="address", hint="Write it as tcp://host:port.")
    return found.group(1).strip("[]"), int(found.group(2))


def checked(setting: Setting, value: object) -> str | int | float:
    """`value` as the type and within the limits of `setting`; InputError otherwise."""
    if setting.kind == "choice":
        if value not in setting.choices:
            raise InputError(f"{value!r} is not known", field=setting.key, hint=f"Use one of {setting.choices}.")
        return str(value)
    if setting.kind in ("text", "device"):
        text = str(value).strip()
        if len(text) > MAX_AUTHOR_CHARS * 4 or not text.isprintable():
            raise InputError("This is too long or has control characters", field=setting.key, hint="Shorten it.")
        return text
    try:
        number = int(str(value)) if setting.kind == "whole" else float(str(value))
    except ValueError as error:
        raise InputError(f"{value!r} is no number", field=setting.key, hint="Write a number.") from error
    if not setting.low <= number <= setting.high:
        limits = f"{setting.low:g} to {setting.high:g} {setting.unit}"
        raise InputError(f"{number:g} is out of range", field=setting.key, hint=f"Use {limits}.")
    return number


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"
