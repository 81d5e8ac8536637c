"""Whisper with small trainable corrections beside its frozen weights, and windows as long as what was said.

The weights come as arrays under CTranslate2's names (fused query-key-value), so that what is learned here is added to
the very file that recognition runs. Every linear layer W x becomes (W + B A) x with B A of low rank (Hu et al. 2021,
"LoRA", arXiv:2106.09685); biases and layer norms learn whole. Published Whisper (Radford et al. 2022,
arXiv:2212.04356) always hears 30 s; here the encoder's positions are cut to the sound, which costs a twentieth for a
command, and has to be learned.

Knows nothing of files, sound or where words come from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from policies.errors import PolicyError

Arrays = Mapping[str, NDArray[np.generic]]

MELS = 80
SAMPLES_A_FRAME = 160
_FFT = 400


class LogMel(nn.Module):
    """Sound `(b, samples)` at 16 kHz -> `(b, 80, samples / 160)`, as Whisper's own features."""

    def __init__(self, filters: NDArray[np.floating]) -> None:
        """filters: `(80, 201)` mel filter bank."""
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(np.asarray(filters, np.float32)), persistent=False)
        self.register_buffer("window", torch.hann_window(_FFT), persistent=False)
        self.filters: Tensor
        self.window: Tensor

    @torch.no_grad()
    def forward(self, sound: Tensor) -> Tensor:
        """Log power, at most 8 decades below the loudest point, scaled to about -1..1."""
        spectrum = torch.stft(sound, _FFT, SAMPLES_A_FRAME, window=self.window, return_complex=True)
        power = spectrum[..., :-1].abs().square()
        log = (self.filters @ power).clamp(min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (log + 4.0) / 4.0


class LowRank(nn.Module):
    """A frozen linear layer `(out, in)` and what is learned beside it."""

    def __init__(self, weight: Tensor, bias: Tensor, rank: int) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.weight: Tensor
        self.bias = nn.Parameter(bias.clone())
        self.a = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in)` -> `(..., out)`."""
        return F.linear(x, self.weight, self.bias) + F.linear(F.linear(x, self.a), self.b)


class Norm(nn.Module):
    """Layer norm with the given start."""

    def __init__(self, gamma: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(gamma.clone()), nn.Parameter(beta.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return F.layer_norm(x, x.shape[-1:], self.gamma.to(x.dtype), self.beta.to(x.dtype))


class _Builder:
    """Makes layers from arrays by name and remembers which is which."""

    def __init__(self, arrays: Arrays, rank: int) -> None:
        self.arrays, self.rank = arrays, rank
        self.linears: dict[str, LowRank] = {}
        self.norms: dict[str, Norm] = {}

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(np.array(self.arrays[name], np.float32))

    def linear(self, name: str) -> LowRank:
        layer = LowRank(self.tensor(f"{name}/weight"), self.tensor(f"{name}/bias"), self.rank)
        self.linears[name] = layer
        return layer

    def norm(self, name: str) -> Norm:
        layer = Norm(self.tensor(f"{name}/gamma"), self.tensor(f"{name}/beta"))
        self.norms[name] = layer
        return layer


class _Attention(nn.Module):
    """Self-attention (linears: qkv, out) or attention to the sound (linears: q, kv, out), before it a layer norm."""

    def __init__(self, build: _Builder, name: str, heads: int, *, to_sound: bool, causal: bool) -> None:
        super().__init__()
        self.norm = build.norm(f"{name}/layer_norm")
        self.linears = nn.ModuleList(build.linear(f"{name}/linear_{at}") for at in range(3 if to_sound else 2))
        self._heads, self._causal = heads, causal

    def forward(self, x: Tensor, sound: Tensor | None = None) -> Tensor:
        """`(b, t, d)` -> the same, to be added."""
        normed = self.norm(x)
        if sound is None:
            q, k, v = self.linears[0](normed).chunk(3, dim=-1)
        else:
            q = self.linears[0](normed)
            k, v = self.linears[1](sound).chunk(2, dim=-1)
        b, t, d = x.shape
        q, k, v = (part.view(b, -1, self._heads, d // self._heads).transpose(1, 2) for part in (q, k, v))
        found = F.scaled_dot_product_attention(q, k, v, is_causal=self._causal)
        return self.linears[-1](found.transpose(1, 2).reshape(b, t, d))


class _FeedForward(nn.Module):
    def __init__(self, build: _Builder, name: str) -> None:
        super().__init__()
        self.norm = build.norm(f"{name}/layer_norm")
        self.linears = nn.ModuleList(build.linear(f"{name}/linear_{at}") for at in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """`(b, t, d)` -> the same, to be added."""
        return self.linears[1](F.gelu(self.linears[0](self.norm(x))))


class _Layer(nn.Module):
    """One layer of the encoder, or with `across` of the decoder."""

    def __init__(self, attention: _Attention, across: _Attention | None, feed: _FeedForward) -> None:
        super().__init__()
        self.attention, self.across, self.feed = attention, across, feed

    def forward(self, x: Tensor, sound: Tensor | None = None) -> Tensor:
        """`(b, t, d)` -> the same."""
        x = x + self.attention(x)
        if self.across is not None:
            x = x + self.across(x, sound)
        return x + self.feed(x)


class Whisper(nn.Module):
    """Encoder and decoder over frozen arrays. `adapter` gives what was learned, by the arrays' names."""

    def __init__(self, arrays: Arrays, *, rank: int = 32) -> None:
        super().__init__()
        build = _Builder(arrays, rank)
        heads = int(arrays["encoder/num_heads"])
        for place in ("encoder/conv1", "encoder/conv2"):
            for part in ("weight", "bias"):
                self.register_buffer(f"{place[8:]}_{part}", build.tensor(f"{place}/{part}"), persistent=False)
        self.register_buffer("places", build.tensor("encoder/position_encodings/encodings"), persistent=False)
        self.register_buffer("word_places", build.tensor("decoder/position_encodings/encodings"), persistent=False)
        self.register_buffer("words", build.tensor("decoder/embeddings/weight"), persistent=False)
        layers = sum(name.startswith("encoder/layer_") and name.endswith("ffn/linear_0/bias") for name in arrays)
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for at in range(layers):
            name = f"encoder/layer_{at}"
            attention = _Attention(build, f"{name}/self_attention", heads, to_sound=False, causal=False)
            self.encoder.append(_Layer(attention, None, _FeedForward(build, f"{name}/ffn")))
            name = f"decoder/layer_{at}"
            attention = _Attention(build, f"{name}/self_attention", heads, to_sound=False, causal=True)
            across = _Attention(build, f"{name}/attention", heads, to_sound=True, causal=False)
            self.decoder.append(_Layer(attention, across, _FeedForward(build, f"{name}/ffn")))
        self.encoder_norm = build.norm("encoder/layer_norm")
        self.decoder_norm = build.norm("decoder/layer_norm")
        self._build = build

    def encode(self, mel: Tensor) -> Tensor:
        """Features `(b, 80, t)` -> `(b, t / 2, d)`; t at most 3000."""
        x = F.gelu(F.conv1d(mel, self.conv1_weight, self.conv1_bias, padding=1))  # type: ignore[arg-type]
        x = F.gelu(F.conv1d(x, self.conv2_weight, self.conv2_bias, stride=2, padding=1))  # type: ignore[arg-type]
        x = x.transpose(1, 2)
        x = x + self.places[: x.shape[1]]  # type: ignore[index]
        for layer in self.encoder:
            x = layer(x)
        return self.encoder_norm(x)

    def decode(self, tokens: Tensor, sound: Tensor, among: Tensor | None = None) -> Tensor:
        """Tokens `(b, t)` and the encoder's output -> logits of the next tokens `(b, t, vocabulary)`, or only of those
        `among` `(n,)`."""
        x = self.words[tokens] + self.word_places[: tokens.shape[1]]  # type: ignore[index]
        for layer in self.decoder:
            x = layer(x, sound)
        words = self.words if among is None else self.words[among]  # type: ignore[index]
        return F.linear(self.decoder_norm(x), words)  # type: ignore[arg-type]

    def forward(self, mel: Tensor, tokens: Tensor, among: Tensor | None = None) -> Tensor:
        """Logits `(b, t, vocabulary)`, or `(b, t, n)`."""
        return self.decode(tokens, self.encode(mel), among)

    def begin_with(self, adapter: Mapping[str, Tensor]) -> None:
        """Take what was learned before, as `adapter` gave it. PolicyError names what is missing or misshapen."""
        for name, parameter in self._learned().items():
            if name not in adapter or adapter[name].shape != parameter.shape:
                raise PolicyError(
                    "is missing or has another shape.", field=name, hint="Give corrections of this model."
                )
            with torch.no_grad():
                parameter.copy_(adapter[name].float())

    def _learned(self) -> dict[str, nn.Parameter]:
        found: dict[str, nn.Parameter] = {}
        for name, layer in self._build.linears.items():
            found |= {f"{name}/a": layer.a, f"{name}/b": layer.b, f"{name}/bias": layer.bias}
        for name, norm in self._build.norms.items():
            found |= {f"{name}/gamma": norm.gamma, f"{name}/beta": norm.beta}
        return found

    def adapter(self) -> dict[str, Tensor]:
        """What was learned, float16: for each linear `NAME/a`, `NAME/b` and `NAME/bias`, for each norm its two
        vectors."""
        return {name: tensor.detach().half().cpu().contiguous() for name, tensor in self._learned().items()}
