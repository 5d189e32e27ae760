"""`suresam models`: which models there are, fetching weights and heads, checking them."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suresam.cli import import_heads, verify_run
from suresam.cli.whole_family import chosen_models_dir
from suresam.columns import aligned
from suresam.errors import CheckpointError, ConfigurationError, NonFiniteOutput
from suresam.outputs import prepare_folder

if TYPE_CHECKING:  # torch comes with these, and `suresam --help` should not wait for it
    from suresam.segmentation.manifests import Family, ModelManifest

_HEADINGS = ("NAME", "FAMILY", "ROLE", "SIZE", "STATE", "LICENCE", "SHA256")
_HASH_SHOWN = 12


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `models list`, `pull`, `verify`, `register` and `import-heads`."""
    parser = subparsers.add_parser("models", help="list, download and check models")
    commands = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--models-dir",
        type=Path,
        metavar="DIR",
        help="your own folder of manifests and weights; searched first, and downloads go there "
        "(default: SURESAM_MODELS_DIR)",
    )

    listing = commands.add_parser("list", parents=[common], help="show all known models")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(run=partial(_run, _list))

    pull = commands.add_parser("pull", parents=[common], help="download weights")
    pull.add_argument("names", nargs="+", metavar="NAME", help="a model, or a family for all of it")
    pull.add_argument(
        "--mirror", metavar="URL", help="folder on another server that has files of the same names"
    )
    pull.set_defaults(run=partial(_run, _pull))

    verify = commands.add_parser(
        "verify",
        parents=[common],
        help="check hash and shapes of installed weights and heads; with --run, try them out",
    )
    verify.add_argument(
        "names", nargs="*", metavar="NAME", help="a model or family; default: all installed models"
    )
    verify_run.add_options(verify)
    verify.set_defaults(run=partial(_run, _verify))

    register = commands.add_parser(
        "register", parents=[common], help="write what weights are into their manifest"
    )
    register.add_argument("name", metavar="NAME", help="a model whose weights you have trained")
    register.add_argument(
        "--report", type=Path, metavar="FILE", help="JSON object that becomes the provenance"
    )
    register.set_defaults(run=partial(_run, _register))

    importing = import_heads.add_parser(commands, common)
    importing.set_defaults(run=partial(_run, import_heads.run))


def _run(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command in the folder that the command line names, or else the settings."""
    args.models_dir = chosen_models_dir(args)
    return command(args)


def _list(args: argparse.Namespace) -> int:
    from suresam.segmentation.manifests import list_families, list_manifests

    families = list_families(args.models_dir)
    entries = [_entry(m, families, args.models_dir) for m in list_manifests(args.models_dir)]
    if args.json:
        print(json.dumps({"models": entries}, indent=2))
        return 0
    rows = [_HEADINGS, *map(_row, entries)]
    print("\n".join(aligned(rows, left=len(_HEADINGS))))
    return 0


def _entry(
    manifest: "ModelManifest", families: tuple["Family", ...], models_dir: Path | None
) -> dict[str, Any]:
    from suresam.segmentation.model_folders import bundled_folder
    from suresam.segmentation.weights import find_weights

    path = find_weights(manifest, models_dir)
    if path is None:
        state = "missing"
    else:
        state = "bundled" if path.parent == bundled_folder() else "present"
    roles = {
        family.name: family.roles_of(manifest.name)
        for family in families
        if manifest in family.members
    }
    return {
        "name": manifest.name,
        "families": [{"name": name, "roles": list(held)} for name, held in roles.items()],
        "size_bytes": manifest.size_bytes if path is None else path.stat().st_size,
        "state": state,
        "path": None if path is None else str(path),
        "licence": manifest.licence,
        "sha256": manifest.sha256,
    }


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    families, size_bytes = entry["families"], entry["size_bytes"]
    return (
        entry["name"],
        ",".join(family["name"] for family in families) or "-",
        ",".join("+".join(family["roles"]) or "member" for family in families) or "-",
        "?" if size_bytes is None else f"{size_bytes / 1e6:.1f} MB",
        entry["state"],
        entry["licence"],
        (entry["sha256"] or "-")[:_HASH_SHOWN],
    )


def _pull(args: argparse.Namespace) -> int:
    from suresam.segmentation.downloads import DownloadError, pull_model
    from suresam.segmentation.manifests import select_models

    if args.models_dir is not None:
        try:
            args.models_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"cannot make {args.models_dir}: {error.strerror}") from error
    for manifest in select_models(args.names, args.models_dir):
        try:
            path = pull_model(manifest, args.models_dir, mirror=args.mirror)
        except DownloadError as error:
            print(f"{manifest.name}: {error}", file=sys.stderr)
            return 1
        print(f"{manifest.name}: {path}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from suresam.segmentation.checkpoints import load_model
    from suresam.segmentation.manifests import list_manifests, load_family, select_models
    from suresam.segmentation.weights import find_weights
    from suresam.uncertainty.member_heads import load_member_heads

    if args.is_tried:
        prepare_folder(args.out)
    if args.names:
        models = select_models(args.names, args.models_dir)
    else:
        known = list_manifests(args.models_dir)
        models = tuple(m for m in known if find_weights(m, args.models_dir) is not None)
        if not models:
            print("no weights are installed; `suresam models list` shows what can be had")
    num_failed = 0
    for manifest in models:
        try:
            load_model(manifest, args.models_dir)
            family = load_family(verify_run.family_of(manifest, args.models_dir), args.models_dir)
            load_member_heads(manifest, family, "cpu", args.models_dir)
            print(f"{manifest.name}: ok", flush=True)
            if args.is_tried:
                verify_run.try_out(manifest, args)
        except (CheckpointError, NonFiniteOutput) as error:
            num_failed += 1
            print(f"{manifest.name}: FAILED: {error}", flush=True)
    return 1 if num_failed else 0


def _register(args: argparse.Namespace) -> int:
    from suresam.segmentation.checkpoints import load_model
    from suresam.segmentation.manifests import load_manifest, write_manifest
    from suresam.segmentation.weights import file_sha256, require_weights

    manifest = load_manifest(args.name, args.models_dir)
    weights = require_weights(manifest, args.models_dir)
    manifest = replace(
        manifest,
        sha256=file_sha256(weights),
        size_bytes=weights.stat().st_size,
        provenance=manifest.provenance if args.report is None else _read_report(args.report),
    )
    load_model(manifest, args.models_dir)
    assert manifest.folder is not None  # it was read from one
    print(f"{manifest.name}: {write_manifest(manifest, manifest.folder)}")
    return 0


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    if not isinstance(report, dict):
        raise ConfigurationError(f"{path} must hold a JSON object")
    return report
