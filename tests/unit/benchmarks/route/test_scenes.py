"""Pictures whose clicks have a known meaning."""

import io

import numpy as np
from PIL import Image

from suresam.benchmarks.route.scenes import draw_true_pictures
from suresam.masks.rle import decode_rle
from suresam.scenes.scene import TEST_SEEDS, draw_scene

SIZE = 96


def test_every_click_lies_on_what_it_means():
    first, second = draw_true_pictures(2, SIZE, seed=3)
    assert [picture.aims[0].scene for picture in (first, second)] == [*TEST_SEEDS[3:5]]
    scene = draw_scene(TEST_SEEDS[3], SIZE)
    masks = [scene.mask(target) for target in range(len(scene.targets))]
    assert len(first.aims) == 12
    for aim in first.aims:
        truth = decode_rle(aim.truth)
        assert truth[int(aim.point.y), int(aim.point.x)]
        assert any(np.array_equal(truth, mask) for mask in masks)


def test_the_file_shows_the_scene():
    [picture] = draw_true_pictures(1, SIZE, seed=0)
    shown = np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB"), np.float64)
    scene = draw_scene(TEST_SEEDS[0], SIZE).image
    assert shown.shape == (picture.height, picture.width, 3) == scene.shape
    assert np.abs(shown - scene).mean() < 5


def test_equal_seeds_give_equal_pictures():
    [one], [other] = (draw_true_pictures(1, SIZE, 1) for _ in range(2))
    assert one.data == other.data
    for aim, again in zip(one.aims, other.aims, strict=True):
        assert (aim.point, aim.truth.counts) == (again.point, again.truth.counts)
