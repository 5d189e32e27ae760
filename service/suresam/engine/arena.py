"""Memory for image embeddings, taken once: slots that are written and read in place."""

import torch

from suresam.segmentation.backbone import ImageEmbedding

Form = tuple[tuple[torch.Size, torch.dtype], ...]
"""Shapes and dtypes of an embedding's tensors; embeddings of equal form fit the same slots."""


def form_of(embedding: ImageEmbedding) -> Form:
    """The form of an embedding."""
    return tuple((tensor.shape, tensor.dtype) for tensor in _tensors(embedding))


class Arena:
    """So many slots for embeddings like a given one, on its device.

    Reading is a view: a batch gathers its rows out of the slots, in one copy, when it stacks them.

    Args:
        example: an embedding.
        num_slots: how many.
    """

    def __init__(self, example: ImageEmbedding, num_slots: int) -> None:
        self._blocks = [t.new_empty((num_slots, *t.shape)) for t in _tensors(example)]

    def write(self, slot: int, embedding: ImageEmbedding) -> None:
        """Copy an embedding into a slot."""
        for block, tensor in zip(self._blocks, _tensors(embedding), strict=True):
            block[slot].copy_(tensor)

    def read(self, slot: int) -> ImageEmbedding:
        """The embedding in a slot; what is written there later shows through it."""
        image_embed, fine, middle = (block[slot] for block in self._blocks)
        return ImageEmbedding(image_embed, (fine, middle))


def _tensors(embedding: ImageEmbedding) -> tuple[torch.Tensor, ...]:
    return (embedding.image_embed, *embedding.high_res_feats)
