"""The command encoder, trained for seconds on a few commands that plain sentence embeddings confuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from policies.encoders import TextEncoder
from policies.errors import PolicyError
from policies.hierarchy.command_bank import CommandBank
from policies.hierarchy.command_encoder import CommandEncoder, CommandEncoderReport, train_command_encoder
from policies.hierarchy.command_space import CommandSpace
from policies.hierarchy.statistics import wilson_interval

WAYS = {"left": "leftwards", "right": "rightwards", "up": "upwards", "down": "downwards"}


def few_commands() -> list[dict[str, Any]]:
    """Both arms, four directions, and two picks."""
    commands = []
    for side in ("left", "right"):
        for way, synonym in WAYS.items():
            train = [
                template.format(arm=arm, way=word)
                for arm in (f"the {side} arm", f"your {side} hand", f"the {side} hand", f"{side} arm")
                for word in (way, synonym)
                for template in ("move {arm} {way}", "{arm} {way}", "{arm}: {way}", "go {way} with {arm}")
            ]
            held_out = [f"shift the {side} arm {way}", f"the {side} arm must go {way}", f"bring your {side} arm {way}"]
            commands.append({"text": f"move the {side} arm {way}", "train": train, "held_out": held_out})
    for thing, other in (("red block", "red cube"), ("blue ball", "blue sphere")):
        train = [f"{verb} the {name}" for verb in ("pick up", "grab", "take", "get") for name in (thing, other)] * 2
        held_out = [f"fetch the {thing}", f"could you take that {other}"]
        commands.append({"text": f"pick up the {thing}", "train": train, "held_out": held_out})
    return commands


@pytest.fixture(scope="module")
def text_encoder() -> TextEncoder:
    torch.set_num_threads(1)
    return TextEncoder()


@pytest.fixture(scope="module")
def trained(text_encoder: TextEncoder) -> tuple[CommandEncoder, CommandEncoderReport]:
    return train_command_encoder(few_commands(), text_encoder, seed=3)


@pytest.fixture(scope="module")
def space(trained: tuple[CommandEncoder, CommandEncoderReport], text_encoder: TextEncoder) -> CommandSpace:
    texts = [command["text"] for command in few_commands()]
    bank = CommandBank(texts, trained[0].encode(texts, text_encoder).codes.numpy())
    return CommandSpace(trained[0], text_encoder, bank)


def test_unseen_wording_finds_its_command_where_raw_embeddings_fail(
    trained: tuple[CommandEncoder, CommandEncoderReport],
) -> None:
    report = trained[1]
    assert report.held_out_phrases == 28
    assert report.train_top1 == 1.0
    assert report.held_out_top1 >= 0.9 > report.raw_nearest_top1
    low, high = report.held_out_interval
    assert low < report.held_out_top1 <= high
    assert len(report.misunderstood) == round(28 * (1 - report.held_out_top1))


def test_opposite_commands_are_apart_and_wordings_of_one_are_together(space: CommandSpace) -> None:
    for first, second in (("left", "right"), ("up", "down")):
        for side in ("left", "right"):
            assert space.embed(f"move the {side} arm {first}") @ space.embed(f"move the {side} arm {second}") < 0.7
    for way in WAYS:
        assert space.embed(f"move the left arm {way}") @ space.embed(f"move the right arm {way}") < 0.7
        assert space.embed(f"move the left arm {way}") @ space.embed(f"please move your left hand {way}!") > 0.85


def test_the_same_seed_gives_the_same_net(text_encoder: TextEncoder) -> None:
    few, steps = few_commands()[-2:], []
    state = torch.random.get_rng_state()
    first, _ = train_command_encoder(few, text_encoder, seed=5, progress=steps.append)
    torch.testing.assert_close(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    second, _ = train_command_encoder(few, text_encoder, seed=5)
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(tensor, second.state_dict()[name], rtol=0, atol=0)
    assert steps == sorted(steps) and steps[-1] == 1.0


def test_weights_survive_and_foreign_ones_are_named(space: CommandSpace, text_encoder: TextEncoder) -> None:
    tensors = space.tensors()
    again = CommandSpace(CommandEncoder.from_tensors(tensors), text_encoder)
    np.testing.assert_array_equal(again.embed("go up"), space.embed("go up"))
    missing = {name: tensor for name, tensor in tensors.items() if name != "readers.1.queries"}
    with pytest.raises(PolicyError, match="readers.1.queries: the tensor is missing"):
        CommandEncoder.from_tensors(missing)
    with pytest.raises(PolicyError, match="extra: the tensor is unknown"):
        CommandEncoder.from_tensors({**tensors, "extra": torch.zeros(1)})
    with pytest.raises(PolicyError, match=r"readers.1.queries: the tensor has shape \(1,\)"):
        CommandEncoder.from_tensors({**tensors, "readers.1.queries": torch.zeros(1)})


def test_commands_without_difference_are_refused(text_encoder: TextEncoder) -> None:
    with pytest.raises(PolicyError, match="commands"):
        train_command_encoder(few_commands()[:1], text_encoder)
    with pytest.raises(PolicyError, match="commands"):
        train_command_encoder([few_commands()[0]] * 2, text_encoder)


def test_talk_is_unfamiliar_and_commands_are_not(space: CommandSpace) -> None:
    for text in ("grab the red cube", "your right hand up", "could you take the blue sphere please"):
        assert space.familiarity(text) > 0.5, text
    for text in ("what a lovely day", "my cat sleeps on the keyboard", "wipe the window with a cloth"):
        assert space.familiarity(text) < 0.5, text


def test_lookups(space: CommandSpace) -> None:
    assert space.exact("Move the LEFT arm, up!") == "move the left arm up"
    assert space.exact("move the left arm up a lot") is None
    best, second = space.nearest("your left hand upwards", 2)
    assert best.text == "move the left arm up"
    assert best.cosine > second.cosine and best.probability > 0.5
    assert 0 < best.sentence < 1
    assert space.codes([]).shape == (0, 64)


def test_the_space_is_open(space: CommandSpace) -> None:
    grown = CommandSpace(space._encoder, space._text_encoder, CommandBank(space.bank.texts, space.bank.codes))
    grown.add("wipe the table")
    assert grown.exact("wipe the table") == "wipe the table"
    assert grown.nearest("wipe the table", 1)[0].text == "wipe the table"
    assert grown.nearest("wipe the table", 1)[0].sentence == pytest.approx(1, abs=1e-5)
    assert "wipe the table" not in space.bank


def test_wilson_interval() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    low, high = wilson_interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


def test_one_net_that_was_saved_by_its_own_names_is_read(
    trained: tuple[CommandEncoder, CommandEncoderReport], text_encoder: TextEncoder
) -> None:
    tensors = trained[0].state_dict()
    single = {
        name.removeprefix("readers.1."): t for name, t in tensors.items() if "readers." not in name or ".1." in name
    }
    assert "queries" in single and "readers.1.queries" not in single
    read = CommandEncoder.from_tensors(single)
    texts = [command["text"] for command in few_commands()]
    own, all_ = read.encode(texts, text_encoder), trained[0].encode(texts, text_encoder)
    assert torch.equal(own.codes, CommandEncoder.from_tensors(single).encode(texts, text_encoder).codes)
    assert ((own.codes * all_.codes).sum(1) > 0.9).all() and not torch.equal(own.codes, all_.codes)


def test_codes_that_policies_know_are_kept(text_encoder: TextEncoder) -> None:
    commands = few_commands()
    known = torch.nn.functional.normalize(torch.randn(len(commands), 64, generator=torch.Generator().manual_seed(1)))
    encoder, _ = train_command_encoder(commands, text_encoder, seed=3, codes=known)
    found = encoder.encode([command["text"] for command in commands], text_encoder).codes
    assert ((found * known).sum(1) > 0.9).all()
    with pytest.raises(PolicyError, match="has shape"):
        train_command_encoder(commands, text_encoder, codes=known[1:])
