"""Encryption of both servers, from files that may change while they run."""

import logging
import math
import ssl
from pathlib import Path

import grpc

from suresam.app.certificate import expires_at
from suresam.app.file_watch import FileWatch
from suresam.errors import ConfigurationError
from suresam.settings import Settings
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)


class Tls:
    """The certificate that new connections see, and the authority that their clients must be of.

    Connections that are open keep what they began with.

    Args:
        cert: PEM file of the certificate and those that link it to its authority.
        key: PEM file of its private key, without a password.
        client_ca: PEM file of the authorities of clients' certificates; None asks for none.

    Raises:
        ConfigurationError: a file cannot be read, or they do not fit together.
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self.load()
        self.context = self._newest
        self.context.sni_callback = self._take_newest

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        files = (self._cert, self._key)
        return files if self._client_ca is None else (*files, self._client_ca)

    def load(self) -> None:
        """Read the files; if they cannot be used, what was read before stays.

        Raises:
            ConfigurationError: a file cannot be read, or they do not fit together.
        """
        newest = self._read_context()
        try:
            pair = self._key.read_bytes(), self._cert.read_bytes()
            client_ca = None if self._client_ca is None else self._client_ca.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}") from None
        self._newest = newest
        read = {"server": pair[1], "client_ca": client_ca}
        self.expire_at = {
            name: expires_at(pem.decode("latin-1")) for name, pem in read.items() if pem is not None
        }
        """When the first certificate of each file expires, Unix seconds, or None."""
        self._configuration = grpc.ssl_server_certificate_configuration([pair], client_ca)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """The same for gRPC."""
        credentials: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
            self._configuration, lambda: self._configuration, self._client_ca is not None
        )
        return credentials

    def _read_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # A connection that is resumed shows no certificate, be it that of an authority which is
        # trusted no more.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        try:
            context.load_cert_chain(self._cert, self._key, password=_refuse_password)
            if self._client_ca is not None:
                context.minimum_version = ssl.TLSVersion.TLSv1_3
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self._client_ca)
        except OSError as error:  # ssl's errors, too
            names = ", ".join(map(str, self.paths))
            reason = error.strerror or str(error)
            raise ConfigurationError(f"cannot use {names} for TLS: {reason}") from None
        return context

    def _take_newest(
        self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> None:
        # Called for every new connection, whatever name its client asks for.
        connection.context = self._newest


def open_tls(settings: Settings) -> Tls | None:
    """The encryption that the settings ask for, or None.

    Raises:
        ConfigurationError: its files cannot be used.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    client_ca = None if settings.tls_client_ca is None else Path(settings.tls_client_ca)
    return Tls(Path(settings.tls_cert), Path(settings.tls_key), client_ca)


def watch_tls(tls: Tls, telemetry: Telemetry) -> FileWatch:
    """Who takes up changes of the files, and tells when what they hold expires."""

    def reload() -> None:
        tls.load()
        for name, moment in tls.expire_at.items():
            telemetry.tls_certificate_expiry.labels(name).set(
                math.nan if moment is None else moment
            )
        logger.info("TLS certificate read from %s", tls.paths[0])

    return FileWatch("TLS certificate", tls.paths, reload)


def _refuse_password() -> str:
    raise ConfigurationError("the TLS key is encrypted; it must have no password")
