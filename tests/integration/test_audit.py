"""`make audit` with pip-audit itself, before a PyPI of our own."""

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from programs import program
from supply import audit
from supply.pins import Pins

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl command makes the certificate"
)

BAD, VERSION = audit.KNOWN_BAD
HOLE = {"id": "PYSEC-1", "aliases": [], "fixed_in": ["9.1"], "summary": "A hole.", "details": ""}
ASKED = {"one": "1.0", "two": "2.0"}


class Proxy(BaseHTTPRequestHandler):
    """Lets itself be asked for a way to pypi.org, and answers at its end."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile.close()
        self.setup()
        self.close_connection = False  # whatever version of HTTP asks for the way

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def do_GET(self) -> None:
        _, _, name, version, _ = self.path.split("/")
        known = self.server.vulnerabilities.get((name, version))
        body = json.dumps({"vulnerabilities": known}).encode()
        self.send_response(404 if known is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Pypi(ThreadingHTTPServer):
    """Knows the vulnerabilities of some packages: a list for each that it has at all."""

    daemon_threads = True
    context: ssl.SSLContext
    vulnerabilities: dict[tuple[str, str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pypi")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=pypi.org", "-addext", "subjectAltName=DNS:pypi.org"),
            *("-days", "2", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def pypi(certificate, monkeypatch) -> Iterator[Pypi]:
    cert, key = certificate
    with Pypi(("127.0.0.1", 0), Proxy) as server:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(cert, key)
        server.vulnerabilities = {(name, version): [] for name, version in ASKED.items()}
        server.vulnerabilities[BAD, VERSION] = [HOLE]
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def outcome(monkeypatch, capsys):
    """Runs the audit of two packages and gives its exit code and what it printed."""
    program("pip-audit")
    monkeypatch.setattr(audit, "runtime", lambda: ASKED)
    monkeypatch.setattr(audit, "pinned", lambda _: {})

    def run() -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            audit.main()
        told = capsys.readouterr()
        return ended.value.code, told.out + told.err

    return run


def nothing(pins: Pins) -> audit.Vulnerabilities:
    return {name: [] for name in pins}


def test_nothing_known_of_any_package_is_success(outcome, monkeypatch):
    monkeypatch.setattr(audit, "ask", lambda pins: {**nothing(pins), BAD: [HOLE]})
    assert outcome() == (0, "2 packages asked about, 0 with known vulnerabilities\n")


def test_a_known_vulnerability_is_named_with_its_remedy(pypi, outcome):
    pypi.vulnerabilities["two", "2.0"] = [HOLE]
    code, told = outcome()
    assert code == 1
    assert told.splitlines() == [
        "two 2.0: PYSEC-1, fixed in 9.1",
        "2 packages asked about, 1 with known vulnerabilities",
    ]


def test_a_package_that_cannot_be_looked_up_makes_it_not_run(pypi, outcome):
    del pypi.vulnerabilities["two", "2.0"]
    code, told = outcome()
    assert code == 3
    assert told.startswith("not run: ")
    assert "two (2.0)" in told


def test_a_mirror_without_vulnerabilities_makes_it_not_run(outcome, monkeypatch):
    monkeypatch.setattr(audit, "ask", nothing)
    code, told = outcome()
    assert code == 3
    assert told.startswith("not run: ")
    assert f"no vulnerability in {BAD} {VERSION}" in told


def test_a_database_out_of_reach_makes_it_not_run(pypi, outcome, monkeypatch):
    pypi.shutdown()
    pypi.server_close()
    code, told = outcome()
    assert code == 3
    assert told.startswith("not run: ")
