"""What mode auto costs a click that it leaves with the small member."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from tqdm import tqdm

from suresam.benchmarks.route.scenes import draw_true_pictures
from suresam.client import Client, GrpcClient
from suresam.domain import (
    AUTO,
    SMALL,
    Prompt,
    RouteRequest,
    SegmentResponse,
    UncertaintyRequest,
)
from suresam.errors import ConfigurationError
from suresam.routing.policy import GAIN_BELOW_THRESHOLD

_NEVER = 1.0
"""No member is expected to gain so much IoU."""

_WARM_UP = 10
_RESAMPLES, _TAIL = 2000, 2.5

_METHODS = {
    "all uncertainty": UncertaintyRequest(),
    "entropy alone": UncertaintyRequest(methods=("entropy",)),
}
"""What is asked for; mode auto needs the heads in any case."""


@dataclass(frozen=True, slots=True)
class Overhead:
    """The same click in both modes, one after the other, again and again.

    Attributes:
        transport: "REST" or "gRPC".
        asked: which uncertainty is asked for.
        small_ms, auto_ms: how long each took.
    """

    transport: str
    asked: str
    small_ms: tuple[float, ...]
    auto_ms: tuple[float, ...]

    @property
    def added_ms(self) -> float:
        """Median difference of the pairs."""
        return median(self._differences())

    def interval_ms(self) -> tuple[float, float]:
        """Of `added_ms`, 95 %, by resampling the pairs."""
        rng = np.random.default_rng(0)
        differences = np.array(self._differences())
        drawn = rng.integers(len(differences), size=(_RESAMPLES, len(differences)))
        medians = np.median(differences[drawn], axis=1)
        low, high = np.percentile(medians, (_TAIL, 100 - _TAIL))
        return float(low), float(high)

    def _differences(self) -> list[float]:
        pairs = zip(self.auto_ms, self.small_ms, strict=True)
        return [auto - small for auto, small in pairs]


def measure_overhead(
    url: str, address: str | None, rounds: int, size: int, seed: int
) -> tuple[Overhead, ...]:
    """Time a cached click in both modes, in turn, on a server with `--route auto`.

    Args:
        url: of REST.
        address: of gRPC, or None for REST alone.
        rounds: pairs of each way.
        size: of the picture, pixels.
        seed: of the picture, and of the order within a round.

    Raises:
        ConfigurationError: mode auto did not say that it kept the click.
        ServiceError: the server does not answer.
    """
    [picture] = draw_true_pictures(1, size, seed)
    prompt = Prompt(points=(picture.aims[0].point,))
    with Client(url) as rest:
        session_id = rest.create_session([picture.data]).session_id
        ask: dict[str, Callable[..., SegmentResponse]] = {"REST": rest.segment_session}
        if address is None:
            return _all_ways(ask, session_id, prompt, rounds, seed)
        with GrpcClient(address) as grpc:
            return _all_ways(ask | {"gRPC": grpc.segment_session}, session_id, prompt, rounds, seed)


def _all_ways(
    ask: dict[str, Callable[..., SegmentResponse]],
    session_id: str,
    prompt: Prompt,
    rounds: int,
    seed: int,
) -> tuple[Overhead, ...]:
    ways = [(transport, asked) for transport in ask for asked in _METHODS]
    modes = (SMALL, AUTO)
    took_ms: dict[tuple[str, str, str], list[float]] = {
        (*way, mode): [] for way in ways for mode in modes
    }
    rng = random.Random(seed)  # noqa: S311  (no secret)
    for number in tqdm(range(_WARM_UP + rounds), desc="rounds", leave=False, disable=None):
        for transport, asked in rng.sample(ways, len(ways)):
            for mode in rng.sample(modes, len(modes)):
                route = RouteRequest(mode=mode, min_gain=_NEVER)
                started = time.perf_counter()
                answer = ask[transport](
                    session_id, prompt, route=route, uncertainty=_METHODS[asked]
                )
                if number >= _WARM_UP:
                    ms = (time.perf_counter() - started) * 1000
                    took_ms[transport, asked, mode].append(ms)
                if mode == AUTO:
                    _check_stayed(answer)
    return tuple(
        Overhead(*way, tuple(took_ms[(*way, SMALL)]), tuple(took_ms[(*way, AUTO)])) for way in ways
    )


def _check_stayed(answer: SegmentResponse) -> None:
    route = answer.results[0].route
    reason = "no reason" if route is None else route.reason
    if reason != GAIN_BELOW_THRESHOLD:
        raise ConfigurationError(
            f"a click that should stay with the small member was answered for {reason}, not "
            f"{GAIN_BELOW_THRESHOLD}: the server needs --route auto, heads and a calibration"
        )


def overhead_rows(measured: Sequence[Overhead]) -> list[tuple[str, ...]]:
    """A table."""
    rows: list[tuple[str, ...]] = [
        ("a cached click, median ms", "asked for", "mode small", "mode auto", "added", "95 %")
    ]
    for each in measured:
        low, high = each.interval_ms()
        rows.append(
            (
                each.transport,
                each.asked,
                f"{median(each.small_ms):.2f}",
                f"{median(each.auto_ms):.2f}",
                f"{each.added_ms:+.2f}",
                f"[{low:+.2f}, {high:+.2f}]",
            )
        )
    return rows
