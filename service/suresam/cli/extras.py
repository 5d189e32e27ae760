"""Commands that need more than serving does say how to install it."""

import argparse
from collections.abc import Callable
from functools import wraps

from suresam.errors import ConfigurationError

Command = Callable[[argparse.Namespace], int]


def needs_extra(extra: str) -> Callable[[Command], Command]:
    """A command whose missing libraries are told as a configuration error, not a traceback.

    Args:
        extra: of the distribution, as in `pip install -e '.[extra]'` in a checkout.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(options: argparse.Namespace) -> int:
            try:
                return command(options)
            except ModuleNotFoundError as error:
                raise ConfigurationError(
                    f"this command needs {error.name}: `make setup` in a checkout, or there "
                    f".venv/bin/pip install -e '.[{extra}]'"
                ) from None

        return run

    return decorate
