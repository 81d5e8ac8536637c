"""Schemas: presets that hold, mistakes named, and changes that lose nothing in silence."""

from __future__ import annotations

import msgspec
import pytest

from hitl.annotation.presets import PRESETS, preset
from hitl.annotation.schema import changed, checked
from hitl.errors import InputError

replace = msgspec.structs.replace


@pytest.mark.parametrize("name", PRESETS)
def test_presets_hold(name):
    schema = preset(name)
    assert checked(schema) is schema and schema.version == 1
    looks = [(category.colour, category.pattern) for category in schema.categories]
    assert len(set(looks)) == len(looks), "two categories look the same"
    assert all(schema.of_head(head.key) for head in schema.heads)
    assert msgspec.json.decode(msgspec.json.encode(schema), type=type(schema)) == schema


def test_the_published_types_are_all_there_in_their_categories():
    schema = preset("fine-grained-rlhf")
    assert [c.key for c in schema.of_head("relevance")] == ["Irrelevant", "Redundant", "Incoherent"]
    assert [c.key for c in schema.of_head("factuality")] == ["Wrong-Grounding", "Unverifiable"]
    assert len(schema.of_head("completeness")) == 3 and schema.head("factuality").weight == 0.5
    assert preset("mqm").severity_weight("Major") == 5.0 and preset("mqm").severity_weight("") == 1.0


def test_an_unknown_preset_names_those_that_there_are():
    with pytest.raises(InputError, match="fine-grained-rlhf"):
        preset("x")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"shortcut": "F"}, "shortcut"),
        ({"shortcut": "ab"}, "shortcut"),
        ({"shortcut": "u"}, "shortcut"),  # another's
        ({"colour": 8}, "colour"),
        ({"pattern": "sparkles"}, "pattern"),
        ({"head": "x"}, "unknown head"),
        ({"key": "a:b"}, "no name"),
        ({"key": "Unverifiable"}, "twice"),
        ({"where": "missing"}, "whole"),
    ],
)
def test_a_category_that_cannot_be_is_named(fields, why):
    schema = preset("fine-grained-rlhf")
    broken = [replace(c, **fields) if c.key == "Wrong-Grounding" else c for c in schema.categories]
    with pytest.raises(InputError, match=why):
        checked(replace(schema, categories=broken))


def test_a_schema_needs_categories_and_not_too_many():
    schema = preset("thumbs")
    with pytest.raises(InputError, match="categories"):
        checked(replace(schema, categories=[]))
    with pytest.raises(InputError, match="categories"):
        one = schema.categories[0]
        many = [replace(one, key=f"c{n}", shortcut=chr(0x100 + 2 * n + 1)) for n in range(36)]
        checked(replace(schema, categories=many))


def without(schema, *keys):
    return replace(schema, categories=[c for c in schema.categories if c.key not in keys])


def test_labels_are_never_lost_in_silence():
    old = preset("fine-grained-rlhf")
    new = without(old, "Incoherent")
    with pytest.raises(InputError, match=r"Incoherent \(16 labels\)"):
        changed(old, new, {"Incoherent": 16, "Irrelevant": 3}, {})
    assert changed(old, new, {"Irrelevant": 3}, {}).version == 2
    moved = changed(old, new, {"Incoherent": 16}, {"Incoherent": "Irrelevant"})
    assert moved.category("Incoherent").key == "Irrelevant" and moved.version == 2
    given_up = changed(old, new, {"Incoherent": 16}, {"Incoherent": ""})
    assert given_up.current("Incoherent") is None
    with pytest.raises(InputError):
        given_up.category("Incoherent")
    with pytest.raises(InputError, match="rename"):
        changed(old, new, {"Incoherent": 16}, {"Incoherent": "x"})


def test_renames_are_followed_over_several_versions():
    first = preset("fine-grained-rlhf")
    second = changed(first, without(first, "Incoherent"), {"Incoherent": 1}, {"Incoherent": "Redundant"})
    third = changed(
        second, without(second, "Redundant"), {"Redundant": 1, "Incoherent": 1}, {"Redundant": "Irrelevant"}
    )
    assert third.category("Incoherent").key == "Irrelevant" and third.version == 3


def test_a_category_that_comes_back_is_itself_again():
    first = preset("fine-grained-rlhf")
    second = changed(first, without(first, "Incoherent"), {"Incoherent": 1}, {"Incoherent": "Redundant"})
    third = changed(second, first, {"Incoherent": 1}, {})
    assert third.category("Incoherent").key == "Incoherent"
