import threading

import pytest
import torch

from suresam.training.batches import Batch
from suresam.training.feed import Drawn, Feed

CPU = torch.device("cpu")


def _drawn(step: int, size: int) -> Drawn:
    return Drawn(Batch(*(torch.full((1,), float(step * 1000 + size)) for _ in range(7))), step)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_every_step_gets_its_own_batch_whoever_drew_it(ahead):
    feed = Feed(_drawn, CPU, ahead)
    taken = [feed.take(step, lambda at: 128 if at < 3 else 256) for step in range(6)]
    feed.close()
    assert [drawn.seed for drawn in taken] == list(range(6))
    assert [drawn.batch.pixels.item() for drawn in taken] == [
        128, 1128, 2128, 3256, 4256, 5256,
    ]  # fmt: skip


def test_later_batches_are_drawn_while_a_step_runs():
    begun = {step: threading.Event() for step in range(4)}

    def draw(step: int, size: int) -> Drawn:
        begun[step].set()
        return _drawn(step, size)

    feed = Feed(draw, CPU, ahead=2)
    feed.take(0, lambda at: 128)
    assert begun[1].wait(60)
    assert begun[2].wait(60)
    assert not begun[3].is_set()
    feed.close()


def test_an_error_in_drawing_reaches_the_step_that_needs_it():
    def draw(step: int, size: int) -> Drawn:
        if step == 1:
            raise ValueError("scene 7 is broken")
        return _drawn(step, size)

    feed = Feed(draw, CPU, ahead=1)
    feed.take(0, lambda at: 128)
    with pytest.raises(ValueError, match="scene 7"):
        feed.take(1, lambda at: 128)
    feed.close()


@pytest.mark.parametrize("ahead", [0, 3])
def test_another_stage_gets_batches_of_its_own(ahead):
    stage = 1
    feed = Feed(lambda step, size: _drawn(step, stage * size), CPU, ahead)
    feed.take(0, lambda at: 10)
    feed.forget()
    stage = 2
    taken = [feed.take(step, lambda at: 10).batch.pixels.item() for step in range(3)]
    feed.close()
    assert taken == [20, 1020, 2020]
