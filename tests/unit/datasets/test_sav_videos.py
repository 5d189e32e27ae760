import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError
from suresam.masks.rle import encode_rle

av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")

HEIGHT, WIDTH, NUM_FRAMES = 32, 48, 10


def runs(left: int, right: int) -> dict[str, Any]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, left:right] = True
    return {"size": [HEIGHT, WIDTH], "counts": encode_rle(mask).counts}


MASKLETS = [[runs(0, 10), runs(5, 20)], [runs(1, 11), runs(0, 0)], [runs(2, 12), runs(7, 22)]]


def write_video(folder: Path, video: str, masklets: Any = MASKLETS) -> Path:
    """A video whose frame K is of grey 20 K, and its masklets."""
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(folder / f"{video}.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(NUM_FRAMES):
            pixels = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    content = {"video_id": video, "video_frame_count": float(NUM_FRAMES), "masklet": masklets}
    file = folder / f"{video}_manual.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def root(tmp_path):
    write_video(tmp_path / "SA-V/sav_train/sav_000", "sav_000002")
    write_video(tmp_path / "SA-V/sav_train/sav_001", "sav_001001", MASKLETS[:1])
    (tmp_path / "SA-V/sav_train/sav_000/sav_000002_auto.json").write_text("not read")
    return tmp_path / "SA-V"


def test_annotated_frame_k_is_frame_4k_of_the_video(root):
    data = open_dataset(f"{root}:sav_train")
    assert data.name == "SA-V/sav_train"
    assert list(data.image_ids) == [
        "sav_000002/00000", "sav_000002/00004", "sav_000002/00008", "sav_001001/00000",
    ]  # fmt: skip
    for index, number in enumerate((0, 4, 8)):
        example = data[index]
        assert example.image.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(example.image.astype(int) - 20 * number).max() <= 4  # the codec is lossy
    first, second = data[2].masks
    assert [np.flatnonzero(mask[0]).tolist() for mask in (first, second)] == [
        list(range(2, 12)), list(range(7, 22)),
    ]  # fmt: skip


def test_a_hidden_object_is_no_mask(root):
    [mask] = open_dataset(f"{root}:sav_train")[1].masks
    assert np.flatnonzero(mask[0]).tolist() == list(range(1, 11))


def test_a_part_of_the_split_can_be_named_by_its_folder(root):
    data = open_dataset(f"{root}/sav_train/sav_001")
    assert (data.name, list(data.image_ids)) == ("sav_train/sav_001", ["sav_001001/00000"])
    assert list(open_dataset(f"{root}/sav_train/sav_000:1").image_ids) == ["sav_000002/00004"]


def test_videos_need_no_folders_of_parts_and_leave_other_splits_be(tmp_path, write_map):
    write_video(tmp_path / "SA-V/sav_train", "sav_000002")
    write_map("SA-V/sav_val/Annotations_6fps/v/000/00000.png", [[1]])
    (tmp_path / "SA-V/sav_val/JPEGImages_24fps").mkdir()
    with pytest.raises(ConfigurationError, match=r"choose .*SA-V:sav_train or .*SA-V:sav_val$"):
        open_dataset(str(tmp_path / "SA-V"))
    data = open_dataset(f"{tmp_path}/SA-V:sav_train")
    assert (data.name, len(data)) == ("SA-V/sav_train", 3)


def test_listing_reads_no_video(root):
    for path in root.rglob("*.mp4"):
        path.write_bytes(b"")
    data = open_dataset(f"{root}:sav_train")
    assert len(data) == 4
    with pytest.raises(ConfigurationError, match=r"cannot read frame 0 of .*sav_000002\.mp4: Inv"):
        data[0]


def test_frames_without_objects_and_hidden_files_are_not_listed(tmp_path):
    write_video(tmp_path / "sav_train", "v", [[], [runs(0, 3)]])
    (tmp_path / "sav_train" / "._v_manual.json").write_bytes(b"\x00")
    assert list(open_dataset(str(tmp_path / "sav_train")).image_ids) == ["v/00004"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "v_manual.json is not JSON"),
        ("[]", "is not of SA-V: it needs a list 'masklet'"),
        ('{"masklet": [{}]}', "a list for every frame"),
        ('{"masklet": []}', "sav_train has no masks: all of its .* have no masklet"),
    ],
)
def test_json_of_another_kind_is_refused(tmp_path, text, message):
    write_video(tmp_path / "sav_train", "v").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        open_dataset(str(tmp_path / "sav_train"))


@pytest.mark.parametrize(
    ("masklet", "message"),
    [
        ({"size": [8, 6], "counts": "T1"}, r"object 0 of v/00000: .* of 6 x 8 pixels, .* 48 x 32"),
        ({"size": [HEIGHT, WIDTH], "counts": "T1"}, "do not fill a mask of 32 x 48"),
        (7, "neither polygons nor run lengths"),
    ],
)
def test_a_masklet_that_does_not_fit_is_refused_when_it_is_read(tmp_path, masklet, message):
    write_video(tmp_path / "sav_train", "v", [[masklet]])
    data = open_dataset(str(tmp_path / "sav_train"))
    with pytest.raises(ConfigurationError, match=message):
        data[0]


def test_more_masklets_than_the_video_has_frames_for_are_refused_when_read(tmp_path):
    write_video(tmp_path / "sav_train", "v", MASKLETS + MASKLETS[:1])
    data = open_dataset(str(tmp_path / "sav_train"))
    with pytest.raises(ConfigurationError, match=r"v\.mp4 has no frame 12, .* it has 10 frames"):
        data[3]


def test_masklets_without_their_video_are_refused(root):
    (root / "sav_train/sav_000/sav_000002.mp4").unlink()
    with pytest.raises(ConfigurationError, match=r"has no video: there is no .*sav_000002\.mp4"):
        open_dataset(str(root))


def test_two_videos_of_one_name_are_refused(root):
    write_video(root / "sav_train/sav_001", "sav_000002")
    with pytest.raises(ConfigurationError, match="have the same id"):
        open_dataset(str(root))


def test_without_pyav_the_user_is_told_what_to_install(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigurationError, match=r"need av: .*pip install -e '\.\[video\]'"):
        open_dataset(str(root))
