"""`suresam bench serve`: a server under load."""

import argparse
import asyncio
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.cli.api_key import add_key_option, read_key
from suresam.cli.bench_load import (
    REPORT,
    add_generator_options,
    add_out_option,
    add_visit_options,
    begin,
    write_report,
)
from suresam.cli.extras import needs_extra
from suresam.errors import ConfigurationError

if TYPE_CHECKING:
    from suresam.benchmarks.serve.options import LoadOptions
    from suresam.benchmarks.serve.run import LoadReport

PLOT = "load.png"

_DESCRIPTION = """\
Visitors come at times that are drawn beforehand from a seed, upload a picture of their own, click
on it several times with pauses to think, and leave. A click's latency counts from the time at
which it was to be sent, whatever became of those before it. Goodput is the clicks answered with
masks within --goal-ms.

Without --rates, --people or --overload: measures how many clicks a second 16 people make without
a pause, uploads included, then offers 1/4, 1/2, 3/4, 1 and 5/4 of that. Without --url it starts
a `suresam serve` of its own; options for that stand behind `--`:

  suresam bench serve --overload 3 -- --models demo-small --max-in-flight 64

A phase in which the generator itself was late by more than --max-lag-ms (p99) is marked void."""

_PASSED_ON = (
    "people", "overload", "seconds", "goal_ms", "max_lag_ms", "timeout", "seed", "member",
    "deadline_ms",
)  # fmt: skip


def add_parser(benches: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = benches.add_parser(
        "serve",
        help="a server under load: goodput, latency, refusals, recovery",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("server").add_argument
    add("--url", metavar="URL", help="of a running server (default: starts one)")
    add("--grpc", nargs="?", const="", metavar="HOST:PORT",
        help="click over gRPC; without an address that of the server started here")  # fmt: skip
    add_key_option(add)
    add("--member", metavar="NAME",
        help="who should answer: small, large or a member's name (default: as the server "
        "chooses)")  # fmt: skip
    add("serve_options", nargs="*", metavar="-- OPTIONS",
        help="options of the `suresam serve` started here")  # fmt: skip

    add = parser.add_argument_group("what is measured").add_argument
    add("--rates", metavar="R1,R2,...", help="offer so many clicks a second, one after the other")
    add("--people", type=int, metavar="N",
        help="so many people who click on a picture of their own without a pause; with "
        "--overload: who measure the capacity (default: 16)")  # fmt: skip
    add("--overload", type=float, metavar="X",
        help="measure the capacity, offer 0.8 of it, X times it, and then half of it")  # fmt: skip
    add("--seconds", type=float, default=8.0, metavar="S",
        help="of each phase (default: 8)")  # fmt: skip
    add("--goal-ms", type=float, default=250.0, metavar="MS",
        help="a click answered within it is good (default: 250)")  # fmt: skip
    add("--deadline-ms", type=float, metavar="MS",
        help="that clicks ask for, so that the server can refuse what would come too late; not "
        "those of people without a pause (default: the server's own)")  # fmt: skip
    add_generator_options(add)

    add = parser.add_argument_group("visitors").add_argument
    add_visit_options(add)
    add("--burstiness", type=float, default=1.0, metavar="CV",
        help="coefficient of variation of the gaps between visitors: 1 is Poisson, 2 to 4 are "
        "bursts (default: 1)")  # fmt: skip
    add("--sizes", default="640x480,1024x768,1600x1200", metavar="WxH,...",
        help="of pictures in pixels, in turn (default: 640x480,1024x768,1600x1200)")  # fmt: skip
    add("--bulk", type=float, default=0.05, metavar="SHARE",
        help="of the visitors who send pictures with one click each, back to back "
        "(default: 0.05)")  # fmt: skip
    add("--cancel", type=float, default=0.05, metavar="SHARE",
        help="who hang up on their clicks before the answer (default: 0.05)")  # fmt: skip
    add("--stall", type=float, default=0.02, metavar="SHARE",
        help="who upload slowly and leave (default: 0.02)")  # fmt: skip
    add("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")

    add_out_option(parser, PLOT)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and tell."""
    from suresam.benchmarks.serve.report import report_lines
    from suresam.benchmarks.serve.run import Server, run_load
    from suresam.benchmarks.server_process import ServerProcess
    from suresam.evaluation.progress import tell_counts

    load_options, api_key = _load_options(options), read_key(options)
    if options.out is not None:
        _prepare_out(options)
    circumstances = begin()
    with ExitStack() as stack:
        if options.url is None:
            own = stack.enter_context(ServerProcess(options.serve_options))
            address = None if options.grpc is None else own.address
            server = Server(own.url, address, own.pid, api_key=api_key)
        else:
            server = Server(options.url, options.grpc, api_key=api_key)
        print(f"{'server':12} {server.url}{f', clicks at {server.grpc}' if server.grpc else ''}")
        sys.stdout.flush()
        test = run_load(load_options, server, lambda what: tell_counts(what, sys.stderr))
        report = asyncio.run(test)
    print("\n" + "\n".join(report_lines(report, load_options.goal_ms)))
    if options.out is not None:
        _write(options.out, report, load_options, circumstances | {"server": server.url})
    return 0


def _load_options(options: argparse.Namespace) -> "LoadOptions":
    from suresam.benchmarks.serve.options import LoadOptions, parse_rates
    from suresam.benchmarks.serve.pictures import parse_sizes
    from suresam.benchmarks.serve.visits import Load

    if options.url is not None and options.serve_options:
        raise ConfigurationError("options after -- are for a server started here, not for --url")
    if options.url is not None and options.grpc == "":
        raise ConfigurationError("--grpc needs HOST:PORT where --url names the server")
    if options.url is None and options.grpc:
        raise ConfigurationError(f"--grpc={options.grpc} needs the --url of the same server")
    return LoadOptions(
        load=Load(
            rate=0.0,
            burstiness=options.burstiness,
            mean_clicks=options.clicks,
            think_s=options.think,
            bulk=options.bulk,
            cancel=options.cancel,
            stall=options.stall,
        ),
        sizes=parse_sizes(options.sizes),
        rates=None if options.rates is None else parse_rates(options.rates),
        **{name: getattr(options, name) for name in _PASSED_ON},
    )


@needs_extra("bench")
def _prepare_out(options: argparse.Namespace) -> int:
    """Find out before all the work whether the report can be written."""
    from suresam.benchmarks.serve import plot  # noqa: F401
    from suresam.outputs import prepare_folder

    prepare_folder(options.out)
    return 0


def _write(
    folder: Path, report: "LoadReport", options: "LoadOptions", circumstances: dict[str, str]
) -> None:
    from suresam.benchmarks.serve.plot import draw_load
    from suresam.benchmarks.serve.report import report_json

    body = {**circumstances, "options": asdict(options), **report_json(report)}
    plot = draw_load(report.phases, options.goal_ms, circumstances["processor"])
    write_report(body, folder / REPORT, plot, folder / PLOT)
