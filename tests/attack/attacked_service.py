"""The real service with API keys in a process of its own, and whether an attack harmed it."""

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from suresam.access.key import digest_of, new_key
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.benchmarks.serve.resident_memory import resident_bytes
from suresam.client import GrpcClient, RetryPolicy
from suresam.domain import Point, Prompt
from suresam.errors import InferenceError, NonFiniteOutput, OutOfMemory, Quarantined, ServiceError

ROOT = Path(__file__).parents[2]
PHOTO = (ROOT / "docs" / "coffee.jpg").read_bytes()
CLICK = Prompt(points=(Point(280, 160),))

PATIENCE_S = 120.0
"""For what a busy machine may take long to do: only a test that fails waits for so long."""

MAX_IMAGE_BYTES = 8 * 2**20
MAX_BODY_BYTES = 16 * 2**20

_OPTIONS = (
    *("--http-port", "0", "--grpc-port", "0", "--log-level", "info", "--log-format", "json"),
    *("--max-image-bytes", str(MAX_IMAGE_BYTES), "--max-body-bytes", str(MAX_BODY_BYTES)),
    *("--session-bytes", str(64 * 2**20), "--cache-bytes", str(64 * 2**20)),
    *("--default-deadline-ms", "120000"),
    *("--max-head-s", "4", "--max-upload-idle-s", "4", "--max-upload-s", "6"),
)
"""As anybody would start it, but with little to hold, so that what is over a limit is quickly sent,
and with patience: a busy machine must not have refused what nothing is wrong with."""

_OWN_FAULTS = frozenset(
    kind.code for kind in (ServiceError, InferenceError, OutOfMemory, NonFiniteOutput, Quarantined)
)
_CRASHED = re.compile(r"Traceback|Segmentation fault|Fatal|Check failed|core dumped|panic")


@dataclass(slots=True)
class AttackedService:
    """A running service, and what a request that nothing is wrong with must be answered.

    Attributes:
        url: of REST, without a slash at the end.
        host, http_port, grpc_port: of both servers.
        key: an API key of all scopes.
        pid: of the process.
        process: itself.
        http: a client with the key, which opens a new connection for every request.
        log: where it writes.
        masks: that a good click must have.
    """

    url: str
    host: str
    http_port: int
    grpc_port: int
    key: str
    pid: int
    process: "subprocess.Popen[str]"
    http: httpx.Client
    log: Path
    masks: list[str] = field(default_factory=list)
    _num_faults: float = 0.0
    _start_s: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """Who may ask."""
        return {"authorization": f"Bearer {self.key}"}

    @property
    def address(self) -> str:
        """Of gRPC."""
        return f"{self.host}:{self.grpc_port}"

    def remember(self) -> None:
        """Take the masks and the process as they are now for right."""
        self.masks = self._masks_by_rest()
        self._start_s = _sum_of(self._metrics(), "process_start_time_seconds")

    def harm(self) -> list[str]:
        """What an attack did since the last look; empty is no harm.

        The process is the one that was started, a click has over both transports the masks that it
        had before, no request was answered by an own fault, and the log tells of no error.
        """
        if self.process.poll() is not None:
            return [f"the process ended with code {self.process.returncode}", *self._log_tail()]
        found: list[str] = []
        for transport, masks_of in (("REST", self._masks_by_rest), ("gRPC", self._masks_by_grpc)):
            try:
                if masks_of() != self.masks:
                    found.append(f"other masks over {transport} than before")
            except (ServiceError, httpx.HTTPError, AssertionError) as error:
                found.append(f"a good click over {transport} failed: {error!r}")
        metrics = self._metrics()
        if _sum_of(metrics, "process_start_time_seconds") != self._start_s:
            found.append("the process was started again")
        num_faults = _sum_of(metrics, "suresam_requests_total", _OWN_FAULTS)
        if num_faults > self._num_faults:
            found.append(f"{num_faults - self._num_faults:g} requests met a fault of the service")
            self._num_faults = num_faults
        return found + self._errors_of_log()

    def resident_mib(self) -> float:
        """Resident memory now."""
        return (resident_bytes(self.pid) or 0) / 2**20

    def forget_peak(self) -> None:
        """Begin to watch for the most resident memory anew, where the system can."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """The most resident memory since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found.group(1)) / 1024 if found else 0.0

    def _metrics(self) -> list[Sample]:
        answer = self.http.get("/metrics")
        assert answer.status_code == 200, answer.text
        families = text_string_to_metric_families(answer.text)
        return [sample for family in families for sample in family.samples]

    def _masks_by_rest(self) -> list[str]:
        request = json.dumps({"prompts": [{"points": [[280, 160]]}]})
        files = {"image": PHOTO}
        answer = self.http.post("/v1/segment", files=files, data={"request": request})
        assert answer.status_code == 200, answer.text
        return [mask["rle"]["counts"] for mask in answer.json()["results"][0]["masks"]]

    def _masks_by_grpc(self) -> list[str]:
        once = RetryPolicy(max_attempts=1)
        with GrpcClient(self.address, api_key=self.key, retry=once) as client:
            answer = client.segment(PHOTO, CLICK)
        return [_text(mask.rle.counts) for mask in answer.results[0].masks]

    def _errors_of_log(self) -> list[str]:
        found = []
        for line in self._new_log().splitlines():
            record = _record(line)
            if record is None:  # not of Python's logging: what the process printed when it died
                if _CRASHED.search(line):
                    found.append(f"log: {line}")
            elif record["level"] in ("error", "critical") or "exception" in record:
                last = str(record.get("exception", "")).strip().splitlines()[-1:]
                found.append(f"log: {record['logger']}: {record['message']} {' '.join(last)}")
        return found

    def _new_log(self) -> str:
        text = self.log.read_text(errors="replace")
        with self.log.open("r+") as log:
            log.truncate()  # the service appends to it
        return text

    def _log_tail(self) -> list[str]:
        return [f"log: {line}" for line in self._new_log().splitlines()[-20:]]


@contextmanager
def attacked_service(folder: Path, *options: str) -> Iterator[AttackedService]:
    """Start the service, and at the end see that SIGTERM stops it with exit code 0.

    Args:
        folder: for its log.
        options: of `suresam serve`, over those of all attacks.
    """
    key = new_key()
    keys = folder / "keys"
    entry = KeyEntry("attacker", frozenset({"infer", "metrics"}), digest_of(key), KeyLimits())
    keys.write_text(entry.line() + "\n")
    log = folder / "log"
    command = (sys.executable, "-u", "-m", "suresam.cli", "serve", *_OPTIONS)
    with log.open("a") as stderr:
        process = subprocess.Popen(
            (*command, "--api-keys-file", str(keys), *options),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=ROOT,
            preexec_fn=_begin_with_few_files,
        )
    try:
        rest, host, *ports = _announced(process, log)
        with httpx.Client(
            base_url=rest,
            headers={"authorization": f"Bearer {key}"},
            timeout=PATIENCE_S,
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as http:
            service = AttackedService(
                rest, host, *map(int, ports), key, process.pid, process, http, log
            )
            service.remember()
            yield service
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.returncode == 0, log.read_text()[-2000:]


def _announced(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str, str, str]:
    """Address, host and port of REST and the port of gRPC, which the log tells once it is ready."""
    while True:
        has_ended = process.poll() is not None
        found = re.search(r"REST (http://([\d.]+):(\d+)), gRPC [\d.]+:(\d+)", log.read_text())
        if found is not None:
            return found.group(1, 2, 3, 4)
        assert not has_ended, log.read_text()
        time.sleep(0.05)


def _begin_with_few_files() -> None:
    """As many systems start a service."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))


def _sum_of(samples: list[Sample], name: str, codes: frozenset[str] | None = None) -> float:
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and (codes is None or sample.labels.get("code") in codes)
    )


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "level" in record else None


def _text(counts: str | bytes) -> str:
    return counts if isinstance(counts, str) else counts.decode()
