"""`suresam bench route`: who answers a service's clicks, how late, how well and at what cost."""

import argparse
import asyncio
import sys
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.cli.bench_load import (
    REPORT,
    add_generator_options,
    add_out_option,
    add_visit_options,
    begin,
    write_report,
)
from suresam.cli.extras import needs_extra
from suresam.columns import aligned
from suresam.errors import ConfigurationError

if TYPE_CHECKING:
    from suresam.benchmarks.route.options import RouteOptions
    from suresam.benchmarks.route.run import RouteReport

PLOT = "route.png"

_ROUNDS_OF_OVERHEAD = 200

_DESCRIPTION = """\
Visitors upload drawn scenes that no model has learned from and click on things in them, whose
exact masks are known. They come at times that are drawn beforehand from a seed, as in `suresam
bench serve`: at a low load and at more than the service can do, and at both of them once in mode
small and once in mode auto, the same visitors with the same clicks. Told are: who answered and
why, latencies from the time a click was to be sent and what mode auto adds to them, the mean IoU
of the best masks with a 95 % interval by scene, device milliseconds by the receipts, refusals.

--overhead times one cached click instead, in mode small and in an auto mode that leaves it there.

Without --url it starts a `suresam serve --route auto` of its own; more options for that stand
behind `--`:

  suresam bench route --rounds 2 --out report/ -- --large-share 0.3"""


def add_parser(benches: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = benches.add_parser(
        "route",
        help="routing as delivered: escalations, added latency, accuracy, cost, overload",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("server").add_argument
    add("--url", metavar="URL",
        help="of a running server with --route auto (default: starts one)")  # fmt: skip
    add("--grpc", metavar="HOST:PORT", help="of the same server, for --overhead")
    add("serve_options", nargs="*", metavar="-- OPTIONS",
        help="options of the `suresam serve` started here")  # fmt: skip

    add = parser.add_argument_group("what is measured").add_argument
    add("--low", type=float, default=0.25, metavar="X",
        help="low load, as a part of the capacity (default: 0.25)")  # fmt: skip
    add("--overload", type=float, default=2.0, metavar="X",
        help="the other load, likewise (default: 2)")  # fmt: skip
    add("--capacity", type=float, metavar="R",
        help="clicks a second that the small member answers (default: measured by people who "
        "click and upload without a pause)")  # fmt: skip
    add("--people", type=int, default=16, metavar="N",
        help="so many measure the capacity (default: 16)")  # fmt: skip
    add("--rounds", type=int, default=3, metavar="N",
        help="how often each load is offered in each mode (default: 3)")  # fmt: skip
    add("--seconds", type=float, default=10.0, metavar="S",
        help="of each phase (default: 10)")  # fmt: skip
    add("--deadline-ms", type=float, metavar="MS",
        help="that clicks ask for (default: the server's own)")  # fmt: skip
    add_generator_options(add)
    add("--overhead", type=int, nargs="?", const=_ROUNDS_OF_OVERHEAD, metavar="ROUNDS",
        help="time a cached click that stays with the small member, in both modes in turn, and "
        f"nothing else (default: {_ROUNDS_OF_OVERHEAD} rounds)")  # fmt: skip

    add = parser.add_argument_group("visitors").add_argument
    add_visit_options(add)
    add("--scenes", type=int, default=60, metavar="N",
        help="different scenes, of 12 clicks each (default: 60)")  # fmt: skip
    add("--size", type=int, default=384, metavar="PX",
        help="side of a scene in pixels (default: 384)")  # fmt: skip
    add("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")

    add_out_option(parser, PLOT)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and tell."""
    from suresam.benchmarks.server_process import ServerProcess

    route_options = _route_options(options)
    if options.out is not None:
        _prepare_out(options)
    circumstances = begin()
    with ExitStack() as stack:
        url, grpc = options.url, options.grpc
        if url is None:
            own = stack.enter_context(ServerProcess(("--route", "auto", *options.serve_options)))
            url, grpc = own.url, own.address
        print(f"{'server':12} {url}\n", flush=True)
        if options.overhead is not None:
            _time_overhead(url, grpc, route_options, options.overhead)
        else:
            _offer_loads(url, route_options, options.out, circumstances | {"server": url})
    return 0


def _route_options(options: argparse.Namespace) -> "RouteOptions":
    from suresam.benchmarks.route.options import RouteOptions

    if options.url is not None and options.serve_options:
        raise ConfigurationError("options after -- are for a server started here, not for --url")
    if options.grpc is not None and (options.url is None or options.overhead is None):
        raise ConfigurationError(
            f"--grpc={options.grpc} is for --overhead on the server of a --url"
        )
    if options.overhead is not None and options.overhead < 1:
        raise ConfigurationError(f"--overhead={options.overhead} must be at least 1 round")
    if options.overhead is not None and options.out is not None:
        raise ConfigurationError("--overhead is only printed; it excludes --out")
    return RouteOptions(**{f.name: getattr(options, f.name) for f in fields(RouteOptions)})


@needs_extra("bench")
def _prepare_out(options: argparse.Namespace) -> int:
    """Find out before all the work whether the report can be written."""
    from suresam.benchmarks.route import plot  # noqa: F401
    from suresam.outputs import prepare_folder

    prepare_folder(options.out)
    return 0


def _time_overhead(url: str, grpc: str | None, options: "RouteOptions", rounds: int) -> None:
    from suresam.benchmarks.route.overhead import measure_overhead, overhead_rows

    measured = measure_overhead(url, grpc, rounds, options.size, options.seed)
    print("\n".join(aligned(overhead_rows(measured), left=2)))


def _offer_loads(
    url: str, options: "RouteOptions", out: Path | None, circumstances: dict[str, str]
) -> None:
    from suresam.benchmarks.route.report import route_lines
    from suresam.benchmarks.route.run import run_route
    from suresam.evaluation.progress import tell_counts

    report = asyncio.run(run_route(options, url, lambda what: tell_counts(what, sys.stderr)))
    print("\n".join(route_lines(report)))
    if out is not None:
        _write(out, report, options, circumstances)


def _write(
    folder: Path, report: "RouteReport", options: "RouteOptions", circumstances: dict[str, str]
) -> None:
    from suresam.benchmarks.route.plot import draw_route
    from suresam.benchmarks.route.report import route_json

    body = {**circumstances, "options": asdict(options), **route_json(report)}
    plot = draw_route(report, circumstances["processor"])
    write_report(body, folder / REPORT, plot, folder / PLOT)
