"""Single frames of a video file, decoded with PyAV, which only some installations have."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suresam.errors import ConfigurationError


def require_video_reader(path: Path) -> None:
    """Check that videos can be read.

    Args:
        path: what is to be read.

    Raises:
        ConfigurationError: PyAV is not installed; the message says how to.
    """
    try:
        import av  # noqa: F401  (only videos need it)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the videos in {path} need {error.name}: `make setup` in a checkout, or there "
            f".venv/bin/pip install -e '.[video]'"
        ) from None


def read_video_frame(path: Path, number: int) -> NDArray[np.uint8]:
    """One frame of a file's first video stream.

    Frames are counted in the order in which they are shown. The whole file is looked through for
    that, but only decoded from the key frame before on.

    Args:
        path: a format that ffmpeg knows.
        number: of the frame, from 0 on.

    Returns:
        RGB uint8 (H, W, 3), turned as the file says.

    Raises:
        ConfigurationError: missing, damaged, without video, or with fewer frames.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ConfigurationError(f"{path} has no video stream")
            stream = container.streams.video[0]
            packets = [
                (packet.pts, packet.dts, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.pts is not None and not packet.is_discard
            ]
            times = sorted(shown for shown, _, _ in packets)
            if number >= len(times):
                raise ConfigurationError(
                    f"{path} has no frame {number}, counted from 0: it has {len(times)} frames"
                )
            wanted = times[number]
            # Not the wanted time itself: a seek goes by the order of decoding, and would land on a
            # key frame that is decoded before the wanted frame's time and shown after it.
            starts = [
                (shown, shown if decoded is None else decoded)
                for shown, decoded, is_key in packets
                if is_key and shown <= wanted
            ]
            if starts:
                container.seek(max(starts)[1], stream=stream)
            for frame in container.decode(stream):
                if frame.pts == wanted:
                    turns = round(frame.rotation / 90)  # counterclockwise, as NumPy's
                    pixels = frame.to_ndarray(format="rgb24")
                    return np.ascontiguousarray(np.rot90(pixels, turns), np.uint8)
    except av.FFmpegError as error:
        raise ConfigurationError(
            f"cannot read frame {number} of {path}: {error.strerror}"
        ) from error
    raise ConfigurationError(f"cannot read frame {number} of {path}: it is damaged")
