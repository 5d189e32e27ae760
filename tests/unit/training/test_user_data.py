from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from suresam.errors import ConfigurationError
from suresam.training.filling import fill_pool, num_empty
from suresam.training.user_data import open_user_data, picture_entry


def halves(left: int, right: int, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    labels = np.full(shape, left)
    labels[:, shape[1] // 2 :] = right
    return labels


def opened(path: Path, hold_out: float = 0.0, seed: int = 0):
    return open_user_data([path], None, 32, hold_out, seed)


def entries(data) -> list:
    [source] = data.sources
    return [source.entry(i) for i in range(len(source))]


def test_a_label_map_becomes_a_square_entry_with_its_exact_halves(label_maps):
    data = opened(label_maps({"a": [halves(1, 2)]}))
    [entry] = entries(data)
    assert entry.image.shape == (32, 32, 3)
    assert (entry.image == (200, 100, 0)).all()
    masks = [entry.mask(i) for i in range(len(entry.targets))]
    assert sorted(mask[0, 0] for mask in masks) == [False, True]
    assert all(mask.sum() == 16 * 32 for mask in masks)
    assert (entry.leaf_object[np.unique(entry.leaves)] >= 0).all()


def test_pixels_that_nobody_labelled_are_no_target_and_have_no_object(label_maps):
    data = opened(label_maps({"a": [halves(0, 7)]}))
    [entry] = entries(data)
    assert len(entry.targets) == 1
    assert not entry.mask(0)[:, :16].any()
    assert (entry.leaf_object[entry.leaves[:, :16]] < 0).all()
    assert (entry.leaf_object[entry.leaves[:, 16:]] == 0).all()


def test_two_annotators_are_two_entries_of_one_picture(label_maps):
    both = [halves(1, 2), halves(3, 3)]
    data = opened(label_maps({"a": both}))
    first, second = entries(data)
    assert np.array_equal(first.image, second.image)
    assert (len(first.targets), len(second.targets)) == (2, 1)


def test_pictures_are_held_out_whole_with_all_their_annotators(label_maps):
    maps = {f"p{k}": [halves(1, 2), halves(1, 1)] for k in range(10)}
    data = opened(label_maps(maps), hold_out=0.3)
    trained = {entry.image[0, 0, 2] for entry in entries(data)}
    held = [data.held_out[i] for i in range(len(data.held_out))]
    kept = {example.image[0, 0, 2] for example in held}
    assert len(kept) == 3
    assert len(held) == 6
    assert len(entries(data)) == 14
    assert not trained & kept
    assert len(set(data.held_out.image_ids)) == 3
    assert [example.image_id for example in held] == list(data.held_out.image_ids)


def test_a_split_of_a_published_data_set_is_held_out_by_its_videos(tmp_path):
    for video in "abcde":
        for frame in range(3):
            for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
                path = tmp_path / "MOSE" / "train" / kind / video / f"{frame:05d}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = halves(0, 1).astype(np.uint8)
                Image.fromarray(pixels if suffix == "png" else np.stack([pixels] * 3, 2)).save(path)
    path = tmp_path / "MOSE:train"
    data = open_user_data([path], None, 32, 0.4, 0)
    held = {image_id.split("/")[1] for image_id in data.held_out.image_ids}
    assert len(held) == 2
    assert len(data.held_out) == 6
    assert len(data.sources[0]) == 9


def test_the_same_pictures_are_held_out_for_a_seed_and_others_for_another(label_maps):
    maps = {f"p{k}": [halves(1, 2)] for k in range(20)}
    folder = label_maps(maps)
    ids = [tuple(opened(folder, 0.2, seed).held_out.image_ids) for seed in (0, 0, 1)]
    assert ids[0] == ids[1]
    assert set(ids[0]) != set(ids[2])


@pytest.mark.parametrize(("share", "held_out"), [(0.0, 0), (0.01, 1), (0.99, 2)])
def test_at_least_one_picture_is_held_out_and_one_trained_on(label_maps, share, held_out):
    folder = label_maps({f"p{k}": [halves(1, 2)] for k in range(3)})
    assert len(opened(folder, share).held_out) == held_out


def test_a_single_picture_is_trained_on(label_maps):
    data = opened(label_maps({"a": [halves(1, 2)]}), 0.5)
    assert (len(data.sources[0]), len(data.held_out)) == (1, 0)


def test_a_picture_with_specks_only_is_left_out_and_counted(label_maps, tmp_path):
    speck = np.zeros((400, 600), np.int64)
    speck[5:8, 5:8] = 1
    folder = label_maps({"speck": [speck], "whole": [halves(1, 2)]})
    pool = fill_pool(tmp_path / "pool", opened(folder).sources, workers=1)
    assert (len(pool), num_empty(tmp_path / "pool")) == (1, 1)


def test_an_unreadable_picture_is_named_with_its_reason(label_maps, tmp_path):
    folder = label_maps({"good": [halves(1, 2)], "bad": [halves(1, 2)]})
    (folder / "images" / "bad.png").write_bytes(b"nonsense")
    with pytest.raises(ConfigurationError, match=r"1 of 2 cannot be used: .*bad\.png"):
        fill_pool(tmp_path / "pool", opened(folder).sources, workers=1)


def test_a_resized_picture_is_what_sam_2s_preprocessing_sees():
    from torch import from_numpy
    from torch.nn.functional import interpolate

    from suresam.datasets import Example

    image = np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8)
    entry = picture_entry(Example("a", image, [np.ones((90, 150), np.bool_)]), 32)
    pixels = from_numpy(image).permute(2, 0, 1)[None].float()
    expected = interpolate(pixels, (32, 32), mode="bilinear", antialias=True)[0]
    difference = np.abs(entry.image - expected.permute(1, 2, 0).numpy())
    assert difference.max() <= 1  # uint8 rounds, twice


def test_held_out_pictures_can_be_reduced(label_maps):
    from dataclasses import replace

    folder = label_maps({f"p{k}": [halves(0, 2)] for k in range(2)})
    example = replace(opened(folder, 0.5).held_out, longest=30)[0]
    assert example.image.shape == (20, 30, 3)
    [mask] = example.masks
    assert mask.sum() == 20 * 15


@pytest.mark.parametrize(
    ("path", "images", "hold_out", "message"),
    [
        ("absent", None, 0.1, "no data at absent: --data takes a folder, a split"),
        ("scenes:5", None, 0.1, "no data at scenes:5"),  # those are the test scenes
        ("absent", Path("pictures"), 0.1, "--images needs exactly one COCO .json"),
        ("absent", None, 1.0, "--hold-out must be at least 0 and below 1, got 1"),
        ("absent", None, -0.1, "--hold-out must be"),
    ],
)
def test_what_cannot_be_done_is_refused(path, images, hold_out, message):
    with pytest.raises(ConfigurationError, match=message):
        open_user_data([Path(path)], images, 32, hold_out, 0)


def test_one_place_twice_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="names one place twice"):
        open_user_data([tmp_path, tmp_path / "." / "x" / ".."], None, 64, 0.1, 0)
