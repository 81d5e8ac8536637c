"""Schemas to begin with: the published eight error types, MQM, thumbs, good and bad spans, segments of recordings."""

from __future__ import annotations

from hitl.annotation.schema import Category, Head, Schema, Severity, checked
from hitl.errors import InputError

_PUBLISHED_WEIGHTS = {"relevance": 0.3, "factuality": 0.5, "completeness": 0.3}
"""Reward magnitudes of `fine_grained_config.yml` (arXiv 2306.01693)."""


def _fine_grained() -> Schema:
    """Fine-Grained RLHF (arXiv 2306.01693), keys as its files write the error types: C1 relevance, by sub-sentence,
    spans of under five words left out; C2 factuality, by sentence; C3 completeness, of the whole."""
    weights = _PUBLISHED_WEIGHTS
    return Schema(
        name="fine-grained-rlhf",
        heads=[
            Head(key="relevance", name="Relevance (C1)", density="sub_sentence", weight=weights["relevance"]),
            Head(key="factuality", name="Factuality (C2)", density="sentence", weight=weights["factuality"]),
            Head(key="completeness", name="Completeness (C3)", density="whole", weight=weights["completeness"]),
        ],
        categories=[
            Category(key="Irrelevant", name="irrelevant", head="relevance", shortcut="i", colour=0, min_words=5,
                     note="It does not help to answer the question."),
            Category(key="Redundant", name="repeated", head="relevance", shortcut="r", colour=1, pattern="double",
                     needs="earlier", min_words=5, note="It was said before; mark where."),
            Category(key="Incoherent", name="incoherent", head="relevance", shortcut="c", colour=2, pattern="wave",
                     min_words=5, note="It is no proper sentence, or nobody can make sense of it."),
            Category(key="Wrong-Grounding", name="wrong fact", head="factuality", shortcut="f", colour=3,
                     pattern="dashes", needs="source", note="A source says otherwise; click its sentence."),
            Category(key="Unverifiable", name="unverifiable", head="factuality", shortcut="u", colour=4,
                     pattern="dots", note="No source says it; look into all of them."),
            Category(key="Missing-Answer", name="missing answer", head="completeness", shortcut="m", colour=5,
                     where="missing", needs="source", pattern="hatch", note="A possible answer is not given."),
            Category(key="Missing-Major-Auxiliary", name="missing major point", head="completeness", shortcut="j",
                     colour=6, where="missing", needs="source", pattern="bars",
                     note="The answer needs it to be understood."),
            Category(key="Missing-Minor-Auxiliary", name="missing minor point", head="completeness", shortcut="n",
                     colour=7, where="missing", needs="source", pattern="cross", optional=True,
                     note="It would be good to have."),
        ],
        preferences=True,
        rewrites=True,
    )  # fmt: skip


def _mqm() -> Schema:
    """Multidimensional Quality Metrics as WMT's files write them (Freitag et al. 2021, arXiv 2104.14478): a minor
    error costs 1, a major one 5."""
    groups = [
        ("Accuracy", "accuracy", [("Addition", "a"), ("Omission", "o"), ("Mistranslation", "m"),
                                  ("Untranslated text", "u")]),
        ("Fluency", "fluency", [("Punctuation", "p"), ("Spelling", "s"), ("Grammar", "g"), ("Register", "r"),
                                ("Inconsistency", "i"), ("Character encoding", "e")]),
        ("Terminology", "terminology", [("Inappropriate for context", "t"), ("Inconsistent use of terminology", "c")]),
        ("Style", "style", [("Awkward", "w")]),
        ("Locale convention", "locale", [("Address format", "1"), ("Currency format", "2"), ("Date format", "3"),
                                         ("Name format", "4"), ("Telephone format", "5"), ("Time format", "6")]),
    ]  # fmt: skip
    patterns = ["solid", "dashes", "dots", "double", "wave", "hatch", "cross", "bars"]
    categories = [
        Category(key=f"{group}/{name}", name=name.lower(), head=head, shortcut=shortcut, colour=colour,
                 pattern=patterns[place % len(patterns)])
        for colour, (group, head, entries) in enumerate(groups)
        for place, (name, shortcut) in enumerate(entries)
    ]  # fmt: skip
    categories += [
        Category(key="Non-translation", name="no translation", head="accuracy", shortcut="n", colour=5),
        Category(key="Source error", name="error of the source", head="source", shortcut="x", colour=6),
        Category(key="Other", name="other", head="other", shortcut="z", colour=7),
    ]
    heads = [Head(key=head, name=group, density="sentence") for group, head, _ in groups]
    heads += [
        Head(key="source", name="Source", density="sentence", weight=0.0),
        Head(key="other", name="Other", density="sentence"),
    ]
    severities = [
        Severity(key="Minor", name="minor", weight=1.0),
        Severity(key="Major", name="major", weight=5.0),
        Severity(key="Neutral", name="neutral", weight=0.0),
    ]
    return Schema(name="mqm", heads=heads, categories=categories, severities=severities, rewrites=True)


def _thumbs() -> Schema:
    return Schema(
        name="thumbs",
        heads=[Head(key="quality", name="Quality", density="sentence")],
        categories=[
            Category(key="up", name="thumbs up", head="quality", shortcut="u", colour=5, good=True),
            Category(key="down", name="thumbs down", head="quality", shortcut="d", colour=3, pattern="dashes"),
        ],
        preferences=True,
    )


def _spans() -> Schema:
    return Schema(
        name="good-span",
        heads=[Head(key="quality", name="Quality", density="token")],
        categories=[
            Category(key="good", name="good", head="quality", shortcut="g", colour=5, good=True,
                     note="Keep this; more like it."),
            Category(key="bad", name="bad", head="quality", shortcut="b", colour=3, pattern="dashes",
                     note="This should not be there, or be otherwise."),
        ],
        preferences=True,
        rewrites=True,
    )  # fmt: skip


def _segments() -> Schema:
    return Schema(
        name="segments",
        heads=[
            Head(key="progress", name="Progress", density="time"),
            Head(key="safety", name="Safety", density="time", weight=2.0),
            Head(key="done", name="Done", density="time"),
        ],
        categories=[
            Category(key="good", name="good", head="progress", shortcut="g", colour=5, good=True),
            Category(key="mistake", name="mistake", head="progress", shortcut="m", colour=3, pattern="dashes"),
            Category(key="unsafe", name="unsafe", head="safety", shortcut="u", colour=2, pattern="hatch"),
            Category(key="done", name="done", head="done", shortcut="d", colour=0, pattern="double", good=True),
        ],
    )


_PRESETS = {schema.name: schema for schema in (_fine_grained(), _mqm(), _thumbs(), _spans(), _segments())}
PRESETS = tuple(_PRESETS)


def preset(name: str) -> Schema:
    """The schema of this name. Raises InputError."""
    if name not in _PRESETS:
        raise InputError(f"{name!r} is no preset", field="schema", hint=f"Use one of {', '.join(PRESETS)}.")
    return checked(_PRESETS[name])
