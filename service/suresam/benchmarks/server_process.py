"""A server of our own, in its own process and on free ports."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from typing_extensions import Self

from suresam.errors import ConfigurationError

_STOP_S = 60.0


class ServerProcess:
    """Starts in `with`, is stopped at its end.

    Args:
        options: of `suresam serve`; the ports are chosen here.
        command: after `python -m`; another one takes the same options and greets alike.
        environment: of the process; None is ours.

    Attributes:
        greeting: what it printed when it was ready.
        url, address: where REST and gRPC listen.
        pid: of its process.

    Raises:
        ConfigurationError: it ended before it was ready, with its last line.
    """

    def __init__(
        self,
        options: Sequence[str] = (),
        command: Sequence[str] = ("suresam.cli", "serve"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (our own command)
            (
                *(sys.executable, "-u", "-m", *command),
                *("--http-port", "0", "--grpc-port", "0", "--log-level", "error"),
                # Whoever stops it has no callers left who would have to be told.
                *("--drain-delay-s", "0"),
                *options,
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None, "it is a pipe"
        lines: list[str] = []
        for line in self._process.stdout:
            lines.append(line)
            if "curl" in line:
                break
        self.greeting = "".join(lines)
        # A server that fails a lot logs a lot, and would wait for ever once the pipe is full.
        self._reading = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reading.start()
        url = re.search(r"REST +(http://\S+)", self.greeting)
        address = re.search(r"gRPC +(\S+)", self.greeting)
        if url is None or address is None:
            self.stop()
            raise ConfigurationError(
                f"{' '.join(command)} ended: {lines[-1].strip() if lines else ''}"
            )
        self.url = url.group(1)
        self.address = address.group(1)
        self.pid = self._process.pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self._process.send_signal(number)
        code = self._process.wait(timeout=_STOP_S)
        self._reading.join()
        assert self._process.stdout is not None, "it is a pipe"
        self._process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
