"""What is said, by which voices and through which noise, when recognizers are trained and when they are tested.

The two never meet: other voices (other synthesizers where there are any), other noises, and wording of the grammar
that is kept from training. Sentences people would say to a robot that knows other things, talk, stop words and words
that sound like them are made here too. Nothing of recognition or learning is known here.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hitl.errors import MissingPackageError
from hitl.speech import neural_voices
from hitl.speech.adapted import packaged_whisper
from hitl.speech.audio import Audio
from hitl.speech.synthesis import Voice, is_there, speak_all
from hitl.speech.text import plain
from policies.hierarchy.wording import other_sentences, vary
from robot.aloha.grammar import COMMANDS

STOP_WORDS = ("stop", "freeze", "wait")

_ACCENTS = ("en-us", "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbclan", "en-us-nyc")
_LEARNED_VARIANTS = (
    "|m1|m2|m3|m5|m6|m7|m8|f1|f2|f3|f4|Alex|Alicia|Andrea|Andy|antonio|aunty|belinda|benjamin|boris|caleb|david|Denis"
    "|Diogo|ed|edward|Gustave|Henrique|Hugo|iven|Jacky|john|Lee|linda|marcelo|Marco|Mario|max|michael|miguel|mike|Mr"
    "|Nguyen|paul|pedro|RicishayMax|rob|robert|sandro|shelby|steph2|Storm|travis|Tweaky|victor|Zac|klatt|klatt2|klatt4"
    "|anika|norbert|grandpa|grandma|kaukovalta"
).split("|")
TEST_VOICES = (
    "espeak:en-us+Annie", "espeak:en-gb+m4", "espeak:en-us+f5", "espeak:en-gb-x-rp+Gene",
    "espeak:en-gb-scotland+quincy", "flite:slt",
    "festival:ked", "festival:slt-hts", "piper:joe", "pico:en-GB", "kokoro:af_bella", "kokoro:am_michael",
    "kokoro:bf_emma", "kokoro:bm_george", "kokoro:af_nova", "kokoro:am_puck",
)  # fmt: skip
LEARNED_NEURAL = tuple(Voice("kokoro", name) for name in neural_voices.KOKORO if f"kokoro:{name}" not in TEST_VOICES)
LEARNED_FAST = (Voice("hibari", "heart"), Voice("pico", "en-US"))
_LEARNED_RECORDED = (Voice("flite", "kal"), Voice("flite", "kal16"), Voice("flite", "awb"), Voice("flite", "rms"))

_THINGS = (
    "cup mug bottle sponge towel plate bowl spoon fork knife drawer door lid jar can tray basket bag"
    " sock shirt book pen"
    " pencil marker tape cable plug switch lamp phone charger screw bolt nut screwdriver wrench hammer"
    " brush broom bucket"
    " table shelf bin cupboard window handle button lever wheel gear battery card paper envelope folder stapler ruler"
    " scissors cloth napkin pot pan kettle apple banana orange lemon carrot egg bread cheese candy"
    " chocolate bar toy car"
    " train doll dice coin key ring chain rope string stick rod tube pipe hose valve tap cap cork disc"
    " plate peg hook clip"
    " brick block cube cylinder ball sphere cone pyramid cross star ring capsule pill marble beam crate carton box"
    " container bean grain seed tea coffee sugar salt bottle opener keyboard mouse screen camera light sensor cart"
    " wrist elbow shoulder gripper hand arm finger claw thumb tip base corner edge middle center top bottom side front"
).split()
_LOOKS = (
    "red green blue yellow purple orange pink brown black white grey silver golden small big large"
    " little tiny long short"
    " round square flat heavy light empty full open closed broken clean dirty wet dry soft hard wooden"
    " plastic metal glass"
    " other first second third last left right upper lower next nearest crimson emerald navy scarlet violet"
).split()
_DOING = (
    "pick up the {a} {t}|put the {t} on the {t2}|place the {t} next to the {a} {t2}|move the {t} to the"
    " {d}|push the {t} {d}"
    "|pull the {t} {d}|open the {t}|close the {a} {t}|turn the {t} {d}|rotate the {t} by {n} degrees"
    "|lift the {t} a bit"
    "|lower the {t} slowly|grab the {a} {t} with the {s} hand|hand me the {t}|give the {t} to the {s} arm|wipe the {t}"
    "|clean the {a} {t}|fold the {t}|stack the {t} on the {a} {t2}|insert the {t} into the {t2}|pour the"
    " {t} into the {t2}"
    "|shake the {t}|press the {a} {t}|touch the {t}|point at the {a} {t}|look at the {t}|find the {a}"
    " {t}|bring me the {t}"
    "|take the {t} out of the {t2}|drop the {t} into the {a} {t2}|slide the {t} {d}|tilt the {t} {d}"
    "|reach for the {a} {t}"
    "|let go of the {t}|hold the {t} {a2}|move the {s} arm {n} centimeters {d}|go {d} by {n} centimeters"
    "|move {d} {n} inches"
    "|use the {s} arm to take the {t}|the {a} {t} goes into the {t2}|you missed the {t}|that is the {a}"
    " {t}|not the {t} the"
    " {t2}|try the {a} {t} again|a bit more {d}|a little {d} of the {t}|slower {d}|faster please|do it"
    " again|closer to the"
    " {t}|further away from the {t}|line up with the {a} {t}|stow the {t} in the {t2}|jog the {s} arm"
    " {d}|nudge the {t} {d}"
    "|inch the {s} hand {d}|clamp the {t}|loosen the {t} a touch|tighten the {a} {t}|swivel the {t} {d}"
    "|park the {s} arm"
    "|retract the {s} hand|seize the {a} {t}|collect the {t}|snatch the {a} {t} for me|deposit it inside"
    " the {t}|load it into"
    " the {a} {t}|rest it on the {t}|leave the {t} where it is|return it to the {t}|aim at the {a} {t}"
    "|lean {d}|travel {d}"
    "|head {d}|drift {d}|float over the {t}|hover above the {a} {t}"
).split("|")
_WAYS = (
    "left|right|up|down|forward|backward|back|away|toward me|upward|downward|to the left|to the right"
    "|leftward|rightward"
    "|clockwise|counterclockwise|inward|outward|ahead|a bit left|slightly right|a notch up|a smidge down"
    "|a touch forward"
).split("|")
_MANNERS = "tighter|steady|higher|lower|gently|firmly|carefully|straight|level|upside down".split("|")
_NUMBERS = "one two three four five six seven eight nine ten twelve fifteen twenty thirty forty five ninety".split()
_CONTROL = (
    "go on|continue|carry on|resume|scratch that|undo that|undo|take that back|forget that|never mind|yes|no|one|two"
    "|the first one|the second one|that was wrong|not that|go ahead|keep going|proceed|new episode|start again|release"
).split("|")
_STOPPING = (
    "{}|{}|{}|{} now|please {}|{} {}|no {}|{} it|ok {}|{} right there|{} please|robot {}|{} that|just {}|hey {}"
).split("|")
SOUND_ALIKE = (
    "top|shop|step|stuff|stack|stock|start|stand|spot|drop|pop|hop|sob|the top of the box|put it on top"
    "|a step back|shop now"
    "|stock up|eight|late|white|way|waste|hate|fate|mate|bait|gate|rate|it has some weight"
    "|go straight|that is"
    " great|free|breeze|please|fries|three|phrase|fleece|freed|set it free|the breeze|three pieces"
    "|keep going|step"
    " forward|stay up|start up|what|watt|went|west|waist|stoop|stamp|strap|steep|stab|start now|a late"
    " train|move it straight"
).split("|")

_ANYTHING = (
    "the {} {}|{} the {}|{} it {}|{} {} {}|pick up the {} {}|keep the {} {}|keep {} {}|move the {} {}|a {} {} of {}"
    "|is the {} {}|{} and {}|they {} the {} with a {}|put it in the {}|put the {} on the {} {}|would you {} the {}"
    "|there is a {} in the {}|it is {} {}|{} to the {}|{}|{} {}|not the {} the {}|that {} of yours|leave the {} {}"
    "|i {} the {}|we {} {} again|get the {}|bring the {} {}|take {} {} in your {}|the {} goes in the {}"
    "|do not {} the {}|{} over the {}|{} a {} please|{} your {} {}|from the {} to the {}|my {} is {}|who {} the {}"
    "|why is the {} so {}|{} {} with the {}|{} {} and {} {}"
).split("|")
"""Frames for any words: whoever hears commands alone soon hears commands in everything."""
DICTIONARY = Path("/usr/share/dict/american-english-small")
COMMON_SHARE = 0.7
_AS_STOP_WORDS = frozenset("weight weights waits frees wade freezes stops waited stopped frozen froze".split())

HUMAN_HEIGHT = (0.5, 1.6)
"""Pitch of espeak-ng voices relative to their own."""


@dataclass(frozen=True)
class Said:
    """One utterance to be made."""

    text: str
    kind: str
    voice: Voice
    speed: float
    pitch: float


def learned_voices(rng: random.Random) -> Voice:
    """A voice that recognizers may learn from."""
    if rng.random() < 0.33:
        return rng.choice(_LEARNED_RECORDED)
    accent, variant = rng.choice(_ACCENTS), rng.choice(_LEARNED_VARIANTS)
    return Voice("espeak", f"{accent}+{variant}" if variant else accent)


def voices_for_tests() -> list[Voice]:
    """The voices that are kept for tests, as far as they are installed."""
    return [voice for voice in (Voice(*name.split(":", 1)) for name in TEST_VOICES) if is_there(voice)]


def kept_for_tests() -> set[str]:
    """Plain phrases that no training set may hold."""
    return {plain(phrase) for command in COMMANDS for phrase in command.held_out}


def training_texts(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """`count` (kind, plain words), every kind in its share, none of them kept for tests."""
    rng = random.Random(seed)
    phrases = [phrase for command in COMMANDS for phrase in command.train]
    talk = other_sentences(max(200, count // 5), phrases, rng, typed=False)
    kept = kept_for_tests()
    found: list[tuple[str, str]] = []
    while len(found) < count:
        draw = rng.random()
        if draw < 0.40:
            # By command first: some have sixty phrases, others six.
            kind, text = "command", rng.choice(rng.choice(COMMANDS).train)
            text = vary(text, rng, typed=False) if rng.random() < 0.5 else text
        elif draw < 0.58:
            kind, text = "open", _open(rng)
        elif draw < 0.76:
            kind, text = "anything", any_words(rng)
        elif draw < 0.84:
            kind, text = "talk", rng.choice(talk)
        elif draw < 0.91:
            kind, text = "stop", rng.choice(_STOPPING).format(*[rng.choice(STOP_WORDS)] * 2)
        elif draw < 0.94:
            kind, text = "control", rng.choice(_CONTROL)
        else:
            kind, text = "alike", rng.choice(SOUND_ALIKE)
        words = plain(text)
        if words and words not in kept:
            found.append((kind, words))
    return found


def _open(rng: random.Random) -> str:
    text = rng.choice(_DOING).format(
        a=rng.choice(_LOOKS), a2=rng.choice(_MANNERS), t=rng.choice(_THINGS), t2=rng.choice(_THINGS),
        d=rng.choice(_WAYS), n=rng.choice(_NUMBERS), s=rng.choice(("left", "right")),
    )  # fmt: skip
    return vary(text, rng, typed=False) if rng.random() < 0.3 else text


@cache
def _vocabulary() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Common words (one token of Whisper's tokenizer each) and the other ones of the dictionary."""
    try:
        lines = DICTIONARY.read_text("utf-8").splitlines()
    except OSError:
        raise MissingPackageError(
            "a dictionary makes the training set.", field="train-speech", hint="apt-get install wamerican-small"
        ) from None
    tokens = json.loads((packaged_whisper() / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    words = [word for word in lines if re.fullmatch("[a-z]{2,}", word) and word not in _AS_STOP_WORDS]
    common = tuple(word for word in words if f"\u0120{word}" in tokens)
    known = set(common)
    return common, tuple(word for word in words if word not in known)


def any_words(rng: random.Random) -> str:
    """A phrase of words drawn from a dictionary: grammatical at most by chance."""
    common, rare = _vocabulary()
    frame = rng.choice(_ANYTHING)
    drawn = [rng.choice(common if rng.random() < COMMON_SHARE else rare) for _ in range(frame.count("{}"))]
    return frame.format(*drawn)


def training_set(count: int, seed: int = 0, voices: Sequence[Voice] = ()) -> list[Said]:
    """What is to be said by whom, for training; by any voice that may be learned from, or only by `voices`."""
    rng = random.Random(seed + 1)
    return [
        Said(
            text,
            kind,
            rng.choice(voices) if voices else learned_voices(rng),
            rng.uniform(0.7, 1.35),
            rng.uniform(*HUMAN_HEIGHT),
        )
        for kind, text in training_texts(count, seed)
    ]


def make(utterances: Sequence[Said]) -> Iterator[tuple[Said, Audio]]:
    """Their sounds, in order."""
    for said in utterances:
        yield said, speak_all([said.text], said.voice, speed=said.speed, pitch=said.pitch)[0]
