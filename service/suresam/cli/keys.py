"""`suresam keys`: make API keys, and show who has one."""

import argparse
import os
import sys
from pathlib import Path

from suresam.access.caller import SCOPES
from suresam.access.key import digest_of, new_key
from suresam.access.key_list import KeyEntry, parse_keys, parse_name, parse_scopes, read_key_file
from suresam.access.limits import KeyLimits
from suresam.columns import aligned
from suresam.errors import ConfigurationError

_LIMITS = {
    "requests_per_s": (float, "requests a second in the long run"),
    "burst": (int, "requests at once after a pause (default: one second's worth)"),
    "concurrent": (int, "requests in progress"),
    "device_ms_per_s": (float, "milliseconds of device time a second in the long run"),
    "large_share": (
        float,
        "part of the requests in auto mode that may go to a larger member, 0 to 1",
    ),
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("keys", help="API keys: new, list", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = commands.add_parser(
        "new",
        help="make a key",
        description="Print a new key and, behind it, its line for the file of `suresam serve "
        "--api-keys-file`. The file holds only a hash: the key is shown this once. A second key "
        "of the same name belongs to the same tenant.",
    )
    new.add_argument("name", metavar="NAME", help="of the tenant who will have it")
    new.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help=f"one of {', '.join(SCOPES)}; repeatable (default: infer)",
    )
    for name, (kind, text) in _LIMITS.items():
        option = f"--{name.replace('_', '-')}"
        new.add_argument(option, type=kind, metavar="N", help=text)
    new.add_argument(
        "--file", type=Path, metavar="FILE", help="add the line to this file; print only the key"
    )
    new.set_defaults(run=_new)
    listing = commands.add_parser("list", help="show whose keys a file holds")
    listing.add_argument("file", type=Path, metavar="FILE")
    listing.set_defaults(run=_list)


def _new(options: argparse.Namespace) -> int:
    key = new_key()
    name, scopes = parse_name(options.name), parse_scopes(options.scope or ["infer"])
    limits = KeyLimits(**{limit: getattr(options, limit) for limit in _LIMITS})
    line = KeyEntry(name, scopes, digest_of(key), limits).line()
    parse_keys([line], "the new key")  # of limits that cannot be
    if options.file is not None:
        _append(options.file, line)
    print(key)
    if options.file is None:
        print(line)
    else:
        print(f"added {name} to {options.file}; the key is shown this once", file=sys.stderr)
    return 0


def _append(path: Path, line: str) -> None:
    """Add a line in one step: who reads meanwhile sees the old file or the new one."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    parse_keys([*lines, line], str(path))
    draft = path.with_name(f".{path.name}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join((*lines, line, "")))
        if path.exists():
            draft.chmod(path.stat().st_mode)
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def _list(options: argparse.Namespace) -> int:
    rows = [("name", "scopes", "sha256", "limits")]
    for entry in read_key_file(options.file):
        name, scopes, digest, *limits = entry.line().split()
        rows.append((name, scopes, digest.removeprefix("sha256:")[:12], " ".join(limits) or "-"))
    print("\n".join(aligned(rows, left=4)))
    return 0
