"""The low-level policy: camera images, pose and a command code -> the next 0.8 s of pose targets, and "done".

Each camera passes a small norm-free CNN that does not know the command (computed once per observation). A command
layer (FiLM, after Perez et al. 2018) then turns its map into heatmaps whose spatial soft-argmax (Levine et al. 2016)
gives places in the picture, finer than a cell since each cell also says how far from its middle the thing lies (as
CenterNet's offsets do, Zhou et al. 2019). The places tell where the goal is in the world; an MLP makes of the way from
each hand to it, the places, the state and the code a path of knots, relative to the present targets in x, y, z, pitch
and roll and absolute in the openings. Words that name no arm mean the one at work: how far each hand is from where it
rests is shown.

Three helpers are trained beside the path, because a path alone is learned as well, at first, from where the hands are
going as from the pictures: the scene, a heatmap per kind of object, and the goal, in the pictures and in the world.
How far the hands lag behind their targets is not shown: it tells where they go, and a policy that reads its own
motion does not look.
Knows nothing of words, files, training loops or robots.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

POSE_SIZE = 12
PATCH = 4  # pixels across; one cell of a camera's map
OPENINGS = (5, 11)
ELAPSED_LIMIT_S = 4.0
_FINE_PERIOD_M = 0.12  # a millimetre of a motion must be visible to the network, 5 cm or 10 cm into it
_FINE_PERIOD_RAD = 0.8  # and of openings
_MOVES = tuple(i for i in range(POSE_SIZE) if i not in OPENINGS)
_ANGLES = (3, 4, 9, 10)
_OPENING_UNITS = 3.0  # so that a tenth of an opening weighs as much as 3 mm a knot
_REST_BIN = 0.01  # m, rad, opening
_GOAL_PER_M = 10.0  # the network speaks of goals in dm
PERCEPTION = ("trunks", "scene_heat", "command_heat", "code_in", "film", "scene_head")
"""The parts that see. The high level reads what they find as they were when it was trained: see `perception`."""
_WEIGHTS = {"path": 1.0, "done": 0.1, "where": 0.1, "xy": 0.3, "goal": 0.5, "heat": 0.3, "spot": 0.3}
_WAY_SCALES_M = (0.2, 0.05, 0.012)


@dataclass(frozen=True)
class LowLevelConfig:
    """Sizes. cameras: name -> (height, width), pixels; `knots` of `frame_every` ticks at `rate_hz` are predicted."""

    cameras: dict[str, tuple[int, int]]
    kinds: int
    rate_hz: int = 50
    frame_every: int = 5
    code: int = 64
    channels: int = 32
    film_channels: int = 48
    keypoints: int = 16
    scene_keypoints: int = 12
    hidden: int = 640
    knots: int = 8

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "cameras": {name: list(size) for name, size in self.cameras.items()}}

    @staticmethod
    def from_json(raw: dict[str, Any]) -> LowLevelConfig:
        cameras = {name: (int(size[0]), int(size[1])) for name, size in raw["cameras"].items()}
        return LowLevelConfig(**{**raw, "cameras": cameras})

    @property
    def scene_size(self) -> int:
        """Per kind of object: 5 classes (absent, table, left hand, right hand, box), x and y."""
        return self.kinds * 7


@dataclass(frozen=True)
class State:
    """Where the arms are and what the command has done so far.

    pose, pose_target, start: `(B, 12)`; start is pose_target when the command began; elapsed: `(B,)` s since then.
    """

    pose: Tensor
    pose_target: Tensor
    start: Tensor
    elapsed: Tensor


@dataclass(frozen=True)
class Heat:
    """Heatmaps of one camera, logits `(B, P, n)`, and the places they tell, column and row `(B, n, 2)`, pixels."""

    logits: Tensor
    pixels: Tensor

    def first(self, count: int) -> Heat:
        return Heat(self.logits[..., :count], self.pixels[:, :count])


@dataclass(frozen=True)
class Look:
    """Places under a command, `(B, cameras * 3 * keypoints)`, and per camera the heatmap of its goal."""

    places: Tensor
    goal: dict[str, Heat]


@dataclass(frozen=True)
class Sight:
    """What is seen before a command is known: per camera a map `(B, P, C)`, scene places `(B, cameras * 3 * n)`, and
    per camera the heatmaps of the kinds."""

    maps: dict[str, Tensor]
    places: Tensor
    kinds: dict[str, Heat]


@dataclass(frozen=True)
class Prediction:
    """path: `(B, K, 12)` in network units (see `decode_path`); done: `(B,)` logits; scene: `(B, kinds, 7)`;
    goal: `(B, 3)` x y z, m; kinds, goals: camera -> heatmaps of the kinds and of the goal."""

    path: Tensor
    done: Tensor
    scene: Tensor
    goal: Tensor
    kinds: dict[str, Heat]
    goals: dict[str, Heat]


def camera_group(name: str) -> str:
    """Cameras of one group share a CNN: the wrists see alike."""
    return "wrist" if name.endswith("_wrist") else name


def to_patches(images: Tensor) -> Tensor:
    """uint8 `(B, h, w, 3)` -> uint8 `(B, ceil(h/4), ceil(w/4), 48)`: each pixel of the result is one patch."""
    pad_h, pad_w = -images.shape[1] % PATCH, -images.shape[2] % PATCH
    if pad_h or pad_w:
        images = functional.pad(images, (0, 0, 0, pad_w, 0, pad_h))
    b, h, w, c = images.shape
    blocks = images.view(b, h // PATCH, PATCH, w // PATCH, PATCH, c).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(b, h // PATCH, w // PATCH, PATCH * PATCH * c)


class CameraTrunk(nn.Module):
    """uint8 images -> a map with one cell per patch; sees detail and, through a half-size path, its surroundings."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * PATCH * PATCH, channels, 3, padding=1)
        self.fine = nn.Conv2d(channels, channels, 3, padding=1)
        self.coarse = nn.Conv2d(channels, 48, 3, padding=1)
        self.coarse_out = nn.Conv2d(48, channels, 3, padding=1)
        self.widen = nn.Linear(channels, out)

    def forward(self, images: Tensor, light: Tensor | None = None) -> Tensor:
        """uint8 `(B, h, w, 3)`, light `(B, 3)` factors per colour -> `(B, P, out)`, P = cells of the map."""
        patches = to_patches(images)
        fast = torch.is_autocast_enabled(images.device.type)
        dtype = torch.get_autocast_dtype(images.device.type) if fast else self.stem.weight.dtype
        pixels = patches.to(dtype)
        if light is None:
            pixels = pixels.mul_(1 / 128)
        else:
            factors = (light / 128).repeat(1, PATCH * PATCH).to(dtype)
            pixels = pixels.mul_(factors[:, None, None, :])
        x = functional.relu(self.stem(pixels.sub_(1).permute(0, 3, 1, 2)))
        x = x + functional.relu(self.fine(x))
        y = functional.relu(self.coarse(functional.avg_pool2d(x, 2, ceil_mode=True)))
        y = functional.interpolate(functional.relu(self.coarse_out(y)), size=x.shape[2:], mode="nearest")
        cells = (x + y).permute(0, 2, 3, 1).flatten(1, 2)
        out: Tensor = self.widen(cells)
        return out


class SoftArgmax(torch.autograd.Function):
    """Heatmaps `(B, P, n)` float32 and spots `(B, P, 2)` -> expected spot and log-sum-exp height, `(B, n, 3)`.

    Written out because it is a tenth of a training step: one exponential serves place, height and all gradients.
    """

    @staticmethod
    def forward(ctx: Any, heat: Tensor, spots: Tensor) -> Tensor:
        with torch.autocast(heat.device.type, enabled=False):  # bf16 would blur places to a cell or more
            share = heat.clamp(-60, 60).exp_()
            total = share.sum(1)
            share.div_(total[:, None, :])
            ctx.save_for_backward(share, spots)
            return torch.cat((share.transpose(1, 2) @ spots, total.log()[..., None]), 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        share, spots = ctx.saved_tensors
        spot_grad = share @ grad[..., :2]
        inner = spots @ grad[..., :2].transpose(1, 2)
        centre = (share * inner).sum(1) - grad[..., 2]
        return inner.sub_(centre[:, None, :]).mul_(share), spot_grad


def _cell_middles(height: int, width: int) -> Tensor:
    """Middle of each cell of a picture's map: `(P, 2)` as column and row, pixels."""
    rows, columns = -(-height // PATCH), -(-width // PATCH)
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    return PATCH * torch.stack((x, y), -1).flatten(0, 1)


class LowLevelPolicy(nn.Module):
    """See the module's docstring. `fit_scales` must be called once before training, from the training data."""

    target_mean: Tensor
    target_scale: Tensor
    move_scale: Tensor
    rest: Tensor
    fine_phase: Tensor
    path_units: Tensor

    def __init__(self, config: LowLevelConfig) -> None:
        super().__init__()
        self.config = config
        film, points = config.film_channels, config.keypoints
        groups = sorted({camera_group(name) for name in config.cameras})
        self.trunks = nn.ModuleDict({g: CameraTrunk(config.channels, film) for g in groups})
        # The last two of each are the way from a cell's middle to the thing in it, in cells.
        self.scene_heat = nn.ModuleDict({g: nn.Linear(film, config.scene_keypoints + 2) for g in groups})
        self.command_heat = nn.ModuleDict({g: nn.Linear(film, points + 2) for g in groups})
        self.code_in = nn.Linear(config.code, 128)
        self.film = nn.ModuleDict({name: nn.Linear(128, 2 * film) for name in config.cameras})
        places = 3 * len(config.cameras)
        self.scene_head = nn.Sequential(
            nn.Linear(places * config.scene_keypoints, 192), nn.ReLU(), nn.Linear(192, config.scene_size)
        )
        seen = places * (points + config.scene_keypoints)
        self.goal_line = nn.Linear(seen, 3)
        self.goal_bend = nn.Sequential(nn.Linear(seen + config.code, 96), nn.ReLU(), nn.Linear(96, 3))
        inputs = seen + 3 + 6 * len(_WAY_SCALES_M) + 4 * POSE_SIZE + len(OPENINGS) + 4 + config.code
        self.layer_1 = nn.Linear(inputs, config.hidden)
        self.layer_2 = nn.Linear(config.hidden, config.hidden)
        self.layer_3 = nn.Linear(config.hidden, config.hidden)
        self.modulate = nn.Linear(128, 4 * config.hidden)
        self.path_head = nn.Linear(config.hidden, config.knots * POSE_SIZE)
        self.done_head = nn.Linear(config.hidden, 1)
        for name, size in config.cameras.items():
            self.register_buffer(f"cells_{name}", _cell_middles(*size), persistent=False)
        self.register_buffer("target_mean", torch.zeros(POSE_SIZE))
        self.register_buffer("target_scale", torch.ones(POSE_SIZE))
        self.register_buffer("move_scale", torch.ones(POSE_SIZE))
        self.register_buffer("rest", torch.zeros(POSE_SIZE))
        period = torch.full((POSE_SIZE,), _FINE_PERIOD_M)
        period[[*_ANGLES, *OPENINGS]] = _FINE_PERIOD_RAD
        self.register_buffer("fine_phase", 2 * torch.pi / period, persistent=False)
        units = torch.full((POSE_SIZE,), 100.0)  # cm per knot
        units[list(_ANGLES)] = 10.0
        units[list(OPENINGS)] = _OPENING_UNITS
        self.register_buffer("path_units", units, persistent=False)

    def fit_scales(self, pose_target: Tensor, start: Tensor) -> None:
        """Set the state's scales, and where the hands rest most often, from samples `(N, 12)` of the training data."""
        self.target_mean.copy_(pose_target.mean(0))
        self.target_scale.copy_(pose_target.std(0).clamp(min=0.02))
        self.move_scale.copy_((pose_target - start).std(0).clamp(min=0.02))
        self.rest.copy_((start / _REST_BIN).round().mode(0).values * _REST_BIN)

    def look(self, images: dict[str, Tensor], light: Tensor | None = None) -> Sight:
        """Camera -> uint8 `(B, h, w, 3)`; everything that does not depend on the command."""
        maps: dict[str, Tensor] = {}
        for group in self.trunks:
            names = [name for name in self.config.cameras if camera_group(name) == group]
            shapes = {self.config.cameras[name] for name in names}
            if len(shapes) == 1 and len(names) > 1:
                stacked = torch.cat([images[name] for name in names])
                lights = light.repeat(len(names), 1) if light is not None else None
                parts = self.trunks[group](stacked, lights).chunk(len(names))
                maps.update(zip(names, parts, strict=True))
            else:
                maps.update({name: self.trunks[group](images[name], light) for name in names})
        maps = {name: maps[name] for name in self.config.cameras}
        found = {
            name: self._find(name, self.scene_heat[camera_group(name)](functional.relu(m))) for name, m in maps.items()
        }
        places = torch.cat([rows for _, rows in found.values()], 1)
        return Sight(maps, places, {name: heat.first(self.config.kinds) for name, (heat, _) in found.items()})

    def _find(self, name: str, answer: Tensor) -> tuple[Heat, Tensor]:
        """A map's `(B, P, n + 2)` heat and offsets -> heatmaps, and their places and heights as a row `(B, 3 n)`."""
        answer = answer.float()
        logits, offset = answer[..., :-2], answer[..., -2:]
        height, width = self.config.cameras[name]
        spots = getattr(self, f"cells_{name}") + PATCH * offset
        found: Tensor = SoftArgmax.apply(logits, spots)
        middle = found.new_tensor((width / 2, height / 2))
        places = torch.cat(((found[..., :2] - middle) * (2 / max(height, width)), found[..., 2:] * 0.2 - 1), 2)
        return Heat(logits, found[..., :2]), places.flatten(1)

    def scene(self, sight: Sight) -> Tensor:
        """`(B, kinds, 7)`: 5 class logits, then x and y in dm."""
        out: Tensor = self.scene_head(sight.places)
        return out.unflatten(1, (self.config.kinds, 7))

    def attend(self, sight: Sight, code: Tensor) -> Look:
        """Where to look under a command. Sight may hold one row for many codes `(B, 64)`."""
        inner = functional.relu(self.code_in(code))
        places, goals = [], {}
        for name, cells in sight.maps.items():
            gain, shift = self.film[name](inner).to(cells.dtype)[:, None, :].chunk(2, 2)
            chosen = functional.relu(torch.addcmul(shift, cells, 1 + gain))
            heat, rows = self._find(name, self.command_heat[camera_group(name)](chosen))
            goals[name] = heat.first(1)
            places.append(rows)
        return Look(torch.cat(places, 1), goals)

    def forward(self, sight: Sight, state: State, code: Tensor) -> Prediction:
        """code: `(B, 64)` unit vectors."""
        look = self.attend(sight, code)
        path, done, goal = self.decide(torch.cat((look.places, sight.places), 1), state, code)
        return Prediction(path, done, self.scene(sight).float(), goal, sight.kinds, look.goal)

    def decide(self, seen: Tensor, state: State, code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Path, done and goal, as in `Prediction`, from the places under the command and those of the scene, `(B, n)`
        together. Only what is not named in `PERCEPTION` has a part in it, but for the way of the code."""
        goal = (self.goal_line(seen) + self.goal_bend(torch.cat((seen, code), 1))).float()
        features = (seen, goal, self._ways(goal, state), self._state(state), code)
        inner = functional.relu(self.code_in(code))
        gain_1, shift_1, gain_2, shift_2 = self.modulate(inner).chunk(4, 1)
        x = functional.relu(torch.addcmul(shift_1, self.layer_1(torch.cat(features, 1)), 1 + gain_1))
        x = functional.relu(torch.addcmul(shift_2, self.layer_2(x), 1 + gain_2))
        x = x + functional.relu(self.layer_3(x))
        path = self.path_head(x).unflatten(1, (self.config.knots, POSE_SIZE)).float()
        return path, self.done_head(x).squeeze(1).float(), goal / _GOAL_PER_M

    def _ways(self, goal: Tensor, state: State) -> Tensor:
        """From each hand to the goal, coarse and fine: `(B, 6 * scales)`; goal: `(B, 3)` in network units."""
        hands = torch.stack((state.pose_target[:, 0:3], state.pose_target[:, 6:9]), 1)
        way = (goal[:, None] / _GOAL_PER_M - hands).flatten(1)
        return torch.cat([(way / scale).tanh() for scale in _WAY_SCALES_M], 1)

    def _state(self, state: State) -> Tensor:
        """`(B, 54)`: where, openings as measured, how far the command went (coarse, fine), for how long; how far from
        rest each hand was when it began, and by how much more the left one."""
        moved = state.pose_target - state.start
        away = (state.start - self.rest).unflatten(1, (2, 6))[..., :3].norm(dim=2) * 10
        return torch.cat(
            (
                (state.pose_target - self.target_mean) / self.target_scale,
                state.pose[:, list(OPENINGS)],
                moved / self.move_scale,
                (moved * self.fine_phase).sin(),
                (moved * self.fine_phase).cos(),
                state.elapsed.clamp(0, ELAPSED_LIMIT_S)[:, None] / 2 - 1,
                away,
                (5 * (away[:, :1] - away[:, 1:])).tanh(),
            ),
            1,
        )

    def encode_path(self, path: Tensor, pose_target: Tensor) -> Tensor:
        """Absolute knots `(B, K, 12)` -> network units: cm and 0.1 rad a knot from the target now; openings, absolute,
        in thirds."""
        steps = torch.arange(1, path.shape[1] + 1, device=path.device)[:, None]
        relative = (path - pose_target[:, None]) * self.path_units / steps
        out = path * self.path_units
        out[..., list(_MOVES)] = relative[..., list(_MOVES)]
        return out

    def decode_path(self, path: Tensor, pose_target: Tensor) -> Tensor:
        """The inverse of `encode_path`."""
        steps = torch.arange(1, path.shape[1] + 1, device=path.device)[:, None]
        absolute = pose_target[:, None] + path * steps / self.path_units
        out = (path / self.path_units).clamp(0, 1)
        out[..., list(_MOVES)] = absolute[..., list(_MOVES)]
        return out


def perception(low_level: LowLevelPolicy) -> dict[str, Tensor]:
    """The weights by which it sees, by name: what a high level goes on to see with where the low level learns on."""
    return {name: weight for name, weight in low_level.state_dict().items() if name.split(".")[0] in PERCEPTION}


@dataclass(frozen=True)
class Targets:
    """What a prediction is compared with: `path` as `encode_path` gives it, the rest as in `sampling.Batch`."""

    path: Tensor
    done: Tensor
    where: Tensor
    xy: Tensor
    goal: Tensor
    pixels: dict[str, Tensor]
    goal_pixels: dict[str, Tensor]


def heat_loss(heat: Heat, pixels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Heatmaps against places `(B, n, 2)` (column, row) in a picture of `size`: cross entropy, and distance in cells.

    A place is shared out to its four nearest cells. Places that are not known (NaN) or outside the picture do not
    count.
    """
    height, width = size
    rows, columns = -(-height // PATCH), -(-width // PATCH)
    column, row = pixels.unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)  # false for NaN
    u = torch.where(inside, column / PATCH - 0.5, 0.0).clamp(0, columns - 1)
    v = torch.where(inside, row / PATCH - 0.5, 0.0).clamp(0, rows - 1)
    left, top = u.floor(), v.floor()
    right, bottom = (left + 1).clamp(max=columns - 1), (top + 1).clamp(max=rows - 1)
    cells = torch.stack([y * columns + x for y in (top, bottom) for x in (left, right)], 1).long()
    shares = torch.stack([a * b for a in (1 - (v - top), v - top) for b in (1 - (u - left), u - left)], 1)
    wrong = -(heat.logits.log_softmax(1).gather(1, cells) * shares).sum(1)
    away = torch.where(inside[..., None], (heat.pixels - pixels) / PATCH, 0.0).abs().sum(-1)
    count = inside.sum().clamp(min=1)
    return (wrong * inside).sum() / count, away.sum() / count


def where_loss(classes: Tensor, where: Tensor) -> Tensor:
    """Cross entropy of logits `(B, kinds, 5)` against classes `(B, kinds)`; those below 0, which nobody knows, do not
    count."""
    known = (where >= 0).flatten()
    wrong = functional.cross_entropy(classes.flatten(0, 1), where.flatten().clamp(min=0), reduction="none")
    return (wrong * known).sum() / known.sum().clamp(min=1)


def low_level_loss(
    prediction: Prediction, target: Targets, cameras: dict[str, tuple[int, int]]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum to minimise and its parts by name.

    The path's L1 part keeps the last millimetre as important as the first; its square keeps a rare command that is not
    told apart yet from resting at "do not move", the median of all commands.
    """
    classes, spots = prediction.scene[..., :5], prediction.scene[..., 5:]
    seen = (target.where > 0).float()[..., None]
    error = prediction.path - target.path
    known = target.goal.isfinite()
    away = torch.where(known, prediction.goal - target.goal, 0.0).abs() * _GOAL_PER_M
    heats = [
        heat_loss(heat[name], places[name], cameras[name])
        for heat, places in ((prediction.kinds, target.pixels), (prediction.goals, target.goal_pixels))
        for name in cameras
    ]
    parts = {
        "path": (error.abs() + 0.5 * error.square()).mean(),
        "done": functional.binary_cross_entropy_with_logits(prediction.done, target.done),
        "where": where_loss(classes, target.where),
        "xy": ((spots - 10 * target.xy).abs() * seen).sum() / seen.sum().clamp(min=1) / 2,
        "goal": away.sum() / known.sum().clamp(min=1),
        "heat": torch.stack([wrong for wrong, _ in heats]).mean(),
        "spot": torch.stack([distance for _, distance in heats]).mean(),
    }
    return sum((_WEIGHTS[name] * part for name, part in parts.items()), torch.zeros(())), parts


def each_loss(path: Tensor, done: Tensor, goal: Tensor, wanted: Targets) -> dict[str, Tensor]:
    """The parts of `low_level_loss` that have nothing to do with seeing, weighted, for each sample: `(B,)`."""
    error = path - wanted.path
    known = wanted.goal.isfinite()
    away = torch.where(known, goal - wanted.goal, 0.0).abs() * _GOAL_PER_M
    parts = {
        "path": (error.abs() + 0.5 * error.square()).mean((1, 2)),
        "done": functional.binary_cross_entropy_with_logits(done, wanted.done, reduction="none"),
        "goal": away.mean(1),
    }
    return {name: _WEIGHTS[name] * part for name, part in parts.items()}
