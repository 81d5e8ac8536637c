"""Small encoders, made once; `tests.support` importable however pytest was started."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from policies.rewards.backbone import Backbone  # noqa: E402
from tests.support.reward_models import tiny_decoder, tiny_encoder  # noqa: E402


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    torch.set_num_threads(1)
    return tiny_encoder(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    torch.set_num_threads(1)
    return tiny_decoder(tmp_path_factory.mktemp("llama"))
