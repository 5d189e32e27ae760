"""Where the log goes, in every process of the service."""

import logging
import warnings

from suresam.settings import Settings


def log_to_stderr(settings: Settings) -> None:
    """Log lines with time, level and module to standard error."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # About odd uploads; their texts come from strangers and belong into no log.
    warnings.filterwarnings("ignore", module=r"PIL\.")
