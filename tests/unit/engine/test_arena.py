import pytest
import torch

from suresam.engine.arena import Arena, page_locked_slots_within, slots_within
from suresam.segmentation.backbone import ImageEmbedding


def embedding_of(value, sizes=(4, 2, 1)):
    image_embed, fine, middle = (torch.full((size,), float(value)) for size in sizes)
    return ImageEmbedding(image_embed, (fine, middle))


@pytest.mark.parametrize("is_on_host", [False, True])
def test_every_slot_holds_its_own(is_on_host):
    arena = Arena(embedding_of(0), 2, is_on_host=is_on_host)
    arena.write(0, embedding_of(7))
    arena.write(1, embedding_of(8))
    for slot, value in enumerate((7, 8)):
        read = arena.read(slot)
        assert read.image_embed.tolist() == [value] * 4
        assert [t.tolist() for t in read.high_res_feats] == [[value] * 2, [value]]


def test_what_is_lent_is_the_embedding_itself_where_it_can_be_read_already():
    lent = Arena(embedding_of(0), 0).lend(given := embedding_of(7))
    assert lent.image_embed.data_ptr() == given.image_embed.data_ptr()


def test_as_many_slots_as_there_are_bytes_for():
    assert [slots_within(embedding_of(0), n) for n in (0, 27, 28, 83, 84)] == [0, 0, 1, 2, 3]


def test_page_locked_blocks_take_no_more_than_their_budget_when_each_is_rounded_up():
    """Sizes of 12, 8 and 4 bytes are rounded up to 16, 8 and 4; three slots would be four."""
    example = embedding_of(0, sizes=(3, 2, 1))
    for budget_bytes, slots in ((0, 0), (27, 0), (28, 1), (56, 2), (84, 2), (111, 2), (112, 4)):
        assert page_locked_slots_within(example, budget_bytes) == slots
