from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from suresam.training.pool import draw_pool
from suresam.training.recipe import Recipe

TINY = {
    "architecture": {
        "input_size": 128,
        "embed_dim": 8,
        "stages": [1, 1, 2, 1],
        "global_att_blocks": [3],
        "window_spec": [8, 4, 8, 4],
        "d_model": 32,
        "fpn_top_down_levels": [0, 1, 2, 3],
        "decoder_num_heads": 2,
        "decoder_mlp_dim": 32,
        "iou_head_hidden_dim": 16,
    },
    "scenes": 6,
    "scene_size": 128,
    "contrast_pixels": 32,
    "encoder": {"steps": 2, "images": 2},
    "joint": {
        "steps": 2,
        "sizes": [[0.0, 128]],
        "images": 2,
        "prompts": 4,
        "corrections_from": 0.0,
    },
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_recipe() -> Recipe:
    return Recipe.from_dict(TINY)


@pytest.fixture(scope="session")
def tiny_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_pool(folder, first_seed=0, count=6, size=128, workers=1)
    return folder
