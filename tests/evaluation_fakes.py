"""A picture, its targets and two fake members that can be asked about it."""

from types import SimpleNamespace

import numpy as np

from suresam.evaluation.predictor import BackbonePredictor
from suresam.evaluation.targets import Picture, Target
from suresam.segmentation.box_convention import OFFICIAL
from suresam.segmentation.fake import FakeBackbone


def rectangle_in(shape: tuple[int, int], x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[y1:y2, x1:x2] = True
    return mask


def member(name: str, input_size: int) -> BackbonePredictor:
    backbone = FakeBackbone(name, input_size=input_size)
    return BackbonePredictor(backbone, backbone)


MEMBERS = (member("fake-small", 64), member("fake-large", 128))

CONTESTANTS = [
    SimpleNamespace(
        manifest=SimpleNamespace(
            name=m.name, architecture=SimpleNamespace(d_model=1), box=OFFICIAL
        ),
        sha256=m.name,
        predictor=m,
    )
    for m in MEMBERS
]

PICTURE = Picture(
    "one",
    np.full((48, 64, 3), 10, np.uint8),
    (
        Target(0, 0, rectangle_in((48, 64), 5, 5, 30, 30)),
        Target(0, 1, rectangle_in((48, 64), 35, 10, 60, 40)),
    ),
)
