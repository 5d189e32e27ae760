import numpy as np
import pytest

from suresam.datasets.video_file import read_video_frame
from suresam.errors import ConfigurationError

av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")

X264 = {"bf": "3", "x264-params": "keyint=8:min-keyint=8:scenecut=0:bframes=3:b-adapt=0"}


def write(path, num_frames=20, codec="libx264", options=None, turned=0):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        if turned:
            stream.set_display_rotation(turned)
        for number in range(num_frames):
            pixels = np.zeros((32, 64, 3), np.uint8)
            pixels[:, : 3 * number] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", X264),
        ("libx264", {"x264-params": X264["x264-params"] + ":open-gop=1"}),
        ("mpeg4", {"g": "6"}),
    ],
)
def test_any_frame_is_the_one_that_playing_the_whole_video_shows(tmp_path, codec, options):
    path = write(tmp_path / "v.mp4", codec=codec, options=options)
    with av.open(str(path)) as container:
        played = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(played) == 20
    for number in reversed(range(20)):
        assert np.array_equal(read_video_frame(path, number), played[number])
        assert abs(int((played[number][0, :, 0] > 100).sum()) - 3 * number) <= 1


def test_a_video_is_turned_as_it_says(tmp_path):
    path = write(tmp_path / "v.mp4", 8, turned=90)
    image = read_video_frame(path, 7)
    assert image.shape == (64, 32, 3)
    # What is bright at the left is at the bottom after a quarter counterclockwise.
    assert image[-10:].min() > 150
    assert image[:10].max() < 50


def test_a_frame_that_is_not_there_is_refused(tmp_path):
    path = write(tmp_path / "v.mp4", 3)
    with pytest.raises(ConfigurationError, match=r"v\.mp4 has no frame 3, .* it has 3 frames"):
        read_video_frame(path, 3)


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path):
    path = tmp_path / "v.mp4"
    with pytest.raises(ConfigurationError, match=r"frame 0 of .*v\.mp4: No such file"):
        read_video_frame(path, 0)
    content = write(path, 3).read_bytes()
    path.write_bytes(content[:200])
    with pytest.raises(ConfigurationError, match=r"frame 0 of .*v\.mp4: Invalid data"):
        read_video_frame(path, 0)


def test_a_file_without_video_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ConfigurationError, match=r"a\.mp4 has no video stream"):
        read_video_frame(path, 0)
