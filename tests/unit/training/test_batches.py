import numpy as np
import pytest
import torch

from suresam.training.batches import draw_batch
from suresam.training.filling import fill_pool
from suresam.training.pool import PoolEntry


class OneSmallThing:
    """Pictures of which somebody labelled one small thing and nothing else."""

    size, max_targets = 256, 1

    def __len__(self) -> int:
        return 4

    def entry(self, index: int) -> PoolEntry:
        leaves = np.zeros((256, 256), np.uint8)
        leaves[10 + index : 22, 230:240] = 1
        leaf_object = np.full(256, -1, np.int16)
        leaf_object[1] = 0
        targets = np.zeros((1, 256), np.bool_)
        targets[0, 1] = True
        image = np.where(leaves[..., None] == 1, np.uint8(255), np.uint8(0)).repeat(3, axis=2)
        return PoolEntry(image, leaves, leaf_object, targets, np.ones(1, np.int8))

    def description(self) -> dict[str, str]:
        return {"kind": "pictures"}


@pytest.fixture
def sparse_pool(tmp_path):
    return fill_pool(tmp_path, [OneSmallThing()], workers=1)


@pytest.mark.parametrize("size", [128, 256])
def test_a_view_of_a_hardly_labelled_picture_shows_a_target(sparse_pool, size):
    rng = np.random.default_rng(0)
    for _ in range(20):
        batch = draw_batch(sparse_pool, size, images=4, prompts=2, rng=rng)
        assert ((batch.leaves == 1).sum((1, 2)) >= 24).all()
        assert (batch.click_truth.sum((2, 3)) > 0).all()
        for view, (click,) in enumerate(batch.clicks.long()):
            assert batch.leaves[view, click[1], click[0]] == 1


def test_the_batch_says_which_pixels_nobody_labelled(sparse_pool):
    batch = draw_batch(sparse_pool, 128, images=2, prompts=0, rng=np.random.default_rng(0))
    owner = batch.leaf_object.gather(1, batch.leaves.flatten(1)).view_as(batch.leaves)
    assert torch.equal(owner < 0, batch.leaves == 0)
