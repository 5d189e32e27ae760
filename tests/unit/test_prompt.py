import numpy as np
import pytest

from suresam.domain import Box, Point, Prompt
from suresam.errors import InvalidPrompt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": (1, 1)}, r"points=\(1, 1\) must be a sequence of \(x, y\), as in \[\(280, 160"),
        ({"points": 7}, "points=7 must be a sequence of"),
        ({"points": [(1, 2, 3)]}, r"points=\[\(1, 2, 3\)\] must be"),
        ({"points": [(1, 2)], "labels": 1}, "labels=1 must be a sequence of 0 and 1"),
        ({"box": (1, 2, 3)}, r"box=\(1, 2, 3\) must be \(x1, y1, x2, y2\)"),
        ({"points": range(1000)}, r"points=range\(0, 1000\) must be"),
    ],
)
def test_what_is_no_sequence_of_numbers_is_told_with_its_name(arguments, message):
    with pytest.raises(InvalidPrompt, match=message):
        Prompt(**arguments)


def test_a_long_wrong_value_is_told_in_part():
    with pytest.raises(InvalidPrompt) as caught:
        Prompt(points=[1] * 1000)
    assert len(caught.value.message) < 140


def test_any_sequences_will_do():
    prompt = Prompt(points=np.array([[1, 2]]), labels=iter([0]), box=[1, 2, 3, 4])
    assert (prompt.points, prompt.labels) == ((Point(1, 2),), (0,))
    assert prompt.box == Box(1, 2, 3, 4)
