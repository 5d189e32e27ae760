"""Pictures with exact masks, whoever made them: procedural scenes, label maps, COCO, and the
published sets that a folder is known by.

Whatever trains or measures a model reads pictures through `dataset.Dataset` alone, so that a
user's folder can stand wherever our own scenes do; `open_dataset` finds the reader. Training and
evaluation both need them, which is why they are a package of their own below both.
"""

from suresam.datasets.dataset import Dataset, Example, Mask
from suresam.datasets.opening import open_dataset
from suresam.datasets.origins import origins

__all__ = ["Dataset", "Example", "Mask", "open_dataset", "origins"]
