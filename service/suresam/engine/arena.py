"""Memory for image embeddings, taken once: slots that are written and read in place."""

import torch

from suresam.segmentation.backbone import ImageEmbedding

Form = tuple[tuple[torch.Size, torch.dtype], ...]
"""Shapes and dtypes of an embedding's tensors; embeddings of equal form fit the same slots."""


def form_of(embedding: ImageEmbedding) -> Form:
    """The form of an embedding."""
    return tuple((tensor.shape, tensor.dtype) for tensor in _tensors(embedding))


def slots_within(example: ImageEmbedding, budget_bytes: int) -> int:
    """Slots for embeddings like a given one that fit into a budget."""
    return budget_bytes // example.size_bytes


def page_locked_slots_within(example: ImageEmbedding, budget_bytes: int) -> int:
    """Slots of page-locked host memory that fit into a budget: a power of two.

    torch rounds every such block up to a power of two. So there are as many slots as leave it
    nothing to round, or the blocks would take up to twice the budget.
    """
    slot_bytes = sum(_power_of_two_from(t.numel() * t.element_size()) for t in _tensors(example))
    num_slots = budget_bytes // slot_bytes
    return 1 << (num_slots.bit_length() - 1) if num_slots else 0


class Arena:
    """So many slots for embeddings like a given one.

    Reading is a view: a batch gathers its rows out of the slots, in one copy, when it stacks them.
    On CUDA nobody waits for a copy into or out of a slot: all run in the order in which they were
    asked for, as long as one thread asks, on one stream.

    Args:
        example: an embedding.
        num_slots: how many.
        is_on_host: in host memory, page-locked where the example is on CUDA; otherwise on the
            example's device.
    """

    def __init__(
        self, example: ImageEmbedding, num_slots: int, *, is_on_host: bool = False
    ) -> None:
        self._blocks = [
            torch.empty((num_slots, *t.shape), dtype=t.dtype, pin_memory=t.is_cuda)
            if is_on_host
            else t.new_empty((num_slots, *t.shape))
            for t in _tensors(example)
        ]
        self._views: dict[int, ImageEmbedding] = {}

    def write(self, slot: int, embedding: ImageEmbedding) -> None:
        """Copy an embedding into a slot."""
        for block, tensor in zip(self._blocks, _tensors(embedding), strict=True):
            block[slot].copy_(tensor, non_blocking=True)

    def read(self, slot: int) -> ImageEmbedding:
        """The embedding in a slot; what is written there later shows through it."""
        view = self._views.get(slot)
        if view is None:
            image_embed, fine, middle = (block[slot] for block in self._blocks)
            view = self._views[slot] = ImageEmbedding(image_embed, (fine, middle))
        return view

    def lend(self, embedding: ImageEmbedding) -> ImageEmbedding:
        """An embedding where these slots are, without a slot; itself if it is there already."""
        device = self._blocks[0].device
        image_embed, fine, middle = (
            tensor.to(device, non_blocking=True) for tensor in _tensors(embedding)
        )
        return ImageEmbedding(image_embed, (fine, middle))


def _power_of_two_from(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _tensors(embedding: ImageEmbedding) -> tuple[torch.Tensor, ...]:
    return (embedding.image_embed, *embedding.high_res_feats)
