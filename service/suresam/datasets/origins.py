"""Which pictures of a data set are no independent sample."""

from suresam.datasets.dataset import Dataset
from suresam.datasets.frames import Frames


def origins(dataset: Dataset) -> dict[str, str]:
    """By image id, what a picture was taken from: the video of a frame, or else the picture itself.

    Whoever resamples pictures, or holds some of them out, keeps those of one origin together.
    """
    if isinstance(dataset, Frames):
        return dict(zip(dataset.image_ids, dataset.videos, strict=True))
    return {image_id: image_id for image_id in dataset.image_ids}
