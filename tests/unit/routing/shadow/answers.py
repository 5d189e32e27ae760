"""Predictions of two members about one prompt."""

import numpy as np

from suresam.domain import HeadScores, ImageSize, Prediction

SIZE = ImageSize(8, 2)
LEFT, RIGHT, ALL = [1] * 8 + [0] * 8, [0] * 8 + [1] * 8, [1] * 16


def scores(expected_iou, **gains):
    return HeadScores({}, None, None, None, True, expected_iou=expected_iou, gain_by_member=gains)


def prediction(masks, best, heads):
    """The mask of that index has the highest predicted IoU."""
    predicted = [0.1 * (1 + i) for i in range(len(masks))]
    predicted[best] = 0.9
    return Prediction(
        size=SIZE,
        tokens=tuple(range(1, len(masks) + 1)),
        mask_bits=np.packbits(np.array(masks, np.uint8), axis=1),
        predicted_iou=tuple(predicted),
        stability=(1.0,) * len(masks),
        heads=heads,
    )


def small(gain=0.05, expected_iou=0.5):
    """It answers with the left half."""
    others = scores(0.1, huge=-1.0)
    return prediction((LEFT, RIGHT, ALL), 0, (scores(expected_iou, huge=gain), others, others))


def large(expected_iou=0.6):
    """It answers with everything, and has the left half, too."""
    others = scores(0.1)
    return prediction((RIGHT, ALL, LEFT), 1, (others, scores(expected_iou), others))
