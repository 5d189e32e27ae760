"""A measurement of routing from its options to what was delivered."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from suresam.benchmarks.route.clicks import RoutedClick, routed_clicks
from suresam.benchmarks.route.delivered import Added, Delivered, add, deliver
from suresam.benchmarks.route.options import RouteOptions
from suresam.benchmarks.route.scenes import draw_true_pictures
from suresam.benchmarks.serve.load_test import LoadTest, Phase, Step, TellCounts
from suresam.benchmarks.serve.overload import measure_capacity
from suresam.benchmarks.serve.pictures import Picture, PicturePile
from suresam.benchmarks.serve.process import raised_priority
from suresam.benchmarks.serve.target import Target, open_target
from suresam.benchmarks.serve.visits import Load
from suresam.domain import AUTO, SMALL
from suresam.errors import ConfigurationError
from suresam.routing.policy import NO_GAIN_ESTIMATE

MODES = (SMALL, AUTO)


@dataclass(frozen=True, slots=True)
class RouteReport:
    """What came of it.

    Attributes:
        capacity_per_s: clicks a second that the small member answers.
        is_measured: whether that was found out, or given.
        seconds: of one phase.
        delivered: by load, then by mode.
        added: by load.
        clicks: of all rounds, by load and mode.
    """

    capacity_per_s: float
    is_measured: bool
    seconds: float
    delivered: tuple[Delivered, ...]
    added: tuple[Added, ...]
    clicks: dict[tuple[str, str], list[RoutedClick]]


async def run_route(options: RouteOptions, url: str, tell_counts: TellCounts) -> RouteReport:
    """Put a server under load in both modes.

    Args:
        options: what to do.
        url: of REST.
        tell_counts: for progress.

    Raises:
        ConfigurationError: the server cannot be reached, gives no masks without load, or has
            nothing to route by.
    """
    pictures = draw_true_pictures(options.scenes, options.size, options.seed)
    async with AsyncExitStack() as stack:
        targets = {
            mode: await stack.enter_async_context(
                open_target(
                    url, None, member=mode, timeout_s=options.timeout,
                    deadline_ms=options.deadline_ms,
                )
            )
            for mode in MODES
        }  # fmt: skip
        patient = await stack.enter_async_context(
            open_target(url, None, member=SMALL, timeout_s=options.timeout)
        )
        await check_routes(targets[AUTO], pictures[0])
        with raised_priority():
            return await _Rounds(options, targets, patient, pictures, tell_counts).run()


async def check_routes(target: Target, picture: Picture) -> None:
    """Make sure that there is something to measure.

    Args:
        target: asked in mode auto.
        picture: whose first click is asked.

    Raises:
        ConfigurationError: no answer, no receipt, or nothing to route by.
    """
    own = PicturePile([picture]).another()
    session_id = await target.upload_surely(own)
    reply = await target.clicks.click(session_id, own.aim(0.0, 0.0).point)
    await target.rest.delete(session_id)
    if reply.receipt is None:
        raise ConfigurationError(f"the server answers a click without a receipt ({reply.code})")
    if reply.receipt.reason == NO_GAIN_ESTIMATE:
        raise ConfigurationError(
            f"the server has nothing to route by ({NO_GAIN_ESTIMATE}): start it with --route auto, "
            "and with a family that has uncertainty heads and a calibration"
        )


class _Rounds:
    def __init__(
        self,
        options: RouteOptions,
        targets: dict[str, Target],
        patient: Target,
        pictures: list[Picture],
        tell_counts: TellCounts,
    ) -> None:
        self._options = options
        self._targets = targets
        self._patient = patient
        self._pictures = pictures
        self._tell_counts = tell_counts
        self._load = Load(
            rate=0.0, mean_clicks=options.clicks, think_s=options.think, bulk=0, cancel=0, stall=0
        )

    async def run(self) -> RouteReport:
        options = self._options
        capacity = options.capacity or await self._capacity()
        rates = {f"{share:g} x": share * capacity for share in (options.low, options.overload)}
        phases: dict[tuple[str, str], list[Phase]] = {
            (load, mode): [] for load in rates for mode in MODES
        }
        for number in range(options.rounds):
            for load, rate in rates.items():
                # Turn about, so that what the machine does beside it falls on both.
                for mode in MODES if number % 2 == 0 else MODES[::-1]:
                    phases[load, mode].append(await self._offer(load, mode, rate, number))
        clicks = {
            key: [
                click
                for number, phase in enumerate(its)
                for click in routed_clicks(phase.exchanges, number)
            ]
            for key, its in phases.items()
        }
        delivered = {
            (load, mode): deliver(
                load,
                mode,
                rates[load],
                options.seconds * options.rounds,
                clicks[load, mode],
                [e.code for phase in its for e in phase.exchanges if e.kind == "upload"],
                [phase.lag_p99_ms for phase in its],
                options.max_lag_ms,
            )
            for (load, mode), its in phases.items()
        }
        added = [
            add(
                delivered[load, SMALL],
                delivered[load, AUTO],
                clicks[load, SMALL],
                clicks[load, AUTO],
            )
            for load in rates
        ]
        return RouteReport(
            capacity,
            options.capacity is None,
            options.seconds,
            tuple(delivered.values()),
            tuple(added),
            clicks,
        )

    async def _capacity(self) -> float:
        test = self._test(self._patient, self._options.seed)
        seconds = self._options.seconds
        phase = await measure_capacity(test, self._load, self._options.people, seconds)
        return phase.measured.goodput.answered / seconds

    async def _offer(self, load: str, mode: str, rate: float, number: int) -> Phase:
        # The same seed in both modes: the same visitors at the same times with the same pictures.
        test = self._test(self._targets[mode], self._options.seed + 1 + number)
        step = Step(f"{mode}, {load}", replace(self._load, rate=rate), self._options.seconds)
        [phase] = await test.offer([step])
        return phase

    def _test(self, target: Target, seed: int) -> LoadTest:
        return LoadTest(
            target,
            PicturePile(self._pictures),
            seed=seed,
            goal_ms=1000 * self._options.timeout,
            max_lag_ms=self._options.max_lag_ms,
            tell_counts=self._tell_counts,
        )
