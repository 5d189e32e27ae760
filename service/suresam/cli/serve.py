"""`suresam serve`: its options are the settings."""

import argparse
import json
import signal
from types import FrameType

from suresam.settings import Settings, read_settings


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command; every setting is an option with its description as help."""
    parser = subparsers.add_parser(
        "serve",
        help="serve masks over REST and gRPC",
        description="Serve masks over REST and gRPC. Every option may also be set in the "
        "environment as SURESAM_NAME; the command line wins.",
        argument_default=argparse.SUPPRESS,
    )
    for name, field in Settings.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        default = "" if field.default is None else f" (default: {field.default})"
        text = f"{field.description}{default}".replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
        else:
            parser.add_argument(option, metavar=name.rsplit("_", 1)[-1].upper(), help=text)
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="check values, API keys, TLS files and the family's manifests (no weights, device or "
        "port), print all settings as they stand, as JSON without secrets, and leave; null and "
        "auto are decided at start, and the log tells what became of them",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    # Until the service handles it: process 1 of a container would ignore it while models load.
    signal.signal(signal.SIGTERM, _leave)
    chosen = vars(options).copy()
    del chosen["run"]
    is_asked_only = chosen.pop("print_config", False)
    settings = read_settings(chosen)
    if is_asked_only:
        from suresam.app import check_named

        check_named(settings)
        print(json.dumps(settings.stated(), indent=2))
        return 0
    from suresam.app import serve  # brings torch along, which takes seconds

    serve(settings)
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
