"""A schema for files that bring none: the preset that knows all of their categories, or one that is made of them."""

from __future__ import annotations

from collections.abc import Collection

from hitl.annotation.presets import PRESETS, preset
from hitl.annotation.schema import COLOURS, MAX_CATEGORIES, PATTERNS, Category, Head, Schema, Severity, checked
from hitl.errors import InputError

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def fitting_schema(
    spans: Collection[str], missing: Collection[str], severities: Collection[str], *, recordings: bool = False
) -> Schema:
    """The schema, of recordings or of texts. spans, missing: names of categories; their order is kept. Raises
    InputError where there are too many, or a name cannot be one."""
    for name in PRESETS:
        known = preset(name)
        if recordings and not any(head.density == "time" for head in known.heads):
            continue
        keys = {category.key for category in known.categories}
        if keys.issuperset({*spans, *missing}) and {s.key for s in known.severities}.issuperset(severities):
            return known
    names = list(dict.fromkeys([*spans, *missing]))
    if len(names) > MAX_CATEGORIES:
        raise InputError(
            f"the file has {len(names)} categories; at most {MAX_CATEGORIES} are taken",
            field="categories",
            hint="Give a schema: --schema FILE.",
        )
    heads = [Head(key="quality", name="Quality", density="time" if recordings else "sentence")]
    if missing:
        heads.append(Head(key="completeness", name="Completeness", density="whole"))
    free = list(_LETTERS)
    categories = [
        _category(name, place, _shortcut(name, free), name in set(missing)) for place, name in enumerate(names)
    ]
    graded = [Severity(key=key, name=key) for key in dict.fromkeys(severities)]
    return checked(
        Schema(name="imported", heads=heads, categories=categories, severities=graded, preferences=True, rewrites=True)
    )


def _category(name: str, place: int, shortcut: str, missing: bool) -> Category:
    return Category(
        key=name,
        name=name,
        head="completeness" if missing else "quality",
        where="missing" if missing else "span",
        shortcut=shortcut,
        colour=place % COLOURS,
        pattern=PATTERNS[place // COLOURS % len(PATTERNS)],
    )


def _shortcut(name: str, free: list[str]) -> str:
    """The first letter of the name that is free."""
    letter = next((letter for letter in name.lower() if letter in free), free[0])
    free.remove(letter)
    return letter
