"""The keys themselves: how one is made, and the digest that stands for it everywhere else."""

import hashlib
import secrets

PREFIX = "sk_suresam_"
"""Lets people and secret scanners recognise a key."""

_KEY_BYTES = 32
_MOST_CHARACTERS = 256


def new_key() -> str:
    """A random key of 256 bits, with its prefix."""
    return PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def digest_of(key: str) -> bytes:
    """What is stored in place of a key: its SHA-256, 32 bytes.

    A plain, fast hash is right for it: keys are drawn from 2**256, so there is no dictionary that
    a slow hash or a salt would have to protect from, as there is of passwords.
    """
    return hashlib.sha256(key.encode()).digest()


def bearer_key(authorization: str) -> str | None:
    """The key of an `Authorization: Bearer KEY` value; None if it has another form."""
    scheme, _, key = authorization.partition(" ")
    key = key.strip(" ")
    if scheme.lower() != "bearer" or not 0 < len(key) <= _MOST_CHARACTERS or not key.isascii():
        return None
    return key
