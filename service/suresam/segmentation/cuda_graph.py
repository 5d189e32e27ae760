"""A function's launches on CUDA, captured once and replayed as one. Not yet run on a GPU."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_RUNS_BEFORE = 3
"""What is done in first runs (choosing algorithms, taking workspaces) must not be captured."""


class CudaGraph:
    """Replays a function on tensors of the shapes and dtypes that it was captured with.

    A replay reads and writes the same memory each time, so what it is given is copied in and what
    it made is copied out: the caller's results outlive the next replay.

    Args:
        run: launches on CUDA without waiting for the device.
        example: its arguments.
    """

    def __init__(self, run: Callable[..., tuple[Tensor, ...]], example: Sequence[Tensor]) -> None:
        self._given = [tensor.clone() for tensor in example]
        stream = torch.cuda.Stream(example[0].device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(example[0].device))
        with torch.cuda.stream(stream):
            for _ in range(_RUNS_BEFORE):
                run(*self._given)
        torch.cuda.current_stream(example[0].device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may allocate meanwhile; only this one's calls must be fit for capture.
        with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
            self._made = run(*self._given)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The function's results for other values, in memory of their own."""
        for memory, tensor in zip(self._given, tensors, strict=True):
            memory.copy_(tensor)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._made)
