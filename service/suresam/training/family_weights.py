"""Weights of a family that stay as they are while everything that rests on them is made anew."""

import json
import shutil
from pathlib import Path

from suresam.errors import CheckpointError, ConfigurationError
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.manifests import load_manifest
from suresam.segmentation.weights import file_sha256, require_weights
from suresam.training.family_plan import MemberPlan
from suresam.training.recipe import load_recipe
from suresam.training.segmenter import REPORT_FILE


def member_weights(state: Path, member: str) -> Path:
    """Where a family's state folder has the weights of a member."""
    return state / f"{member}.safetensors"


def keep_member(member: MemberPlan, installed: Path, state: Path) -> Path:
    """Have weights and training report of a member in the state folder, without training.

    Those that are there already stay: a member that `suresam train segmenter` trained takes its
    place as `NAME.safetensors` and `NAME/report.json`. Else the installed ones are copied, with
    the report in their manifest; where `installed` has no such member, a bundled one.

    Args:
        member: of the plan.
        installed: folder of manifests and weights.
        state: of the family.

    Returns:
        The file that they were taken from.

    Raises:
        ConfigurationError: there are no such weights, or their architecture is not the plan's.
        CheckpointError: the report in the state folder is of other weights, or one is missing.
    """
    weights, report = member_weights(state, member.name), state / member.name / REPORT_FILE
    found = weights
    if weights.exists() != report.exists():  # copying over the one would lose it
        there, absent = (weights, report) if weights.exists() else (report, weights)
        raise CheckpointError(f"{there} is kept only with {absent}, which is not there")
    if not weights.exists():
        try:
            manifest = load_manifest(member.name, installed)
            found = require_weights(manifest, installed)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"no weights of {member.name} to keep: neither {weights} with {report}, nor a "
                f"member that {installed} or the bundled models know ({error})"
            ) from error
        report.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, weights)
        report.write_text(json.dumps(manifest.provenance, indent=2) + "\n")
    told = json.loads(report.read_text())
    if told["weights"]["sha256"] != file_sha256(weights):
        raise CheckpointError(f"{report} is not about {weights}: their SHA-256 differ")
    architecture = load_recipe(member.recipe).architecture
    if Architecture.from_dict(told["recipe"]["architecture"]) != architecture:
        raise ConfigurationError(
            f"{weights} has another architecture than the plan's recipe {member.recipe}"
        )
    return found
