"""A function of batched tensors, compiled for some numbers of rows and eager for all others."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from suresam.errors import ConfigurationError
from suresam.segmentation.cuda_graph import CudaGraph

logger = logging.getLogger(__name__)

Launch = Callable[..., tuple[Tensor, ...]]
"""Takes and returns tensors (B, ...)."""


class CompiledRows:
    """Compiles a function for the numbers of rows that it meets while `compiling`.

    Later a batch is padded with copies of its first row up to the next number that was compiled,
    if that is at most twice as many; otherwise it runs eagerly. Rows do not see each other, so the
    padding changes nothing. Prompts are never padded, because that would.

    On CUDA the shapes met while compiling are also captured as CUDA graphs. They are captured here
    and not by `torch.compile`'s modes, since those keep their graphs for the thread that made
    them, and the device's worker may be replaced by a new thread. Not yet run on a GPU.

    Args:
        name: for the log.
        run: the function; all its tensors have the rows as first axis.
        any_length: position of the argument whose second axis may have any length from 2 on.
    """

    def __init__(self, name: str, run: Launch, any_length: int | None = None) -> None:
        self._name = name
        self._run = run
        self._any_length = any_length
        self._compiled: dict[int, Launch] = {}
        self._graphs: dict[tuple[torch.Size, ...], CudaGraph] = {}
        self._is_compiling = False

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Within it, what is not compiled yet for a number of rows is, which takes a while."""
        self._is_compiling = True
        try:
            yield
        finally:
            self._is_compiling = False

    def padded(self, rows: int) -> int:
        """The number of rows that a batch of so many runs with."""
        return min((size for size in self._compiled if rows <= size <= 2 * rows), default=rows)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run on (B, ...) tensors.

        Raises:
            ConfigurationError: while compiling, if that failed: there is no compiler, say.
        """
        rows = len(tensors[0])
        if self._is_compiling and rows not in self._compiled:
            self._compile(tensors)
        bucket = self.padded(rows)
        if bucket not in self._compiled:
            return self._run(*tensors)
        padded = [_pad(tensor, bucket) for tensor in tensors]
        return tuple(output[:rows] for output in self._launch(bucket, padded))

    def _compile(self, tensors: Sequence[Tensor]) -> None:
        rows = len(tensors[0])
        logger.info("%s of %d rows: compiling", self._name, rows)
        started = time.monotonic()
        # Each its own entry: what was compiled for one number of rows is never looked at, nor
        # counted against the limit on recompilations, for another.
        compiled: Launch = torch.compile(  # type: ignore[call-overload]  # not in torch's own types
            self._run, dynamic=False, fullgraph=True, isolate_recompiles=True
        )
        example = [_pad(tensor, rows) for tensor in tensors]
        if self._any_length is not None:
            torch._dynamo.mark_dynamic(example[self._any_length], 1)
        try:
            compiled(*example)
        except torch._dynamo.exc.TorchDynamoException as error:
            # The first line may only say which backend raised what the second one tells.
            reason = " ".join(str(error).split("\n")[:2]).strip()
            raise ConfigurationError(f"compile: {self._name}: {reason}") from error
        self._compiled[rows] = compiled
        seconds = time.monotonic() - started
        logger.info("%s of %d rows: compiled in %.1f s", self._name, rows, seconds)

    def _launch(self, bucket: int, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        shapes = tuple(tensor.shape for tensor in tensors)
        compiled = self._compiled[bucket]
        if self._is_compiling and tensors[0].is_cuda and shapes not in self._graphs:
            self._graphs[shapes] = CudaGraph(compiled, tensors)
        if (graph := self._graphs.get(shapes)) is not None:
            return graph(*tensors)
        # A guard that fails must not compile again while callers wait.
        with torch.compiler.set_stance("eager_on_recompile"):
            return compiled(*tensors)


def _pad(tensor: Tensor, rows: int) -> Tensor:
    """To so many rows, with one memory layout, of which compiled code knows only one."""
    if len(tensor) == rows:
        return tensor.contiguous()
    missing = tensor[:1].expand(rows - len(tensor), *tensor.shape[1:])
    return torch.cat([tensor, missing]).contiguous()
