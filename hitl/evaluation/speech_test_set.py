"""The set of utterances that recognizers are tested with: made by voices that nobody learned from, or read from a
folder.

A folder holds WAV files and `labels.csv` with the columns `file,command` (command empty: speech that is none), and
where it is known `text` (what is said, else the command), `kind` (command, stop or other) and `voice`. A set that is
made is such a folder, kept in hitl's data folder, so that it can be listened to.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hitl.errors import InputError, UnavailableError
from hitl.evaluation.speech_sets import STOP_WORDS, Said, voices_for_tests
from hitl.speech import noise
from hitl.speech.audio import RATE, Audio, read_wav, write_wav
from hitl.speech.intents import intent_of
from hitl.speech.synthesis import Voice, speak_all
from robot.aloha.grammar import COMMANDS

SPEEDS = (0.8, 1.0, 1.25)
LEVELS: dict[str, float | None] = {"clean": None, "20 dB": 20.0, "10 dB": 10.0}
LABELS = "labels.csv"
_NO_COMMANDS = Path(__file__).resolve().parents[2] / "assets" / "spoken"
_COLUMNS = ("file", "command", "text", "kind", "voice", "speed")
_AROUND_S = 0.5
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Item:
    """One utterance: what is said and what it asks for ("" where it asks for nothing)."""

    path: Path
    command: str
    text: str
    kind: str
    voice: str = ""

    def audio(self) -> Audio:
        """Its sound with half a second of silence around it."""
        return np.pad(read_wav(self.path), round(_AROUND_S * RATE))


def read_set(folder: Path) -> list[Item]:
    """The utterances of a folder. Raises InputError naming the file and the line that cannot be used."""
    table = folder / LABELS
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise InputError(
            f"cannot be read ({why}).", field=str(table), hint="It needs the columns file,command."
        ) from problem
    items = []
    for number, row in enumerate(rows, 2):
        name, command = row.get("file"), row.get("command")
        if not name or command is None:
            raise InputError("needs the columns file,command.", field=f"{table}:{number}")
        path = folder / name
        if not path.is_file():
            raise InputError(f"names {name}, which is not there.", field=f"{table}:{number}")
        text = (row.get("text") or command).strip()
        kind = row.get("kind") or (
            "other" if not command.strip() else "stop" if intent_of(command) == "stop" else "command"
        )
        items.append(Item(path, command.strip(), text, kind, row.get("voice") or ""))
    if not items:
        raise InputError("names no files.", field=str(table))
    return items


def make_set(folder: Path, seed: int = 0, told: Told | None = None) -> list[Item]:
    """The set of this machine's voices in `folder`; what is there already stays. Raises UnavailableError without
    any."""
    voices = voices_for_tests()
    if len(voices) < 2:
        raise UnavailableError(
            "there are too few voices to make a test set.",
            field="speech",
            hint="apt-get install espeak-ng flite festival",
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(_rows(voices, seed))
    for done, (name, said, _) in enumerate(rows, 1):
        path = folder / name
        if not path.exists():
            write_wav(path, speak_all([said.text], said.voice, speed=said.speed)[0])
        if told is not None:
            told(done, len(rows))
    with (folder / LABELS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for name, said, command in rows:
            table.writerow((name, command, said.text, said.kind, said.voice, said.speed))
    return read_set(folder)


def _rows(voices: Sequence[Voice], seed: int) -> Iterator[tuple[str, Said, str]]:
    """For each voice and speed one command of each family in words kept from training, the stop words, and three
    sentences that are no command."""
    rng = random.Random(seed)
    families = {
        command.family: [c for c in COMMANDS if c.family == command.family and c.held_out] for command in COMMANDS
    }
    others = _sentences()
    rng.shuffle(others)
    number = 0
    for voice in voices:
        for speed in SPEEDS:
            drawn: list[tuple[str, str, str]] = []
            for commands in families.values():
                command = rng.choice(commands)
                drawn.append(("command", rng.choice(command.held_out), command.text))
            drawn += [("stop", word, "stop") for word in STOP_WORDS]
            for _ in range(3):
                drawn.append(("other", others[number % len(others)], ""))
                number += 1
            for at, (kind, text, command_text) in enumerate(drawn):
                name = f"{voice.engine}-{voice.name}-{speed}-{at:02d}.wav".replace("+", "-")
                yield name, Said(text, kind, voice, speed, 1.0), command_text


def _sentences() -> list[str]:
    lines = [
        line.strip()
        for path in sorted(_NO_COMMANDS.glob("no_commands*.txt"))
        for line in path.read_text().splitlines()
    ]
    return [line for line in lines if line and not line.startswith("#")]


def heard_at(audio: Audio, snr_db: float | None, talk: Sequence[Audio], seed: int) -> Audio:
    """The sound with a noise `snr_db` below the voice (None: none): people talking, servo drives, pink noise or the
    knocks of a workshop, by `seed`."""
    if snr_db is None:
        return audio
    rng = np.random.default_rng(seed)
    kind = seed % 4
    if kind == 0:
        sound = noise.babble(len(audio), talk, rng)
    elif kind == 1:
        sound = noise.motor(len(audio), rng)
    elif kind == 2:
        sound = noise.coloured(len(audio), 1.0, rng)
    else:
        sound = noise.knocks(len(audio), rng)
    return noise.mix(audio, sound, snr_db)
