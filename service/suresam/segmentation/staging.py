"""Arrays on their way to the device: through pinned memory, on a stream of their own."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


class Staging:
    """Copies arrays to a device without holding up the host or what the device computes meanwhile.

    On CUDA an array is copied to pinned memory and from there on a copy stream; the stream that
    computes waits for it, the host does not, and can prepare the next one. On a CPU nothing is
    copied. The CUDA part was not yet run on a GPU.

    Args:
        device: where the arrays go.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._copies: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def put(self, array: NDArray[Any]) -> Tensor:
        """The array on the device, for the current stream. On a CPU it shares the memory."""
        tensor = torch.from_numpy(array)
        if self._copies is None:
            return tensor.to(self.device)
        pinned = tensor.pin_memory()
        with torch.cuda.stream(self._copies):
            moved = pinned.to(self.device, non_blocking=True)
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self._copies)
        # Or the allocator could hand its memory to a next copy while this stream still reads it.
        moved.record_stream(current)
        return moved
