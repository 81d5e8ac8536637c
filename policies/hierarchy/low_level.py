"""The low-level policy: camera images, pose and a command code -> the next 0.8 s of pose targets, and "done".

Each camera passes a small norm-free CNN that does not know the command (computed once per observation). A command
layer (FiLM, after Perez et al. 2018) then turns its map into heatmaps whose spatial soft-argmax (Levine et al. 2016)
gives places in the picture; an MLP makes of these, the state and the code a path of knots, relative to the present
targets in x, y, z, pitch and roll and absolute in the openings. Helper outputs make the heatmaps useful early in
training: the scene, places in hindsight, and the first scene heatmaps themselves, one per kind of object, which learn
where that object is in each picture. With the last, the scene's
classes were learned as well after 1,400 steps as without it after 4,150.
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
    keypoints: int = 32
    scene_keypoints: int = 16
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
class Sight:
    """What is seen before a command is known: per camera a map `(B, P, C)`, scene places `(B, cameras * 3 * n)`, and
    per camera the scene heatmaps `(B, P, n)`, logits."""

    maps: dict[str, Tensor]
    places: Tensor
    heat: dict[str, Tensor]


@dataclass(frozen=True)
class Prediction:
    """path: `(B, K, 12)` in network units (see `decode_path`); done: `(B,)` logits; scene: `(B, kinds, 7)`;
    hindsight: `(B, 12)`, dm (see `Segments.hindsight`); heat: camera -> logits `(B, P, kinds)`."""

    path: Tensor
    done: Tensor
    scene: Tensor
    hindsight: Tensor
    heat: dict[str, Tensor]


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
    """Heatmaps `(B, P, n)` float32 and cell places `(P, 2)` -> expected place and log-sum-exp height, `(B, n, 3)`.

    Written out because it is a tenth of a training step: one exponential serves place, height and both gradients.
    """

    @staticmethod
    def forward(ctx: Any, heat: Tensor, cells: Tensor) -> Tensor:
        with torch.autocast(heat.device.type, enabled=False):  # bf16 would blur places to a cell or more
            share = heat.clamp(-60, 60).exp_()
            total = share.sum(1)
            share.div_(total[:, None, :])
            ctx.save_for_backward(share, cells)
            return torch.cat((share.transpose(1, 2) @ cells, total.log()[..., None]), 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        share, cells = ctx.saved_tensors
        inner = cells @ grad[..., :2].transpose(1, 2)
        centre = (share * inner).sum(1) - grad[..., 2]
        return inner.sub_(centre[:, None, :]).mul_(share), None


def _cell_places(height: int, width: int) -> Tensor:
    """Middle of each cell, -1 .. 1 across the longer side: `(P, 2)` as x, y."""
    rows, columns = -(-height // PATCH), -(-width // PATCH)
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    longer = max(rows, columns)
    return torch.stack((2 * x - columns, 2 * y - rows), -1).flatten(0, 1) / longer


class LowLevelPolicy(nn.Module):
    """See the module's docstring. `fit_scales` must be called once before training, from the training data."""

    target_mean: Tensor
    target_scale: Tensor
    error_scale: Tensor
    move_scale: Tensor
    fine_phase: Tensor
    path_units: Tensor

    def __init__(self, config: LowLevelConfig) -> None:
        super().__init__()
        self.config = config
        film, points = config.film_channels, config.keypoints
        groups = sorted({camera_group(name) for name in config.cameras})
        self.trunks = nn.ModuleDict({g: CameraTrunk(config.channels, film) for g in groups})
        self.scene_heat = nn.ModuleDict({g: nn.Linear(film, config.scene_keypoints) for g in groups})
        self.command_heat = nn.ModuleDict({g: nn.Linear(film, points) for g in groups})
        self.code_in = nn.Linear(config.code, 128)
        self.film = nn.ModuleDict({name: nn.Linear(128, 2 * film) for name in config.cameras})
        places = 3 * len(config.cameras)
        self.scene_head = nn.Sequential(
            nn.Linear(places * config.scene_keypoints, 192), nn.ReLU(), nn.Linear(192, config.scene_size)
        )
        inputs = places * (points + config.scene_keypoints) + 5 * POSE_SIZE + len(OPENINGS) + 1 + config.code
        self.layer_1 = nn.Linear(inputs, config.hidden)
        self.layer_2 = nn.Linear(config.hidden, config.hidden)
        self.layer_3 = nn.Linear(config.hidden, config.hidden)
        self.modulate = nn.Linear(128, 4 * config.hidden)
        self.path_head = nn.Linear(config.hidden, config.knots * POSE_SIZE)
        self.done_head = nn.Linear(config.hidden, 1)
        self.hindsight_head = nn.Linear(config.hidden, 12)
        for name, size in config.cameras.items():
            self.register_buffer(f"cells_{name}", _cell_places(*size), persistent=False)
        self.register_buffer("target_mean", torch.zeros(POSE_SIZE))
        self.register_buffer("target_scale", torch.ones(POSE_SIZE))
        self.register_buffer("error_scale", torch.ones(POSE_SIZE))
        self.register_buffer("move_scale", torch.ones(POSE_SIZE))
        period = torch.full((POSE_SIZE,), _FINE_PERIOD_M)
        period[[*_ANGLES, *OPENINGS]] = _FINE_PERIOD_RAD
        self.register_buffer("fine_phase", 2 * torch.pi / period, persistent=False)
        units = torch.full((POSE_SIZE,), 100.0)  # cm per knot
        units[list(_ANGLES)] = 10.0
        units[list(OPENINGS)] = 1.0
        self.register_buffer("path_units", units, persistent=False)
        nn.Module.to(self, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def fit_scales(self, pose: Tensor, pose_target: Tensor, start: Tensor) -> None:
        """Set the state's scales from samples `(N, 12)` of the training data."""
        self.target_mean.copy_(pose_target.mean(0))
        self.target_scale.copy_(pose_target.std(0).clamp(min=0.02))
        self.error_scale.copy_((pose - pose_target).std(0).clamp(min=0.003))
        self.move_scale.copy_((pose_target - start).std(0).clamp(min=0.02))

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
        heat = {name: self.scene_heat[camera_group(name)](functional.relu(m)) for name, m in maps.items()}
        places = [self._places(name, logits) for name, logits in heat.items()]
        return Sight(maps, torch.cat(places, 1), heat)

    def _places(self, name: str, heat: Tensor) -> Tensor:
        found: Tensor = SoftArgmax.apply(heat.float(), getattr(self, f"cells_{name}"))
        return torch.cat((found[..., :2], found[..., 2:] * 0.2 - 1), 2).flatten(1)

    def scene(self, sight: Sight) -> Tensor:
        """`(B, kinds, 7)`: 5 class logits, then x and y in dm."""
        out: Tensor = self.scene_head(sight.places)
        return out.unflatten(1, (self.config.kinds, 7))

    def attend(self, sight: Sight, code: Tensor) -> Tensor:
        """Places under a command: `(B, cameras * 3 * keypoints)`. Sight may hold one row for many codes `(B, 64)`."""
        inner = functional.relu(self.code_in(code))
        places = []
        for name, cells in sight.maps.items():
            gain, shift = self.film[name](inner).to(cells.dtype)[:, None, :].chunk(2, 2)
            chosen = functional.relu(torch.addcmul(shift, cells, 1 + gain))
            places.append(self._places(name, self.command_heat[camera_group(name)](chosen)))
        return torch.cat(places, 1)

    def forward(self, sight: Sight, state: State, code: Tensor) -> Prediction:
        """code: `(B, 64)` unit vectors."""
        features = (self.attend(sight, code), sight.places, self._state(state), code)
        inner = functional.relu(self.code_in(code))
        gain_1, shift_1, gain_2, shift_2 = self.modulate(inner).chunk(4, 1)
        x = functional.relu(torch.addcmul(shift_1, self.layer_1(torch.cat(features, 1)), 1 + gain_1))
        x = functional.relu(torch.addcmul(shift_2, self.layer_2(x), 1 + gain_2))
        x = x + functional.relu(self.layer_3(x))
        return Prediction(
            path=self.path_head(x).unflatten(1, (self.config.knots, POSE_SIZE)).float(),
            done=self.done_head(x).squeeze(1).float(),
            scene=self.scene(sight).float(),
            hindsight=self.hindsight_head(x).float(),
            heat={name: logits[..., : self.config.kinds].float() for name, logits in sight.heat.items()},
        )

    def _state(self, state: State) -> Tensor:
        """`(B, 63)`: where, tracking error, openings, how far the command went (coarse, fine), for how long."""
        moved = state.pose_target - state.start
        return torch.cat(
            (
                (state.pose_target - self.target_mean) / self.target_scale,
                ((state.pose - state.pose_target) / self.error_scale).clamp(-4, 4),
                state.pose[:, list(OPENINGS)],
                moved / self.move_scale,
                (moved * self.fine_phase).sin(),
                (moved * self.fine_phase).cos(),
                state.elapsed.clamp(0, ELAPSED_LIMIT_S)[:, None] / 2 - 1,
            ),
            1,
        )

    def encode_path(self, path: Tensor, pose_target: Tensor) -> Tensor:
        """Absolute knots `(B, K, 12)` -> network units: cm and 0.1 rad a knot from the target now; openings stay."""
        steps = torch.arange(1, path.shape[1] + 1, device=path.device)[:, None]
        relative = (path - pose_target[:, None]) * self.path_units / steps
        out = path.clone()
        out[..., list(_MOVES)] = relative[..., list(_MOVES)]
        return out

    def decode_path(self, path: Tensor, pose_target: Tensor) -> Tensor:
        """The inverse of `encode_path`."""
        steps = torch.arange(1, path.shape[1] + 1, device=path.device)[:, None]
        absolute = pose_target[:, None] + path * steps / self.path_units
        out = path.clamp(0, 1)
        out[..., list(_MOVES)] = absolute[..., list(_MOVES)]
        return out


@dataclass(frozen=True)
class Targets:
    """What a prediction is compared with: `path` as `encode_path` gives it, the rest as in `sampling.Batch`."""

    path: Tensor
    done: Tensor
    where: Tensor
    xy: Tensor
    hindsight: Tensor
    hindsight_known: Tensor
    pixels: dict[str, Tensor]


def heat_loss(heat: Tensor, pixels: Tensor, size: tuple[int, int], stride: int = PATCH) -> Tensor:
    """Cross entropy of heatmaps `(B, P, kinds)` with places `(B, kinds, 2)` (column, row) in a picture of `size`.

    A place is shared out to its four nearest cells, so that the expected place is exact between cells. Kinds that are
    absent (NaN) or outside the picture do not count.
    """
    height, width = size
    rows, columns = -(-height // stride), -(-width // stride)
    column, row = pixels.unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)  # false for NaN
    u = torch.where(inside, column / stride - 0.5, 0.0).clamp(0, columns - 1)
    v = torch.where(inside, row / stride - 0.5, 0.0).clamp(0, rows - 1)
    left, top = u.floor(), v.floor()
    right, bottom = (left + 1).clamp(max=columns - 1), (top + 1).clamp(max=rows - 1)
    cells = torch.stack([y * columns + x for y in (top, bottom) for x in (left, right)], 1).long()
    shares = torch.stack([a * b for a in (1 - (v - top), v - top) for b in (1 - (u - left), u - left)], 1)
    wrong = -(heat.log_softmax(1).gather(1, cells) * shares).sum(1)
    return (wrong * inside).sum() / inside.sum().clamp(min=1)


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
    heats = [heat_loss(heat, target.pixels[name], cameras[name]) for name, heat in prediction.heat.items()]
    parts = {
        "path": (error.abs() + 0.5 * error.square()).mean(),
        "done": functional.binary_cross_entropy_with_logits(prediction.done, target.done),
        "where": functional.cross_entropy(classes.flatten(0, 1), target.where.flatten()),
        "xy": ((spots - 10 * target.xy).abs() * seen).sum() / seen.sum().clamp(min=1) / 2,
        "hindsight": ((prediction.hindsight - 10 * target.hindsight).abs() * target.hindsight_known).mean(),
        "heat": torch.stack(heats).mean(),
    }
    weights = {"path": 1.0, "done": 0.1, "where": 0.05, "xy": 0.1, "hindsight": 0.1, "heat": 0.03}
    return sum((weights[name] * part for name, part in parts.items()), torch.zeros(())), parts
