import numpy as np
import pytest

from suresam.uncertainty.agreement import PAIRS
from suresam.uncertainty.answer_scores import COMPANY, answer_scores

PREDICTED = np.array([0.5, 0.9, 0.3, 0.7])
ENTROPY = np.array([0.05, 0.1, 0.2, 0.3])
# The pair's numbers as digits, so that 0.13 is the agreement of tokens 1 and 3.
AGREEMENT = np.array([one / 10 + other / 100 for one, other in PAIRS])
LOG_AREA = np.array([-1.0, -2.0, -3.0, -4.0])
DECODER = {
    "predicted_iou": PREDICTED,
    "entropy": ENTROPY,
    "area": np.exp(LOG_AREA) - 1e-3,
    "agreement": AGREEMENT,
}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        # Of token 1 the others are 3 and 2, in the order of their predicted IoU.
        (1, (0.9, 0.1, 0.7, 0.3, 0.5, 0.3, 0.2, 0.05, -2, -4, -3, -1, 0.13, 0.12, 0.01, 0.23)),
        (2, (0.3, 0.2, 0.9, 0.7, 0.5, 0.1, 0.3, 0.05, -3, -2, -4, -1, 0.12, 0.23, 0.02, 0.13)),
        (3, (0.7, 0.3, 0.9, 0.3, 0.5, 0.1, 0.2, 0.05, -4, -2, -3, -1, 0.13, 0.23, 0.03, 0.12)),
        # Token 0 stands beside the two best candidates, and agrees with itself.
        (0, (0.5, 0.05, 0.9, 0.7, 0.5, 0.1, 0.3, 0.05, -1, -2, -4, -1, 0.01, 0.03, 1.0, 0.13)),
    ],
)
def test_a_mask_stands_beside_the_others_in_the_order_of_their_predicted_iou(token, expected):
    found = answer_scores(DECODER)
    assert tuple(found) == COMPANY
    assert [values[token] for values in found.values()] == pytest.approx(expected)


def test_many_answers_are_what_each_is_alone():
    rng = np.random.default_rng(0)
    shapes = dict.fromkeys(("predicted_iou", "entropy", "area"), (5, 2, 4))
    shapes["agreement"] = (5, 2, 6)
    many = {name: rng.uniform(size=shape) for name, shape in shapes.items()}
    together = answer_scores(many)
    for place in np.ndindex(5, 2):
        alone = answer_scores({name: values[place] for name, values in many.items()})
        for name in COMPANY:
            assert together[name][place] == pytest.approx(alone[name])
