from pathlib import Path

import cv2
import numpy as np
import pytest

from suresam.cli import main
from suresam.scenes.scene import TEST_SEEDS, draw_scene


def test_the_album_holds_the_scenes_of_the_split_as_a_label_map_data_set(tmp_path: Path):
    arguments = ["scenes", "--out", str(tmp_path), "--count", "3", "--size", "96"]
    assert main([*arguments, "--split", "test", "--first", "5"]) == 0
    seed = TEST_SEEDS[6]
    scene = draw_scene(seed, 96)
    picture = cv2.imread(str(tmp_path / "images" / f"{seed}.png"))[..., ::-1]
    parts = cv2.imread(str(tmp_path / "segments" / f"{seed}_1.png"), cv2.IMREAD_UNCHANGED)
    objects = cv2.imread(str(tmp_path / "segments" / f"{seed}_2.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(picture, scene.image)
    assert np.array_equal(parts, scene.leaves.astype(np.uint16) + 1)
    assert np.array_equal(objects, scene.leaf_object[scene.leaves].astype(np.uint16) + 1)
    assert len(list((tmp_path / "images").iterdir())) == 3
    sheet = cv2.imread(str(tmp_path / "contact.png"))
    assert sheet.shape == (2 * 96 + 6, 3 * (96 + 6), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "20"], "--size=20 must be 64 to 2048 pixels"),
        (["--count", "0"], "--count=0 must be at least 1"),
        (["--first", "-1"], "not among the 1000000000 of the training split"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_limit(tmp_path, capsys, options, message):
    assert main(["scenes", "--out", str(tmp_path / "album"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "album").exists()


@pytest.mark.parametrize(
    ("out", "reason"),
    [("file", "File exists"), ("file/b", "Not a directory"), ("half", "File exists")],
)
def test_a_folder_that_cannot_be_written_is_one_line_and_exit_2(tmp_path, capsys, out, reason):
    (tmp_path / "file").touch()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "segments").touch()
    assert main(["scenes", "--out", str(tmp_path / out), "--count", "1", "--size", "64"]) == 2
    assert f"cannot write into {tmp_path / out}: {reason}" in capsys.readouterr().err
