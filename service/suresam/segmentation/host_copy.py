"""Tensors of a whole batch brought to the host in one copy, after which it waits once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def copy_to_host(groups: Sequence[Mapping[str, Tensor]]) -> list[dict[str, NDArray[Any]]]:
    """Groups of named tensors as arrays.

    On a device the bytes of all are joined there and cross in one copy to pinned memory; not yet
    run on a GPU. On a CPU the arrays share the tensors' memory.

    Args:
        groups: at least one tensor in all; of any dtypes that NumPy has, all on one device.
    """
    tensors = [tensor for group in groups for tensor in group.values()]
    if tensors[0].device.type == "cpu":
        return [{name: tensor.numpy() for name, tensor in group.items()} for group in groups]
    joined = join_bytes(tensors)
    host = torch.empty(joined.shape, dtype=torch.uint8, pin_memory=True)
    host.copy_(joined, non_blocking=True)
    torch.cuda.current_stream(joined.device).synchronize()
    arrays = iter(cut_bytes(host.numpy(), tensors))
    return [{name: next(arrays) for name in group} for group in groups]


def join_bytes(tensors: Sequence[Tensor]) -> Tensor:
    """The bytes of all tensors, one after the other: (N,) uint8 where they are."""
    return torch.cat([tensor.contiguous().flatten().view(torch.uint8) for tensor in tensors])


def cut_bytes(joined: NDArray[np.uint8], like: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Undo `join_bytes`.

    Args:
        joined: the bytes, on the host.
        like: tensors of the shapes and dtypes that were joined.

    Returns:
        Arrays with memory of their own: pinned memory is scarce, and one array that is kept must
        not keep all.
    """
    arrays, start = [], 0
    for tensor in like:
        end = start + tensor.numel() * tensor.element_size()
        dtype = np.dtype(str(tensor.dtype).removeprefix("torch."))
        arrays.append(joined[start:end].copy().view(dtype).reshape(tuple(tensor.shape)))
        start = end
    return arrays
