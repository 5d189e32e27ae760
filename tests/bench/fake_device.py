"""The device of the checks: it takes what its cost table says and computes next to nothing.

So the server is measured and not a model. A full launch of either stage takes 20 ms.
"""

import torch

from suresam.segmentation.fake import FakeBackbone, FakeCosts

LAUNCH_MS = 20.0
FIXED_MS = 4.0
ENCODE_ROWS = 4

DEADLY_RED = 203
"""A picture whose first pixel has this red value kills the worker that decodes a prompt on it."""


def fake_device(decode_rows: int) -> FakeBackbone:
    """A device whose full decode launch has so many rows."""
    torch.set_num_threads(1)  # for want of work the others would spin on our cores
    costs = FakeCosts(
        encode_ms=FIXED_MS,
        encode_row_ms=(LAUNCH_MS - FIXED_MS) / ENCODE_ROWS,
        decode_ms=FIXED_MS,
        decode_row_ms=(LAUNCH_MS - FIXED_MS) / decode_rows,
    )
    # Red values that pictures cannot have: nothing but the deadly one is meant to fail.
    return FakeBackbone("fake", costs, poison=-1, nan=-1, deadly=DEADLY_RED)
