"""What a project asks of people: categories, the heads that learn from them, severities; as data, with presets.

A *category* is what a person chooses; a *head* is what a reward model learns: it gathers categories and looks at text
at its own density. A schema that changes after labels exist must say what becomes of every category that it drops
(`changed`), so that no label is lost in silence. Knows nothing of files, windows or models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from hitl.errors import InputError

Density = Literal["token", "sub_sentence", "sentence", "whole", "time"]
Where = Literal["span", "missing"]
Needs = Literal["nothing", "source", "earlier"]
"""What a category asks for beside its place: sentences of the sources, or the earlier text that is repeated."""
PATTERNS = ("solid", "dots", "dashes", "wave", "double", "hatch", "cross", "bars")
"""How a category is drawn beside its colour, so that colour is never alone."""
COLOURS = 8
MAX_CATEGORIES = 35
"""As many as there are digits and letters to press."""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reward model learns. weight: what a segment without an error earns, and one with an error loses."""

    key: str
    name: str
    density: Density
    weight: float = 1.0


class Category(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person may say of a part of a track, or of what is missing."""

    key: str
    name: str
    head: str
    shortcut: str
    """One letter or digit that marks it."""
    colour: int
    """Which of the theme's `COLOURS`."""
    pattern: str = "solid"
    where: Where = "span"
    needs: Needs = "nothing"
    good: bool = False
    """Praise: a segment that it touches is better than one without, not worse."""
    min_words: int = 0
    """Shorter spans teach nothing."""
    optional: bool = False
    """What is missing would be good to have, and an output without it lacks nothing."""
    note: str = ""
    """What it means, in a sentence, for who annotates."""


class Severity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How bad; weight: how many times the head's."""

    key: str
    name: str
    weight: float = 1.0


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. version: from 1; grows with every change."""

    name: str
    heads: list[Head]
    categories: list[Category]
    severities: list[Severity] = []
    preferences: bool = False
    rewrites: bool = False
    version: int = 1
    renamed: dict[str, str] = {}
    """Old key of a category -> new key, of all changes so far; an empty new key: it was given up on purpose."""

    def category(self, key: str) -> Category:
        """The category of this key, or of the key that has taken its place. Raises InputError."""
        now = self.current(key)
        for category in self.categories:
            if category.key == now:
                return category
        known = ", ".join(category.key for category in self.categories)
        raise InputError(f"{key!r} is no category of {self.name!r}", field="category", hint=f"Known: {known}.")

    def current(self, key: str) -> str | None:
        """What a category is called now; None where it was given up."""
        seen = {key}
        while key in self.renamed:
            key = self.renamed[key]
            if not key or key in seen:
                return None
            seen.add(key)
        return key

    def head(self, key: str) -> Head:
        """The head of this key. Raises InputError."""
        for head in self.heads:
            if head.key == key:
                return head
        raise InputError(f"{key!r} is no head of {self.name!r}", field="head", hint="Look at the project's schema.")

    def of_head(self, head: str) -> list[Category]:
        """The categories that a head learns from."""
        return [category for category in self.categories if category.head == head]

    def severity_weight(self, key: str) -> float:
        """How many times the head's weight; 1 where none was given."""
        return next((severity.weight for severity in self.severities if severity.key == key), 1.0)


def checked(schema: Schema) -> Schema:
    """`schema`, or InputError naming the first thing that cannot be."""
    _unique([head.key for head in schema.heads], "heads")
    _unique([category.key for category in schema.categories], "categories")
    _unique([category.shortcut for category in schema.categories], "shortcut")
    _unique([severity.key for severity in schema.severities], "severities")
    if not schema.categories:
        raise InputError("has no category", field="categories", hint="Give at least one, or take a preset.")
    if len(schema.categories) > MAX_CATEGORIES:
        raise InputError(
            f"has {len(schema.categories)}; at most {MAX_CATEGORIES}", field="categories", hint="Put some together."
        )
    heads = {head.key: head for head in schema.heads}
    for category in schema.categories:
        _check_category(category, heads)
    return schema


def _check_category(category: Category, heads: Mapping[str, Head]) -> None:
    field = f"categories.{category.key}"
    if not category.key.replace("-", "").replace("_", "").replace("/", "").replace(" ", "").isalnum():
        raise InputError(f"{category.key!r} is no name", field=field, hint="Use letters, digits, - and _.")
    if category.head not in heads:
        raise InputError(f"has the unknown head {category.head!r}", field=field, hint=f"Known: {', '.join(heads)}.")
    if (
        len(category.shortcut) != 1
        or not category.shortcut.isalnum()
        or category.shortcut != category.shortcut.lower()
    ):
        raise InputError(f"{category.shortcut!r} is no letter or digit", field=f"{field}.shortcut", hint="Give one.")
    if not 0 <= category.colour < COLOURS:
        raise InputError(f"is {category.colour}", field=f"{field}.colour", hint=f"Give 0 to {COLOURS - 1}.")
    if category.pattern not in PATTERNS:
        raise InputError(
            f"{category.pattern!r} is not known", field=f"{field}.pattern", hint=f"Use one of {PATTERNS}."
        )
    if category.where == "missing" and heads[category.head].density != "whole":
        raise InputError("is about what is missing, so its head looks at the whole", field=field, hint="Set density.")


def _unique(keys: list[str], field: str) -> None:
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} is there twice", field=field, hint="Give each its own.")


def changed(old: Schema, new: Schema, used: Mapping[str, int], renames: Mapping[str, str]) -> Schema:
    """The schema that takes the place of `old`. used: category -> how many labels have it; renames: old key -> new
    key, empty to give up its labels. Raises InputError where labels would be lost that `renames` does not mention."""
    checked(new)
    keys = {category.key for category in new.categories}
    renamed = {key: to for key, to in {**old.renamed, **renames}.items() if key not in keys}
    after = msgspec.structs.replace(new, version=old.version + 1, renamed=renamed)
    lost = {key: count for key, count in used.items() if _is_lost(key, after, keys)}
    if lost:
        counts = ", ".join(f"{key} ({count} labels)" for key, count in sorted(lost.items()))
        raise InputError(
            f"labels exist of categories that the new schema lacks: {counts}",
            field="categories",
            hint="Say what each becomes (--rename OLD=NEW), or give its labels up on purpose (--rename OLD=).",
        )
    for key, to in renames.items():
        if to and to not in keys:
            raise InputError(
                f"{key!r} cannot become {to!r}", field="rename", hint="Name a category of the new schema."
            )
    return after


def _is_lost(key: str, schema: Schema, keys: set[str]) -> bool:
    """Whether nothing says what became of a category; one that was given up on purpose is not lost."""
    now = schema.current(key)
    return now is not None and now not in keys
