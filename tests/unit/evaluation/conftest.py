from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from suresam.datasets import Example, Mask
from suresam.domain import ImageSize, Prediction, Prompt
from suresam.segmentation.backbone import ImageEmbedding
from suresam.segmenter import EmbeddedImage


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rectangle(x1: int, y1: int, x2: int, y2: int, shape: tuple[int, int] = (20, 20)) -> Mask:
    mask = np.zeros(shape, bool)
    mask[y1:y2, x1:x2] = True
    return mask


@dataclass(frozen=True)
class Examples:
    """A data set of what a test made."""

    examples: Sequence[Example]
    name: str = "made"

    @property
    def image_ids(self) -> list[str]:
        return [example.image_id for example in self.examples]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]


@dataclass
class Scripted:
    """Answers every prompt with the same masks and predicted IoUs, and notes what it was asked."""

    masks: Sequence[Mask]
    predicted_iou: Sequence[float]
    name: str = "scripted"
    asked: list[tuple[list[Prompt], bool, bool]] = field(default_factory=list)
    num_embedded: int = 0

    def embed(self, image: np.ndarray) -> EmbeddedImage:
        self.num_embedded += 1
        nothing = torch.zeros(1, 1, 1)
        size = ImageSize(image.shape[1], image.shape[0])
        return EmbeddedImage(size, ImageEmbedding(nothing, (nothing, nothing)))

    def ask(
        self,
        image: EmbeddedImage,
        prompts: Sequence[Prompt],
        *,
        multimask: bool,
        corners_only: bool = False,
    ) -> list[Prediction]:
        self.asked.append((list(prompts), multimask, corners_only))
        count = 3 if multimask else 1
        number = len(self.asked)
        bits = np.stack([np.packbits(mask.T.reshape(-1)) for mask in self.masks[:count]])
        logits = np.stack([np.full((4, 4), number + i / 4, np.float16) for i in range(count)])
        answer = Prediction(
            size=image.size,
            tokens=(1, 2, 3) if multimask else (0,),
            mask_bits=bits,
            predicted_iou=tuple(self.predicted_iou[:count]),
            stability=(1.0,) * count,
            entropy=(0.0,) * count,
            low_res_logits=logits,
        )
        return [answer] * len(prompts)
