import torch

from suresam.segmentation.box_mask import draw_box_mask


def test_pixels_whose_middle_lies_in_the_box_are_inside():
    # Low-res pixels are 4 input pixels wide; their middles are at 2, 6, 10 and 14.
    mask = draw_box_mask(torch.tensor([[2.0, 5.0, 10.0, 9.9]]), input_size=16, low_res_size=4)
    assert mask.shape == (1, 1, 4, 4)
    assert mask.dtype == torch.float32
    assert mask[0, 0].tolist() == [
        [-4, -4, -4, -4],
        [4, 4, 4, -4],
        [-4, -4, -4, -4],
        [-4, -4, -4, -4],
    ]


def test_a_box_between_two_middles_still_draws_the_pixel_that_holds_it():
    mask = draw_box_mask(torch.tensor([[8.1, 8.1, 9.0, 9.0]]), 16, 4)
    assert (mask > 0).nonzero().tolist() == [[0, 0, 2, 2]]


def test_boxes_at_and_beyond_the_border_stay_in_the_picture():
    boxes = torch.tensor([[0.0, 0.0, 16.0, 16.0], [16.0, 16.0, 16.0, 16.0], [-9.0, 0.0, 99.0, 3.0]])
    filled = (draw_box_mask(boxes, 16, 4) > 0).sum((1, 2, 3))
    assert filled.tolist() == [16, 1, 4]


def test_rows_are_drawn_independently():
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [4.0, 4.0, 15.0, 12.0]])
    together = draw_box_mask(boxes, 16, 4)
    for row, box in zip(together, boxes, strict=True):
        assert torch.equal(row[None], draw_box_mask(box[None], 16, 4))


def test_no_boxes_give_no_masks():
    assert draw_box_mask(torch.zeros(0, 4), 16, 4).shape == (0, 1, 4, 4)
