"""SIGTERM under load: no request that was accepted is lost, and the service exits with 0.

Accepted is what a client had handed over, all of it, before the drain delay was over. It must be
answered whole, with masks or with a refusal that has a code and a time to come back. What is sent
later may find the port closed; it is counted apart.
"""

import asyncio
import io
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from attack.exchanges import ANSWERED, LOST, REFUSED, Exchanges, count, now
from attack.stop_clients import CLIENTS, SESSION, Connection, Target, slow_upload, upload
from PIL import Image

from suresam.benchmarks.server_process import ServerProcess
from suresam.routing.decision_log import Decided, read_log

ENGINES = ("local", "process")
DELAY_S = 1.0
GRACE_S = 40.0
"""That compose gives the container: `stop_grace_period`."""

_NUM_LONG = 20
_CLIENTS_OF_A_KIND = 2
_PATIENCE_S = 240.0


@pytest.fixture(autouse=True)
def tally() -> None:
    """In place of the frame's: there is no one service that would be there afterwards."""


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    noise = np.random.default_rng(8)
    found = []
    for _ in range(8):
        buffer = io.BytesIO()
        Image.fromarray(noise.integers(0, 255, (240, 320, 3), np.uint8)).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


def options(engine: str, log: Path) -> Iterator[str]:
    yield from ("--engine", engine, "--route", "auto", "--decision-log", str(log))
    yield from ("--drain-delay-s", str(DELAY_S), "--default-deadline-ms", "120000")


async def stop_under_load(
    server: ServerProcess, pictures: list[bytes], seed: int
) -> tuple[Exchanges, float, float, int]:
    """Every kind of client, a signal at some moment, and on until the process has ended.

    Returns:
        What became of the requests; when the signal was sent; seconds until the exit; exit code.
    """
    chance = random.Random(seed)
    host, port = server.url.removeprefix("http://").split(":")
    target = Target(host, int(port), server.address, pictures)
    connection = Connection(target)
    assert await connection.open()
    await connection.send(upload(pictures[0], "session_id", SESSION.encode(), "/v1/sessions"))
    assert (await connection.answer())[0] == 201
    connection.close()
    exchanges = Exchanges()
    tasks = [
        asyncio.create_task(client(target, random.Random(chance.random()), exchanges))
        for client in (*CLIENTS.values(), slow_upload)
        for _ in range(_CLIENTS_OF_A_KIND)
    ]
    until = now() + _PATIENCE_S
    while exchanges.kinds_answered() != set(CLIENTS):
        assert now() < until, exchanges.found[-20:]
        assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
        await asyncio.sleep(0.01)
    await asyncio.sleep(chance.uniform(0, 1))  # the moment: any
    killed_at = now()
    code = await asyncio.to_thread(server.stop)
    exit_s = now() - killed_at
    exchanges.is_over = True
    await asyncio.wait_for(asyncio.gather(*tasks), _PATIENCE_S)
    return exchanges, killed_at, exit_s, code


@pytest.mark.parametrize("engine", ENGINES)
def test_no_accepted_request_is_lost_to_sigterm(engine, pictures, is_long, tmp_path, capsys):
    if engine == "process" and not is_long:
        pytest.skip("`make attack` stops these, too")
    longest_s = 0.0
    for seed in range(_NUM_LONG // len(ENGINES) if is_long else 1):
        log = tmp_path / f"decisions-{seed}.jsonl"
        server = ServerProcess([*options(engine, log)])
        stopped = asyncio.run(stop_under_load(server, pictures, seed))
        exchanges, killed_at, exit_s, code = stopped
        # Half of the delay is for the signal's and the last request's own way.
        accepted = exchanges.before(killed_at + DELAY_S / 2)
        lost = [one for one in accepted if one.outcome == LOST]
        counts = count(accepted)
        if is_long:
            late = Counter(
                f"{one.kind}: {one.why[:90]}"
                for one in exchanges.found[:]
                if one.outcome == LOST and one not in lost
            )
            with capsys.disabled():
                print(
                    f"\n{engine} {seed}: accepted {len(accepted)}, answered {counts[ANSWERED]}, "
                    f"refused {counts[REFUSED]}, lost {len(lost)}; "
                    f"exit {code} after {exit_s:.2f} s; sent later: "
                    f"{len(exchanges.found) - len(accepted)}, unanswered {dict(late)}",
                )
        assert lost == []
        assert code == 0
        assert exit_s < GRACE_S
        # Each answer but the larger members' own rests on a decision, and none is left unwritten.
        decided = sum(isinstance(event, Decided) for event in read_log(log))
        assert decided >= counts[ANSWERED] > 0
        longest_s = max(longest_s, exit_s)
    if is_long:
        with capsys.disabled():
            print(f"\n{engine}: the longest exit took {longest_s:.2f} s")
