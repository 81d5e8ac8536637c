"""Words around commands, for training the command encoder: how people pad and shorten what they say, and what is no
command at all.

Pure text: knows nothing of particular commands, models or banks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from policies.hierarchy.talk import TALK

_BEFORE = (
    "please|could you|can you|would you|now|ok|okay|hey|robot|no|just|so|I want you to|try to|you should|let's|and now"
    "|hmm|well|wait no|uh|um|I'd like you to|go and|then|next|you need to|I said|no no|actually|alright"
).split("|")
_AFTER = (
    "please|now|for me|thanks|will you|if you can|ok|again|right now|would you|thank you|this time|instead|first|then"
).split("|")
_SKIPPED = frozenset({"the", "it", "your", "that", "this"})
_SWAPS = (("toward ", "towards "), ("do not", "don't"), ("clockwise", "clock wise"), ("centre", "center"))


def vary(phrase: str, rng: random.Random, *, typed: bool = True) -> str:
    """The phrase as somebody might really say it: padded, shortened, with other punctuation; `typed`: with slips."""
    words = [word for word in phrase.split() if word.lower() not in _SKIPPED or rng.random() > 0.25]
    varied = " ".join(words or phrase.split())
    for old, new in _SWAPS:
        if rng.random() < 0.3:
            varied = varied.replace(old, new)
    if rng.random() < 0.45:
        varied = rng.choice(_BEFORE) + rng.choice((" ", ", ")) + varied
    if rng.random() < 0.4:
        varied = varied + rng.choice((" ", ", ")) + rng.choice(_AFTER)
    if typed and rng.random() < 0.25:
        varied = _mistype(varied, rng)
    return varied + rng.choice(("", "", "", "!", ".", "?", "!!"))


def _mistype(text: str, rng: random.Random) -> str:
    """One letter left out or doubled in the middle of a longer word; short words carry the meaning and stay."""
    words = text.split()
    longer = [at for at, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if not longer:
        return text
    at = rng.choice(longer)
    word, cut = words[at], rng.randrange(1, len(words[at]) - 1)
    words[at] = word[:cut] + word[cut + 1 :] if rng.random() < 0.5 else word[:cut] + word[cut] + word[cut:]
    return " ".join(words)


_TALK = (
    "that looks good|what time is it|I am hungry|thank you very much|good morning|how are you today|this is fun"
    "|nice job|I don't understand|who made this|yes|no|maybe later|never mind|hello|goodbye|is it working"
    "|why did you do that|the weather is bad|let us have lunch|my phone is ringing|I like your arms|that was close"
    "|what are you doing|are you ready|it is cold in here|tell me a joke|sing me a song|what is your name"
    "|the camera is blurry|I think it missed|the light is too bright|be careful|good robot|you almost had it"
    "|I will be back in a minute|do you see the ball|where is the block|how many objects are there|that is my cup"
    "|the left one is mine|the right answer is four|red is my favourite colour|the box is full|it is green"
    "|turn on the light|turn off the music|play some music|open the window|close the door|open the file"
    "|call my mother|send an email|take a picture|read the news|save the document|go to sleep|go to the kitchen"
    "|come here|look at me|look to the left|count to ten|sit down|stand up|shut up|drive to work|run away|jump"
    "|dance|clap your hands|wave at the camera|shake hands with me|scratch my back|make me a coffee|cook dinner"
    "|clean the room|vacuum the floor|wash the dishes|sweep the floor|fold the shirt|fold the towel|tie the rope"
    "|cut the paper|write my name|draw a circle|paint the wall|pour some water|stir the soup|fill the glass"
    "|spill the milk|peel the potato|feed the cat|water the plants|unplug the cable|screw in the bulb"
    "|press the button|pull the lever|push the cart|kick the ball|throw the ball at me|break it|burn it|eat it"
    "|weigh it|measure it|smell it|throw it away in the trash|put it in the fridge|put it in the drawer"
    "|put it under the table|put it on the shelf|put it on my head|put it behind the box|put it next to the box"
    "|hide it|hand it to me|give it back to me|show it to the camera|shake it|spin around|stack them up"
    "|sort them by colour|push it off the table|turn the box upside down|move the box|lift the table|close the box"
    "|left or right|up and down|is that up or down|it went too far|too high|why is the arm so slow|faster|slower"
    "|speed up|slow down|do that again|repeat|undo that|start over|next|continue|begin|go on|finish|hurry up|again"
    "|good|wrong|not that|the other one|something else|be gentle|a bit|a little|the arm|the gripper|the object"
    "|asdf|lorem ipsum|hjkl qwer|blah blah blah|la la la|one two three|12345|test test|foo bar|the the the"
).split("|")
_NEVER = "don't|do not|never|you must not|please don't".split("|")
_MENTIONS = (
    "why did you {}|did you {}|did it {}|who told you to {}|what happens if I {}|when did it {}"
    "|yesterday it would {}|he said {}|she told it to {}|you have to say {}|if you say {}|how does it {}"
    "|does it ever {}|it was supposed to {}|I never asked it to {}|why would it {}|was it hard to {}"
    "|I wonder how they {}|it will never {}|nobody can {}|they used to {} by hand|I saw it {}|it tried to {}"
    "|it takes a while to {}|what does {} mean|remember to say {}"
).split("|")
_ABOUT = (
    "throw the {} at the wall|weigh the {}|measure the {}|paint the {}|wipe the {}|knock over the {}|kick the {}"
    "|hide the {}|polish the {}|break the {}|bend the {}|photograph the {}|sell the {}|stack the {} on the {}"
    "|swap the {} and the {}|point at the {}|look at the {}|count the {}|describe the {}|what colour is the {}"
    "|is the {} heavy|where is the {}|I like the {}|the {} looks fine|the {} is a bit loose"
    "|the {} was moving just now|it dropped the {}|look how it holds the {}|the {} is faster than the {}"
    "|has the {} arrived already|I used to have a {} like that|that {} is mine|the {} was in the way"
    "|he moved the {} in the last run|the {} costs too much|the {} fell off|is that the {} or the {}"
    "|the {} has gone already|who made the {}|my {} is broken|the {} seems too small|it stopped above the {}"
    "|she packed the {} yesterday"
).split("|")
_SUBJECTS = "the dog|my brother|the train|a teacher|our garden|the book|this city|the boy|some people|the old car"
_TELLS = "is late again|was very kind|needs a new roof|looks tired today|costs too much|belongs to my sister|went home"
_TASKS = (
    "pick up the {}|grab the {}|take the {}|move above the {}|hover over the {}|get the {}|go over the {}|fetch the {}"
    "|wipe the {}|clean the {}|push the {}|rotate the {}|throw the {}|look at the {}|point at the {}|touch the {}"
    "|open the {}|close the {}|put the {} in the box|fold the {}|now the {}|the {}"
)
_THINGS = (
    "mug|banana|bottle|spoon|white disc|black cone|brown egg|grey pyramid|book|towel|silver key|apple|paper cup|phone"
    "|white ball|black block|toy car|screwdriver|white cube|black ring|brown bar|scissors|sponge|plate|gray cylinder"
    "|cable|sock|wooden star|transparent cup|pen|turquoise tile|beige hat|white wheel|rose hoop|table leg|camera"
)


def other_sentences(count: int, phrases: Sequence[str], rng: random.Random, *, typed: bool = True) -> list[str]:
    """`count` sentences that are no command: talk, orders for other machines, known verbs with unknown things, the
    things of `phrases` (of commands) in other sentences, and `phrases` forbidden or spoken of. What the phrases
    themselves forbid ("don't move") is not turned round."""
    tasks, things = _TASKS.split("|"), _THINGS.split("|")
    talk = (*_TALK, *TALK)
    subjects, tells = _SUBJECTS.split("|"), _TELLS.split("|")
    allowed = [phrase for phrase in phrases if not _is_rest(phrase)]
    own = sorted({thing for phrase in phrases if (thing := _thing(phrase))})

    def one() -> str:
        kind = rng.random()
        if kind < 0.36:
            return rng.choice(talk)
        if kind < 0.62:
            return rng.choice(tasks).format(rng.choice(things))
        if kind < 0.74 and allowed:
            return f"{rng.choice(_NEVER)} {rng.choice(allowed)}"
        if kind < 0.84 and allowed:
            return rng.choice(_MENTIONS).format(rng.choice(allowed))
        if kind < 0.96 and own:
            return rng.choice(_ABOUT).format(rng.choice(own), rng.choice(own))
        return f"{rng.choice(subjects)} {rng.choice(tells)}"

    return [vary(one(), rng, typed=typed) if rng.random() < 0.5 else one() for _ in range(count)]


def _thing(phrase: str) -> str:
    """What a phrase ends with after its last "the", where that is short; else nothing."""
    _, the, thing = phrase.rpartition("the ")
    return thing if the and len(thing.split()) <= 2 else ""


def _is_rest(phrase: str) -> bool:
    """Whether the phrase asks for no movement: forbidding it, or forbidding to move, would mean something else."""
    words = set(phrase.lower().split())
    return bool(words & {"don't", "not", "no", "still", "stay", "wait", "hold", "keep", "remain", "nothing", "move"})


def sample_phrases(phrases: Sequence[str], versions: int, rng: random.Random) -> list[str]:
    """Every phrase as it stands and `versions` variations of it."""
    return [*phrases, *(vary(phrase, rng) for phrase in phrases for _ in range(versions))]
