"""The device of the checks: it takes what its cost table says and computes next to nothing.

So the server is measured and not a model. A full launch takes 20 ms of either stage.
"""

import torch

from suresam.segmentation.fake import FakeBackbone, FakeCosts

COSTS = FakeCosts(encode_ms=8.0, encode_row_ms=3.0, decode_ms=4.0, decode_row_ms=1.0)

DEADLY_RED = 203
"""A picture whose first pixel has this red value kills the worker that decodes a prompt on it."""


def fake_device() -> FakeBackbone:
    torch.set_num_threads(1)  # for want of work the others would spin on our cores
    # Red values that pictures cannot have: nothing but the deadly one is meant to fail.
    return FakeBackbone("fake", COSTS, poison=-1, nan=-1, deadly=DEADLY_RED)
