"""Encryption of a client's connection where the system's own authorities do not do."""

import ssl
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import grpc

from suresam.errors import ConfigurationError

_Path = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class Tls:
    """What a client trusts, and what it shows of itself; PEM files.

    Attributes:
        ca: authorities of the server's certificate; None for those of the system.
        cert, key: the client's own certificate and its key, without a password, for servers that
            ask for one.
    """

    ca: _Path | None = None
    cert: _Path | None = None
    key: _Path | None = None

    def context(self) -> ssl.SSLContext:
        """For HTTPS.

        Raises:
            ConfigurationError: a file cannot be used.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key, password="")
        except OSError as error:  # ssl's errors, too
            raise ConfigurationError(f"cannot use {self}: {error.strerror or error}") from None
        return context

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For gRPC.

        Raises:
            ConfigurationError: a file cannot be read.
        """
        try:
            return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))
        except OSError as error:
            raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}") from None


def _read(path: _Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
