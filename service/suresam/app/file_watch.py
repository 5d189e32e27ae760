"""Files that may change while the service runs."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from suresam.errors import ConfigurationError

logger = logging.getLogger(__name__)

_Stamp = tuple[int, int, int] | None


@dataclass(slots=True)
class FileWatch:
    """Calls `reload` when files are not the ones they were; if that fails, the old state stays.

    Attributes:
        name: of what the files hold, for the log.
        paths: links are followed, so that Kubernetes' swapped folders count as a change.
        reload: reads them; a `ConfigurationError` says why they cannot be used.
    """

    name: str
    paths: Sequence[Path]
    reload: Callable[[], None]
    _seen: list[_Stamp] | None = None

    def look(self) -> None:
        """Read the files if they have changed, and the first time in any case."""
        if self._stamps() != self._seen:
            self.read()

    def read(self) -> None:
        """Read the files, whether they have changed or not."""
        # Before they are read: what changes meanwhile is another change.
        self._seen = self._stamps()
        try:
            self.reload()
        except ConfigurationError as error:
            logger.error("%s: what was read before still holds: %s", self.name, error)

    def _stamps(self) -> list[_Stamp]:
        return [_stamp(path) for path in self.paths]


def _stamp(path: Path) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
