"""The low level's network: places, units, what depends on the command and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.autograd import gradcheck

from policies.hierarchy.high_level import describe, feature_size
from policies.hierarchy.low_level import (
    Heat,
    LowLevelConfig,
    LowLevelPolicy,
    Prediction,
    SoftArgmax,
    State,
    Targets,
    heat_loss,
    low_level_loss,
    to_patches,
)

CONFIG = LowLevelConfig({"overhead": (24, 32), "left_wrist": (16, 16), "right_wrist": (16, 16)}, kinds=3, hidden=64)


CAMERAS_SEEN = tuple(CONFIG.cameras)


def policy() -> LowLevelPolicy:
    torch.manual_seed(0)
    return LowLevelPolicy(CONFIG).eval()


def pictures(batch: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randint(0, 256, (batch, *size, 3), dtype=torch.uint8, generator=generator)
        for name, size in CONFIG.cameras.items()
    }


def state(batch: int) -> State:
    generator = torch.Generator().manual_seed(2)
    rows = (torch.rand(batch, 12, generator=generator) for _ in range(3))
    return State(*rows, elapsed=torch.rand(batch, generator=generator))


def codes(batch: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(batch, 64, generator=torch.Generator().manual_seed(3)), dim=1)


def test_shapes() -> None:
    model = policy()
    prediction = model(model.look(pictures(5)), state(5), codes(5))
    assert prediction.path.shape == (5, 8, 12)
    assert prediction.done.shape == (5,)
    assert prediction.scene.shape == (5, 3, 7)
    assert prediction.goal.shape == (5, 3)
    assert {name: heat.pixels.shape for name, heat in prediction.kinds.items()} == dict.fromkeys(
        CAMERAS_SEEN, (5, 3, 2)
    )
    assert {name: heat.pixels.shape for name, heat in prediction.goals.items()} == dict.fromkeys(
        CAMERAS_SEEN, (5, 1, 2)
    )


def test_a_batch_answers_like_its_rows() -> None:
    model, seen, where, code = policy(), pictures(3), state(3), codes(3)
    together = model(model.look(seen), where, code)
    for row in range(3):
        one = slice(row, row + 1)
        alone = model(
            model.look({name: p[one] for name, p in seen.items()}),
            State(where.pose[one], where.pose_target[one], where.start[one], where.elapsed[one]),
            code[one],
        )
        assert torch.allclose(alone.path, together.path[one], atol=1e-4)


def test_sight_does_not_depend_on_the_command_but_the_path_does() -> None:
    model, seen = policy(), pictures(1)
    sight = model.look(seen)
    first, second = (model(sight, state(1), codes(2)[row : row + 1]) for row in range(2))
    assert torch.equal(first.scene, second.scene)
    assert not torch.allclose(first.path, second.path)


def test_one_sight_can_be_asked_under_many_codes() -> None:
    model = policy()
    sight, many = model.look(pictures(1)), codes(4)
    together = model.attend(sight, many)
    for row in range(4):
        alone = model.attend(sight, many[row : row + 1])
        assert torch.allclose(together.places[row], alone.places[0], atol=1e-5)
        assert torch.allclose(together.goal["overhead"].pixels[row], alone.goal["overhead"].pixels[0], atol=1e-3)


def test_one_moment_has_the_features_that_it_has_among_others() -> None:
    model, poses, probes = policy(), state(3).pose, codes(4)
    seen = pictures(3)
    together = describe(model, model.look(seen), poses, probes)
    assert together.shape == (3, feature_size(model, len(probes)))
    for row in range(3):
        sight = model.look({name: images[row : row + 1] for name, images in seen.items()})
        alone = describe(model, sight, poses[row : row + 1], probes)
        assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_patches_hold_their_pixels() -> None:
    images = torch.arange(2 * 10 * 8 * 3, dtype=torch.int64).remainder(251).to(torch.uint8).view(2, 10, 8, 3)
    patches = to_patches(images)
    assert patches.shape == (2, 3, 2, 48)
    assert torch.equal(patches[1, 1, 1].view(4, 4, 3), images[1, 4:8, 4:8])
    assert torch.equal(patches[0, 2, 0].view(4, 4, 3)[:2], images[0, 8:10, 0:4])
    assert not patches[0, 2, 0].view(4, 4, 3)[2:].any()


def test_soft_argmax_finds_the_peak() -> None:
    spots = torch.tensor([[[-1.0, 0.0], [0.0, 0.5], [1.0, -0.5]], [[5.0, 5.0], [6.0, 6.0], [7.0, 7.0]]])
    heat = torch.tensor([[[0.0], [25.0], [0.0]], [[0.0], [0.0], [30.0]]])
    found = SoftArgmax.apply(heat, spots)
    assert torch.allclose(found[:, 0], torch.tensor([[0.0, 0.5, 25.0], [7.0, 7.0, 30.0]]), atol=1e-4)


def test_soft_argmax_gradient() -> None:
    heat = torch.randn(2, 7, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0), requires_grad=True)
    spots = torch.randn(2, 7, 2, dtype=torch.double, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert gradcheck(SoftArgmax.apply, (heat, spots))


def test_a_place_is_found_between_the_middles_of_cells() -> None:
    model = policy()
    answer = torch.zeros(1, 48, 3)
    answer[0, 8 + 3, 0] = 30.0  # row 1, column 3 of 6 x 8 cells
    answer[0, 8 + 3, 1:] = torch.tensor([0.25, -0.5])  # cells from its middle
    heat, row = model._find("overhead", answer)
    assert torch.allclose(heat.pixels, torch.tensor([[[14.0 + 1.0, 6.0 - 2.0]]]), atol=1e-3)
    assert row.shape == (1, 3)


def test_decoding_undoes_encoding() -> None:
    model = policy()
    target = torch.rand(4, 12)
    path = target[:, None] + 0.1 * torch.randn(4, 8, 12)
    path[..., [5, 11]] = torch.rand(4, 8, 2)
    assert torch.allclose(model.decode_path(model.encode_path(path, target), target), path, atol=1e-5)


def test_units_are_centimetres_a_knot() -> None:
    model, target = policy(), torch.zeros(1, 12)
    path = torch.zeros(1, 8, 12)
    path[0, :, 0] = torch.arange(1, 9) * 0.02  # 2 cm every knot: 0.2 m/s
    path[0, :, 5] = 0.7
    units = model.encode_path(path, target)
    assert torch.allclose(units[0, :, 0], torch.full((8,), 2.0), atol=1e-4)
    assert torch.allclose(units[0, :, 5], torch.full((8,), 2.1))


def test_openings_stay_between_closed_and_open() -> None:
    decoded = policy().decode_path(torch.full((1, 8, 12), 3.0), torch.zeros(1, 12))
    assert (decoded[..., [5, 11]] == 1).all()


@pytest.mark.parametrize("gone_m", [0.0, 0.02, 0.05, 0.1])
def test_a_millimetre_is_visible_anywhere_in_a_motion(gone_m: float) -> None:
    model, base = policy(), state(1)
    before = State(base.pose, base.pose_target, base.pose_target - gone_m, base.elapsed)
    after = State(base.pose, base.pose_target, base.pose_target - gone_m - 0.001, base.elapsed)
    assert (model._state(after) - model._state(before))[:, -28:-4].abs().max() > 0.03


CAMERAS = {"overhead": (96, 128)}


def test_the_hand_that_is_farther_from_rest_shows() -> None:
    model, rest = policy(), torch.rand(12)
    starts = rest.repeat(9, 1)
    starts[:4] += torch.rand(4, 12)  # rest is where the hands are most often
    model.fit_scales(torch.rand(9, 12), starts)
    assert (model.rest - rest).abs().max() < 0.006
    base = state(2)
    start = model.rest.repeat(2, 1)
    start[0, 0] += 0.2  # the left hand, 2 dm
    start[1, 8] += 0.1  # the right one, 1 dm
    shown = model._state(State(base.pose, base.pose_target, start, base.elapsed))[:, -3:]
    assert torch.allclose(shown, torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, -1.0]]), atol=1e-3)


def test_heatmaps_learn_places_between_cells_and_ignore_what_is_out_of_sight() -> None:
    pixels = torch.tensor([[[50.0, 31.0], [torch.nan, torch.nan], [-3.0, 10.0]]])
    heat = torch.zeros(1, 24 * 32, 3, requires_grad=True)
    found = torch.zeros(1, 3, 2, requires_grad=True)
    optimizer = torch.optim.Adam([heat, found], lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        wrong, away = heat_loss(Heat(heat, found), pixels, (96, 128))
        (wrong + away).backward()
        optimizer.step()
    assert torch.allclose(found.detach()[0, 0], pixels[0, 0], atol=1.0)
    assert not found.detach()[0, 1:].any()
    share = heat.detach()[0, :, 0].softmax(0).view(24, 32)
    column = float((share.sum(0) * (4 * torch.arange(32) + 2)).sum())
    row = float((share.sum(1) * (4 * torch.arange(24) + 2)).sum())
    assert abs(column - 50) < 0.5 and abs(row - 31) < 0.5
    assert not heat.detach()[0, :, 1:].any()


def _prediction() -> Prediction:
    heat = {"overhead": Heat(torch.zeros(2, 24 * 32, 3), torch.full((2, 3, 2), 40.0))}
    goal = {"overhead": Heat(torch.zeros(2, 24 * 32, 1), torch.full((2, 1, 2), 40.0))}
    path, scene = torch.zeros(2, 8, 12), torch.zeros(2, 3, 7)
    return Prediction(path, torch.zeros(2), scene, torch.zeros(2, 3), heat, goal)


def _targets(prediction: Prediction, **other: torch.Tensor | dict[str, torch.Tensor]) -> Targets:
    """All as predicted, all known, but for `other`."""
    heat, goal = ({n: h.pixels for n, h in heats.items()} for heats in (prediction.kinds, prediction.goals))
    kinds = torch.ones(2, 3, dtype=torch.long)
    perfect = Targets(prediction.path, torch.ones(2), kinds, torch.zeros(2, 3, 2), prediction.goal, heat, goal)
    return replace(perfect, **other)


def _parts(**other: torch.Tensor | dict[str, torch.Tensor]) -> dict[str, float]:
    prediction = _prediction()
    parts = low_level_loss(prediction, _targets(prediction, **other), CAMERAS)[1]
    return {name: part.item() for name, part in parts.items()}


def test_what_was_predicted_costs_nothing() -> None:
    parts = _parts()
    assert [parts[name] for name in ("path", "xy", "goal", "spot")] == [0.0] * 4


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("path", {"path": torch.ones(2, 8, 12)}),
        ("xy", {"xy": torch.ones(2, 3, 2)}),
        ("goal", {"goal": torch.ones(2, 3)}),
        ("spot", {"pixels": {"overhead": torch.full((2, 3, 2), 30.0)}}),
        ("spot", {"goal_pixels": {"overhead": torch.full((2, 1, 2), 30.0)}}),
    ],
)
def test_what_is_known_counts(part: str, other: dict[str, torch.Tensor]) -> None:
    assert _parts(**other)[part] > 0.1


def test_loss_ignores_what_is_not_known() -> None:
    absent = {"where": torch.zeros(2, 3, dtype=torch.long), "goal": torch.full((2, 3), torch.nan)}
    nowhere = {
        "pixels": {"overhead": torch.full((2, 3, 2), torch.nan)},
        "goal_pixels": {"overhead": torch.full((2, 1, 2), torch.nan)},
    }
    parts = _parts(**absent, **nowhere, xy=torch.full((2, 3, 2), 5.0))
    assert [parts[name] for name in ("xy", "goal", "heat", "spot")] == [0.0] * 4


def test_kinds_that_nobody_knows_of_do_not_count_and_are_not_taught_as_absent() -> None:
    scene = torch.zeros(2, 3, 7, requires_grad=True)
    prediction = replace(_prediction(), scene=scene)
    where = torch.tensor([[1, -1, -1], [-1, -1, -1]])
    loss, parts = low_level_loss(prediction, _targets(prediction, where=where), CAMERAS)
    (gradient,) = torch.autograd.grad(loss, scene)
    assert parts["where"].item() == pytest.approx(torch.tensor(5.0).log().item()), "of the one that is known"
    assert gradient[0, 0].any() and not gradient[0, 1:].any() and not gradient[1].any()
    assert _parts(where=torch.full((2, 3), -1))["where"] == 0.0


def test_config_survives_json() -> None:
    assert LowLevelConfig.from_json(CONFIG.to_json()) == CONFIG
