"""What all attacks share: the service under attack, how long to go on, and the look afterwards.

`make test` runs each attack in a short form, with the same inputs every time. `make attack` runs
them with `--attack-seconds`, each with new inputs for so long, and prints a table.
"""

import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from attack.attacked_service import AttackedService, attacked_service
from attack.tally import Tally, table

MAX_GROWTH_MIB = 256.0
"""What one attack may leave behind: sessions, cached images and what the allocator keeps."""

MAX_PEAK_MIB = 768.0
"""What one attack may add for a moment: request bodies and pictures in progress."""

_TALLIES = pytest.StashKey[list[Tally]]()

Rounds = Callable[[int], Iterator[random.Random]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long each attack goes on."""
    parser.addoption(
        "--attack-seconds", type=float, help="go on with each attack for so long (default: short)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """A list for the figures."""
    config.stash[_TALLIES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of all attacks, in the long form."""
    tallies = terminalreporter.config.stash[_TALLIES]
    if tallies and attack_seconds(terminalreporter.config):
        terminalreporter.section("attacks")
        for line in table(tallies):
            terminalreporter.write_line(line)


def attack_seconds(config: pytest.Config) -> float:
    """How long an attack goes on in the long form; 0 is the short one."""
    # Only a run of this folder knows the option: pytest reads it before it finds this file else.
    return float(config.getoption("attack_seconds", None) or 0)


@pytest.fixture(scope="session")
def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long form."""
    return attack_seconds(request.config) > 0


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedService]:
    """One for all attacks of a process."""
    with attacked_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest, service: AttackedService) -> Iterator[Tally]:
    """Counts the inputs of an attack; at its end the service must be unharmed."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    counts = Tally(name)
    before = service.resident_mib()
    service.forget_peak()
    yield counts
    counts.faults += service.harm()
    peak, after = service.peak_mib(), service.resident_mib()
    counts.mib = (before, peak, after)
    if after > before + MAX_GROWTH_MIB:
        counts.fault(f"{after - before:.0f} MiB left behind (limit {MAX_GROWTH_MIB:.0f} MiB)")
    if peak > before + MAX_PEAK_MIB:
        counts.fault(f"{peak - before:.0f} MiB for a moment (limit {MAX_PEAK_MIB:.0f} MiB)")
    if counts.num_tried:
        request.config.stash[_TALLIES].append(counts)
    assert not counts.faults, "\n".join(counts.faults[:20])


@pytest.fixture
def rounds(request: pytest.FixtureRequest, tally: Tally) -> Rounds:
    """`for random in rounds(20)`: seeded generators, 20 in the short form.

    In the long form there are at least as many, and more until its time is over.
    """
    seconds = attack_seconds(request.config)
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(spent_s: float) -> None:
        with capture.global_and_fixture_disabled():
            line = f"{tally.attack}: {tally.num_tried} tried, {len(tally.faults)} faults"
            print(f"  {spent_s:4.0f} s of {seconds:.0f} s  {line}", file=sys.stderr, flush=True)

    def go_on(short: int) -> Iterator[random.Random]:
        started = told = time.monotonic()
        for number in itertools.count():
            now = time.monotonic()
            if number >= short and now - started >= seconds:
                return
            if seconds and now - told > 10:
                told = now
                tell(now - started)
            yield random.Random(number)

    return go_on
