"""The record of shadow mode: a JSON line for each comparison, each of them whole by itself.

Lines say which models, heads and calibration they are about, so that files may be cut, joined, or
written by several servers. What a crash leaves of a line is not JSON, and is passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from suresam.errors import ConfigurationError
from suresam.routing.shadow.comparison import Comparison

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class ComparedModels:
    """Whose numbers a comparison holds.

    Attributes:
        small, large: names of the members.
        small_sha256, large_sha256: of their weights.
        heads_sha256: of the heads' file.
        calibration, calibration_sha256: name and file hash of what the small member followed.
    """

    small: str
    large: str
    small_sha256: str
    large_sha256: str
    heads_sha256: str
    calibration: str
    calibration_sha256: str

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file."""

    version: Literal[1]
    models: ComparedModels
    comparison: Comparison

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


_LINE = TypeAdapter(_Line)


@dataclass(frozen=True, slots=True)
class Record:
    """What was read.

    Attributes:
        comparisons: in the order of the files.
        models: whose they are, by "FILE, line N" of the first line that says so.
        num_torn: lines that are not whole.
    """

    comparisons: list[Comparison]
    models: dict[ComparedModels, str]
    num_torn: int


class RecordFile:
    """A file that grows by a line at a time, up to a bound.

    Args:
        path: made if absent; what it holds stays.
        max_bytes: beyond which it does not grow.

    Raises:
        ConfigurationError: it cannot be written.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        try:
            with path.open("ab+") as file:
                if file.tell():
                    file.seek(-1, 2)
                    if file.read(1) != b"\n":  # whoever wrote it died: the next line is another
                        file.write(b"\n")
        except OSError as error:
            raise ConfigurationError(
                f"shadow_file={path}: cannot be written: {error.strerror}"
            ) from error

    def append(self, models: ComparedModels, comparison: Comparison) -> bool:
        """Write a line; whether there was room for it.

        Raises:
            OSError: it cannot be written.
        """
        line = _LINE.dump_json(_Line(1, models, comparison)) + b"\n"
        # Unbuffered, so that a line is one write, which goes to the end whoever writes as well.
        with self.path.open("ab", buffering=0) as file:
            if file.tell() + len(line) > self.max_bytes:
                return False
            file.write(line)
        return True


def read_record(paths: Iterable[Path]) -> Record:
    """Read files of one or more servers.

    Raises:
        ConfigurationError: one cannot be read, or holds something else.
    """
    comparisons: list[Comparison] = []
    models: dict[ComparedModels, str] = {}
    num_torn = 0
    for path in paths:
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
        for number, text in enumerate(lines, 1):
            if not text:
                continue
            where = f"{path}, line {number}"
            line = _read_line(text, where)
            if line is None:
                num_torn += 1
                continue
            comparisons.append(line.comparison)
            models.setdefault(line.models, where)
    return Record(comparisons, models, num_torn)


def _read_line(text: bytes, where: str) -> _Line | None:
    """What a line says; None where it is not whole."""
    try:
        return _LINE.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return None
        name = ".".join(map(str, first["loc"]))
        raise ConfigurationError(
            f"{where} is no line of a shadow record that this program can read: "
            f"{name or 'it'}: {first['msg']} ({str(first['input'])[:64]})"
        ) from error
