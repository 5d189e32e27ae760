"""The `suresam` command: one file for each sub-command."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from suresam.cli import (
    bench,
    calibrate,
    calibrate_route,
    evaluate,
    keys,
    models,
    scenes,
    segment,
    serve,
    train,
)
from suresam.errors import ConfigurationError, ServiceError
from suresam.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Returns:
        0 done, 2 wrong use or configuration (one line on stderr), 1 anything else.
    """
    parser = _Parser(
        prog="suresam", description="Segment Anything masks that say how far they can be trusted."
    )
    parser.add_argument("--version", action="version", version=f"suresam {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        serve, segment, keys, models, train, evaluate, calibrate, calibrate_route, scenes, bench,
    ):  # fmt: skip
        command.add_parser(commands)
    try:
        options = parser.parse_args(_with_joined_command(arguments))
        status: int = options.run(options)
    except ConfigurationError as error:
        print(f"suresam: {error}", file=sys.stderr)
        return 2
    except ServiceError as error:
        print(f"suresam: {error.code}: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _with_joined_command(arguments: Sequence[str] | None) -> list[str]:
    """`calibrate route` is one command beside `calibrate DATASET`, which argparse cannot tell."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if " ".join(words[:2]) == calibrate_route.NAME:
        words[:2] = [calibrate_route.NAME]
    return words


class _Parser(argparse.ArgumentParser):
    """A parser, and its sub-commands' parsers, that tell wrong use as a configuration error."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """As argparse's, but whoever does not know an option says so, with its own help."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message} (see `{self.prog} --help`)")
