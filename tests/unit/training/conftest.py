from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from suresam.training.filling import fill_pool
from suresam.training.recipe import Recipe
from suresam.training.scene_source import SceneSource

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
    fill_pool(folder, [SceneSource(first_seed=0, count=6, size=128)], workers=1)
    return folder


@pytest.fixture
def label_maps(tmp_path: Path) -> Callable[[dict[str, list[np.ndarray]]], Path]:
    """Writes a folder of pictures with one or more label maps each, and gives its path.

    The pictures are of one colour, whose blue counts them from 0.
    """

    def write(maps: dict[str, list[np.ndarray]]) -> Path:
        folder = tmp_path / "pictures"
        (folder / "images").mkdir(parents=True)
        (folder / "segments").mkdir()
        for number, (image_id, annotators) in enumerate(maps.items()):
            image = np.full((*annotators[0].shape, 3), (200, 100, number), np.uint8)
            Image.fromarray(image).save(folder / "images" / f"{image_id}.png")
            for k, labels in enumerate(annotators):
                path = folder / "segments" / f"{image_id}_{k}.png"
                Image.fromarray(labels.astype(np.uint8)).save(path)
        return folder

    return write
