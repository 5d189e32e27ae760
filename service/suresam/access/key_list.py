"""Lines that tell the keys: who, what for, the digest of the key, and how much."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from suresam.access.caller import SCOPES, Scope
from suresam.access.key import PREFIX
from suresam.access.limits import KeyLimits
from suresam.errors import ConfigurationError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")
_COUNTS = ("burst", "concurrent")
_RATES = ("requests_per_s", "device_ms_per_s")
_SHARES = ("large_share",)
_LIMITS = (*_RATES, *_COUNTS, *_SHARES)
_FORM = "NAME SCOPE[,SCOPE] sha256:HEX [LIMIT=NUMBER ...]"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One line.

    Attributes:
        name: of the tenant. Several keys may have it: an old and a new one, while they are changed.
        scopes: what it may ask for.
        digest: SHA-256 of the key, 32 bytes.
        limits: the same on every line of a name.
    """

    name: str
    scopes: frozenset[Scope]
    digest: bytes
    limits: KeyLimits

    def line(self) -> str:
        """As it stands in a file."""
        stated = (
            f"{name}={value:.15g}"
            for name in _LIMITS
            if (value := getattr(self.limits, name)) is not None
        )
        scopes = ",".join(scope for scope in SCOPES if scope in self.scopes)
        return " ".join((self.name, scopes, f"sha256:{self.digest.hex()}", *stated))


def read_key_file(path: Path) -> list[KeyEntry]:
    """The keys of a file; none, if it holds none.

    Raises:
        ConfigurationError: it cannot be read, or a line is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read the API keys in {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the API keys in {path} are not UTF-8 text") from None
    return parse_keys(text.splitlines(), str(path))


def parse_keys(lines: Iterable[str], where: str) -> list[KeyEntry]:
    """The keys of lines; empty ones and comments (`#`) do not count.

    A message never repeats what a line holds: somebody may have put the key itself there.

    Args:
        lines: each NAME SCOPE[,SCOPE] sha256:HEX [LIMIT=NUMBER ...].
        where: for messages.

    Raises:
        ConfigurationError: with the number of the line that is wrong.
    """
    entries: list[KeyEntry] = []
    limits_of: dict[str, KeyLimits] = {}
    digests: set[bytes] = set()
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            entry = _entry(words)
            if entry.digest in digests:
                raise ConfigurationError("the same key stands in an earlier line")
            if limits_of.setdefault(entry.name, entry.limits) != entry.limits:
                raise ConfigurationError(f"{entry.name} has other limits in an earlier line")
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}, line {number}: {error}") from None
        digests.add(entry.digest)
        entries.append(entry)
    return entries


def parse_name(text: str) -> str:
    """A tenant's name.

    Raises:
        ConfigurationError: it has another form; the message does not repeat it.
    """
    if text.startswith(PREFIX):
        raise ConfigurationError("a key stands where the name should; it is known now, replace it")
    if not _NAME.fullmatch(text):
        raise ConfigurationError(
            f"the name ({len(text)} characters) must be 1 to 64 letters, digits, '.', '_' or '-', "
            "the first a letter or digit"
        )
    return text


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their names.

    Raises:
        ConfigurationError: none, or one that does not exist.
    """
    chosen = list(names)
    found = frozenset(scope for scope in SCOPES if scope in chosen)
    if not found or any(name not in SCOPES for name in chosen):
        raise ConfigurationError(f"the scopes must be of {', '.join(SCOPES)}, with commas between")
    return found


def _entry(words: list[str]) -> KeyEntry:
    if len(words) < 3:
        raise ConfigurationError(f"{len(words)} words; a key needs {_FORM}")
    name, scopes, digest, *limits = words
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ConfigurationError(
            "the third word must be sha256: and 64 hexadecimal digits, not the key itself "
            "(`suresam keys new` prints the line)"
        )
    return KeyEntry(
        parse_name(name),
        parse_scopes(scopes.split(",")),
        bytes.fromhex(found.group(1)),
        _limits(limits),
    )


def _limits(words: Iterable[str]) -> KeyLimits:
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in _LIMITS:
            raise ConfigurationError(f"an unknown limit (known: {', '.join(_LIMITS)})")
        if name in values:
            raise ConfigurationError(f"{name} stands there twice")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if name in _SHARES:
            if not 0 <= value <= 1:
                raise ConfigurationError(f"{name}={text[:16]} must be a part, 0 to 1")
        elif not 0 < value < math.inf or (name in _COUNTS and value != int(value)):
            kind = "a whole number above 0" if name in _COUNTS else "a number above 0"
            raise ConfigurationError(f"{name}={text[:16]} must be {kind}")
        values[name] = int(value) if name in _COUNTS else value
    if "burst" in values and "requests_per_s" not in values:
        raise ConfigurationError("burst needs requests_per_s beside it")
    return KeyLimits(**values)  # type: ignore[arg-type]  # counts are whole, as just checked
