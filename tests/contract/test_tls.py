"""TLS on both servers: who is let in, and certificates that change while they run."""

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from device import CLICK, until, value
from programs import ROOT

from suresam.app.certificate import expires_at
from suresam.client import AsyncClient, AsyncGrpcClient, Tls
from suresam.errors import ConfigurationError

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl command makes the certificates"
)

ANSWER_S = 20
DOCKERFILE = ROOT / "Dockerfile"


@dataclass
class Authority:
    """Makes certificates with openssl."""

    folder: Path
    name: str

    def __post_init__(self):
        self.cert, self.key = self.folder / f"{self.name}.pem", self.folder / f"{self.name}.key"
        self._openssl(
            "req", "-x509", *self._new_key(self.key), "-days", "2", "-subj", f"/CN={self.name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-out", self.cert,
        )  # fmt: skip

    def issue(self, name: str, days: int = 2) -> tuple[Path, Path]:
        """A certificate for this machine, and its key."""
        cert, key, ask, more = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr", "x"))
        more.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        self._openssl("req", *self._new_key(key), "-subj", f"/CN={name}", "-out", ask)
        self._openssl(
            "x509", "-req", "-in", ask, "-CA", self.cert, "-CAkey", self.key, "-days", str(days),
            "-set_serial", str(abs(hash(name))), "-extfile", more, "-out", cert,
        )  # fmt: skip
        return cert, key

    def encrypted(self, key: Path) -> Path:
        """A key that needs a password."""
        secret = key.with_suffix(".secret")
        self._openssl("pkey", "-in", key, "-aes128", "-passout", "pass:word", "-out", secret)
        return secret

    def end_of(self, cert: Path) -> int:
        """When a certificate expires, as openssl reads it."""
        asked = ["openssl", "x509", "-in", str(cert), "-noout", "-enddate"]
        told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        return ssl.cert_time_to_seconds(told.strip().removeprefix("notAfter="))

    def _new_key(self, key):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@pytest.fixture(scope="module")
def issued(authority):
    """A server's certificate and key, and a client's."""
    return (*authority.issue("server"), *authority.issue("client"))


def client_of(running, transport, tls):
    if transport == "rest":
        return AsyncClient(f"https://127.0.0.1:{running.http_port}", tls=tls, timeout_s=ANSWER_S)
    return AsyncGrpcClient(f"127.0.0.1:{running.grpc_port}", tls=tls, timeout_s=ANSWER_S)


def port_of(running, transport):
    return running.http_port if transport == "rest" else running.grpc_port


def certificate_shown(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))


async def test_both_servers_speak_tls_and_nothing_else(
    serving, connect, transport, authority, stranger, issued, photo
):
    cert, key, *_ = issued
    async with serving(tls_cert=str(cert), tls_key=str(key)) as running:
        async with client_of(running, transport, Tls(authority.cert)) as client:
            assert len((await client.segment(photo(), CLICK)).results[0].masks) == 3
        async with client_of(running, transport, Tls(stranger.cert)) as client:
            assert not await client.ready()
        async with connect(running, transport, timeout_s=ANSWER_S) as client:
            assert not await client.ready()


@pytest.mark.parametrize("has_tls", [False, True])
async def test_the_images_health_check_asks_whether_work_is_taken(serving, issued, has_tls):
    [command] = re.findall(r"^HEALTHCHECK .*\n +CMD (.*)$", DOCKERFILE.read_text(), re.MULTILINE)
    cert, key, *_ = issued
    tls = {"tls_cert": str(cert), "tls_key": str(key)} if has_tls else {}
    environment = os.environ | ({"SURESAM_TLS_CERT": str(cert)} if has_tls else {})

    async def exit_code(port):
        _, *arguments = json.loads(command.replace("8080", str(port)))
        check = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)
        return await check.wait()

    async with serving(drain_delay_s=60, **tls) as running:
        assert await exit_code(running.http_port) == 0
        stop = asyncio.create_task(running.stop())
        await until(lambda: not running.is_ready())
        assert await exit_code(running.http_port) == 1
        running.hurry()
        await stop


async def test_clients_must_show_a_certificate_of_the_authority(
    serving, transport, authority, stranger, issued, photo
):
    cert, key, client_cert, client_key = issued
    tls = {"tls_cert": str(cert), "tls_key": str(key), "tls_client_ca": str(authority.cert)}
    async with serving(**tls) as running:
        own = Tls(authority.cert, client_cert, client_key)
        async with client_of(running, transport, own) as client:
            assert len((await client.segment(photo(), CLICK)).results[0].masks) == 3
        for shown in ((None, None), stranger.issue("other")):
            async with client_of(running, transport, Tls(authority.cert, *shown)) as client:
                assert not await client.ready()


async def test_a_new_certificate_is_shown_and_a_broken_one_is_not(
    serving, transport, authority, tmp_path, caplog
):
    cert, key = tmp_path / "cert", tmp_path / "key"

    def install(name):
        for path, made in zip((cert, key), authority.issue(name), strict=True):
            path.write_bytes(made.read_bytes())
        return cert.read_text()

    first = install("first")
    async with serving(tls_cert=str(cert), tls_key=str(key)) as running:
        port = port_of(running, transport)
        assert await asyncio.to_thread(certificate_shown, port) == first
        second = install("second")
        running.read_files_again()
        assert await asyncio.to_thread(certificate_shown, port) == second
        assert expiry(running, "server") == authority.end_of(cert)
        key.write_text("nothing")
        running.read_files_again()
        assert "what was read before still holds: cannot use" in caplog.text
        assert await asyncio.to_thread(certificate_shown, port) == second


def expiry(running, certificate):
    name = "tls_certificate_expiry_timestamp_seconds"
    return value(running, name, certificate=certificate)


async def test_it_is_measured_when_certificates_expire(serving, authority, tmp_path):
    """Of several in a file the first that does."""
    cert, key = authority.issue("long", days=20_000)  # beyond 2049 years have four digits
    chain, trusted = tmp_path / "chain", tmp_path / "trusted"
    chain.write_bytes(cert.read_bytes())
    trusted.write_bytes(authority.cert.read_bytes())
    tls = {"tls_cert": str(chain), "tls_key": str(key), "tls_client_ca": str(trusted)}
    async with serving(**tls) as running:
        await until(lambda: expiry(running, "client_ca"))
        assert expiry(running, "client_ca") == authority.end_of(authority.cert)
        assert expiry(running, "server") == authority.end_of(cert) > 2**31
        chain.write_bytes(cert.read_bytes() + authority.cert.read_bytes())
        running.read_files_again()
        assert expiry(running, "server") == authority.end_of(authority.cert)


async def test_without_tls_no_expiry_is_told(serving):
    async with serving() as running:
        text = running.composition.telemetry.exposition().decode()
    assert "suresam_tls_certificate_expiry_timestamp_seconds{" not in text


@pytest.mark.parametrize("damage", ["", "AAAA", "MAMwAQ==", "MIL/"])
def test_a_certificate_that_cannot_be_read_expires_nobody_knows_when(damage):
    text = f"-----BEGIN CERTIFICATE-----\n{damage}\n-----END CERTIFICATE-----\n"
    assert expires_at(text) is None


async def test_an_authority_that_is_trusted_no_more_lets_nobody_in(
    serving, transport, authority, stranger, issued, tmp_path
):
    cert, key, client_cert, client_key = issued
    trusted = tmp_path / "trusted"
    trusted.write_bytes(authority.cert.read_bytes())
    tls = {"tls_cert": str(cert), "tls_key": str(key), "tls_client_ca": str(trusted)}
    own = Tls(authority.cert, client_cert, client_key)
    async with serving(**tls) as running:
        async with client_of(running, transport, own) as client:
            assert await client.ready()
        trusted.write_bytes(stranger.cert.read_bytes())
        running.read_files_again()
        async with client_of(running, transport, own) as client:
            assert not await client.ready()
        theirs = Tls(authority.cert, *stranger.issue("theirs-client"))
        async with client_of(running, transport, theirs) as client:
            assert await client.ready()


async def test_files_that_do_not_fit_are_told_at_start(serving, authority, stranger, issued):
    cert, key, *_ = issued
    secret = authority.encrypted(key)
    with pytest.raises(ConfigurationError, match="the TLS key is encrypted"):
        async with serving(tls_cert=str(cert), tls_key=str(secret)):
            pytest.fail("it listens")
    _, other_key = stranger.issue("unfit")
    for paths in (
        {"tls_cert": str(cert), "tls_key": str(other_key)},
        {"tls_cert": "/nowhere/cert", "tls_key": str(key)},
        {"tls_cert": str(cert), "tls_key": str(key), "tls_client_ca": "/nowhere/ca"},
    ):
        with pytest.raises(ConfigurationError, match="for TLS"):
            async with serving(**paths):
                pytest.fail("it listens")
