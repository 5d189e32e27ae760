"""Phases of load on one server, and what came of each."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from suresam.benchmarks.serve.exchange import Exchange
from suresam.benchmarks.serve.measurements import Measurements, measure, percentile
from suresam.benchmarks.serve.people import Person
from suresam.benchmarks.serve.phase_log import PhaseLog
from suresam.benchmarks.serve.pictures import PicturePile
from suresam.benchmarks.serve.resident_memory import resident_bytes
from suresam.benchmarks.serve.server_metrics import Samples, ServerMetrics, difference, read_samples
from suresam.benchmarks.serve.target import Target
from suresam.benchmarks.serve.visitor import Visitor
from suresam.benchmarks.serve.visits import Load, num_clicks, plan_visits

TellCounts = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Makes, for the name of what is counted, a function that is told how many of how many are done."""

WARM_UP_S = 1.0
"""Seconds of people's clicks before anything counts."""

_EARLY_AT_ONCE = 8
_BEFORE_START_S = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """A phase of open load: its name, what is offered, and for how many seconds."""

    name: str
    load: Load
    seconds: float


@dataclass(frozen=True, slots=True)
class Phase:
    """What came of a phase.

    Attributes:
        name: of the step, or "people".
        rate: clicks a second that were offered, as planned; None for people without a pause.
        seconds: its length.
        measured: latencies, goodput, refusals.
        server: what the server's metrics say of it; None without metrics.
        resident_bytes: the server's resident memory as the phase ended; None for a server that is
            not ours.
        lag_p99_ms: of 100 requests that had their time, 99 were sent at most so much late, by the
            generator's fault; None if none had.
        is_void: whether that is over the bound, so that the latencies are not the server's.
        exchanges: everything, for plots.
    """

    name: str
    rate: float | None
    seconds: float
    measured: Measurements
    server: ServerMetrics | None
    resident_bytes: int | None
    lag_p99_ms: float | None
    is_void: bool
    exchanges: Sequence[Exchange]


class LoadTest:
    """Of one server.

    Args:
        target: the server.
        pictures: what is uploaded.
        seed: of arrivals, pauses and places.
        goal_ms: a click answered within so many milliseconds is good.
        max_lag_ms: a phase in which the generator's own lag is over this is void.
        tell_counts: for progress.
        pid: of the server, if it is ours.
        patient: the same server, asked by the people of a closed loop: a deadline that has clicks
            refused would hide how many the server can answer. None is `target`.
    """

    def __init__(
        self,
        target: Target,
        pictures: PicturePile,
        *,
        seed: int,
        goal_ms: float,
        max_lag_ms: float,
        tell_counts: TellCounts,
        pid: int | None = None,
        patient: Target | None = None,
    ) -> None:
        self._target = target
        self._patient = patient or target
        self._pictures = pictures
        self._rng = np.random.default_rng(seed)
        self._goal_ms = goal_ms
        self._max_lag_ms = max_lag_ms
        self._tell_counts = tell_counts
        self._pid = pid

    async def people(
        self,
        number: int,
        seconds: float,
        mean_clicks: float | None = None,
        warm_up_s: float = WARM_UP_S,
    ) -> Phase:
        """Closed loop: so many people click without a pause.

        Args:
            number: of people.
            seconds: of clicks that count.
            mean_clicks: of a visit; None lets everybody stay with one picture.
            warm_up_s: seconds of clicks before them.

        Raises:
            ConfigurationError: the server takes no pictures.
        """
        rngs = self._rng.spawn(number)
        people = [Person(self._patient, self._pictures, mean_clicks, rng) for rng in rngs]
        await _few_at_a_time([person.come for person in people])
        before = await self._samples()
        with self._tell_counts("seconds") as tell:
            begin_s = _now() + warm_up_s
            log = PhaseLog(begin_s, seconds, _every_second(begin_s, seconds, tell))
            await asyncio.gather(*(person.act(log) for person in people))
            tell(round(seconds), round(seconds))
        counted = [e for e in log.exchanges if 0 <= e.done_s < seconds]
        return self._phase("people", None, log, counted, before, await self._samples())

    async def offer(self, steps: Sequence[Step]) -> list[Phase]:
        """Open loop: steps that follow each other without a pause, then wait for all answers.

        Raises:
            ConfigurationError: the server takes no pictures before the load begins.
        """
        plans = [plan_visits(step.load, step.seconds, self._rng) for step in steps]
        visitors = [
            [Visitor(visit, self._target, self._pictures) for visit in plan] for plan in plans
        ]
        await _few_at_a_time(
            [v.come_early for group in visitors for v in group if v.visit.is_there]
        )
        total = sum(map(num_clicks, plans))
        samples = [await self._samples()]
        resident: list[int | None] = []
        with self._tell_counts("clicks") as tell:
            done = 0

            def count() -> None:
                nonlocal done
                done += 1
                tell(done, total)

            starts = _now() + _BEFORE_START_S + np.cumsum([0.0, *(s.seconds for s in steps)])
            logs = [
                PhaseLog(float(start), step.seconds, count)
                for start, step in zip(starts, steps, strict=False)
            ]
            acting = asyncio.gather(
                *(v.act(log) for group, log in zip(visitors, logs, strict=True) for v in group)
            )
            for end in starts[1:]:
                await asyncio.sleep(max(0.0, float(end) - _now()))
                resident.append(self._resident())
                # The last reading waits for the last answers.
                if len(resident) < len(steps):
                    samples.append(await self._samples())
            await acting
        samples.append(await self._samples())
        return [
            self._phase(step.name, step.load.rate, log, log.exchanges, before, after, memory)
            for step, log, before, after, memory in zip(
                steps, logs, samples, samples[1:], resident, strict=False
            )
        ]

    def _phase(
        self,
        name: str,
        rate: float | None,
        log: PhaseLog,
        exchanges: Sequence[Exchange],
        before: Samples | None,
        after: Samples | None,
        memory: int | None = None,
    ) -> Phase:
        lag_ms = percentile(log.lags_ms, 99)
        return Phase(
            name=name,
            rate=rate,
            seconds=log.seconds,
            measured=measure(exchanges, log.seconds, self._goal_ms),
            server=None if before is None or after is None else difference(before, after),
            resident_bytes=memory or self._resident(),
            lag_p99_ms=lag_ms,
            is_void=lag_ms is not None and lag_ms > self._max_lag_ms,
            exchanges=exchanges,
        )

    def _resident(self) -> int | None:
        return None if self._pid is None else resident_bytes(self._pid)

    async def _samples(self) -> Samples | None:
        text = await self._target.rest.metrics()
        try:
            return None if text is None else read_samples(text)
        except ValueError:  # another service's page
            return None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _every_second(
    begin_s: float, seconds: float, tell: Callable[[int, int], None]
) -> Callable[[], None]:
    """Tells whole seconds that have passed, whenever it is called."""

    def told() -> None:
        tell(max(0, min(int(_now() - begin_s), round(seconds) - 1)), round(seconds))

    return told


async def _few_at_a_time(works: Sequence[Callable[[], Coroutine[None, None, None]]]) -> None:
    places = asyncio.Semaphore(_EARLY_AT_ONCE)

    async def one(work: Callable[[], Coroutine[None, None, None]]) -> None:
        async with places:
            await work()

    await asyncio.gather(*(one(work) for work in works))
