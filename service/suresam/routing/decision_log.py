"""What was decided on which evidence, line by line, so that anybody can check it.

No prompts, pictures, ids or tenants stand in it.
"""

import logging
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from logging.handlers import QueueHandler, QueueListener, WatchedFileHandler
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Literal, TextIO

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from suresam.domain import RouteRequest
from suresam.errors import ConfigurationError
from suresam.routing.budget import BudgetTerms
from suresam.routing.policy import Bounds, Decision, Evidence


@dataclass(frozen=True, slots=True)
class Started:
    """A service begins to decide, with an empty budget.

    Attributes:
        members: names, cheapest first.
        bounds: of every decision.
        budget: of all of them.
    """

    members: tuple[str, ...]
    bounds: Bounds
    budget: BudgetTerms
    event: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Decided:
    """One answer of the first member was judged.

    Attributes:
        number: of the decision, from 0.
        evidence: all that it rests on.
        route: what the caller wanted.
        wanted: the member that would have been asked, budget or not; None to stay.
        decision: what was done.
    """

    number: int
    evidence: Evidence
    route: RouteRequest
    wanted: str | None
    decision: Decision
    event: Literal["decided"] = "decided"


@dataclass(frozen=True, slots=True)
class Spent:
    """A larger member that was asked has answered, or not.

    Attributes:
        number: of the decision to ask it.
        spent_ms: device milliseconds that it took.
        error: code of the error that it answered with; None if its answer was given.
    """

    number: int
    spent_ms: float
    error: str | None = None
    event: Literal["spent"] = "spent"


Event = Started | Decided | Spent

Observer = Callable[[Event], None]
"""Is told every event as it happens; must not take long."""

# JSON has no NaN, which a gain may be: as a string it has.
_EVENTS: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Field(discriminator="event")],
    config=ConfigDict(ser_json_inf_nan="strings", extra="forbid"),
)


def read_log(path: str | PathLike[str]) -> Iterator[Event]:
    """The events of a file, which is opened at once and read as they are taken.

    Raises:
        ValueError: a line is none, with its number; on reaching it.
        OSError: the file cannot be read.
    """
    return _events(Path(path).open(encoding="utf-8"), path)


def _events(file: TextIO, path: str | PathLike[str]) -> Iterator[Event]:
    with file:
        for number, line in enumerate(file, 1):
            try:
                yield _EVENTS.validate_json(line)
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise ValueError(f"{fspath(path)}, line {number}: {reason}") from error


class DecisionLog:
    """An observer that appends JSON lines to a file, in a thread of its own.

    A file that was moved away (by logrotate, say) is begun anew.

    Args:
        path: of the file.

    Raises:
        ConfigurationError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            file = WatchedFileHandler(path, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"decision_log={path}: cannot be written: {error.strerror}"
            ) from error
        waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._lines = logging.Logger("decisions")
        self._lines.addHandler(QueueHandler(waiting))
        self._listener = QueueListener(waiting, file)
        self._file = file
        self._listener.start()

    def __call__(self, event: Event) -> None:
        """Append a line."""
        self._lines.info(_EVENTS.dump_json(event).decode())

    def close(self) -> None:
        """Write what waits."""
        self._listener.stop()
        self._file.close()
