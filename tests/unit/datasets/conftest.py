from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WriteFrame = Callable[[str, int], Path]
WriteMap = Callable[[str, list[list[int]]], Path]


@pytest.fixture
def write_frame(tmp_path: Path) -> WriteFrame:
    """Writes a grey JPEG, 4 pixels wide and 3 high."""

    def write(name: str, grey: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((3, 4, 3), grey, np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def write_map(tmp_path: Path) -> WriteMap:
    """Writes a palette PNG of these indices, whose colours tell nothing."""

    def write(name: str, indices: list[list[int]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("P", (len(indices[0]), len(indices)))
        image.putpalette([0, 0, 0] + [200, 0, 0] * 255)
        image.putdata([index for row in indices for index in row])
        image.save(path)
        return path

    return write
