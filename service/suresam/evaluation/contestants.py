"""Which models an evaluation asks: members of a family, or weights that nobody registered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suresam.errors import CheckpointError, ConfigurationError
from suresam.evaluation.predictor import BackbonePredictor
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.box_convention import TRAINED_HERE, BoxConvention
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import ModelManifest, load_family
from suresam.segmentation.weights import file_sha256, require_weights


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model that is asked. It travels to another process as a path, and is loaded there again.

    Attributes:
        manifest: what it is.
        weights: its file.
        sha256: of that file.
        predictor: asks it.
    """

    manifest: ModelManifest
    weights: Path
    sha256: str
    predictor: BackbonePredictor

    def __reduce__(self) -> tuple[Any, ...]:
        """Not the tensors: sharing those takes a file descriptor each."""
        return _load_again, (self.manifest, self.weights, self.predictor.backbone.device)


def family_contestants(
    family: str, members: Sequence[str], device: str, models_dir: Path | None = None
) -> list[Contestant]:
    """Members of a family by role or name, each once and in the family's order.

    Raises:
        ConfigurationError: no such family; weights are missing or damaged.
        UnknownModel: no such member.
    """
    known = load_family(family, models_dir)
    chosen = [known.member(member) for member in members]
    return [_load(m, device, models_dir) for m in known.members if m in chosen]


def weights_contestant(
    weights: Path,
    architecture: Architecture,
    name: str,
    device: str,
    *,
    box: BoxConvention = TRAINED_HERE,
) -> Contestant:
    """Weights that no manifest describes, such as those of a training that is not finished.

    Args:
        weights: `.safetensors`, or an official `.pt`.
        architecture: that they fit.
        name: what reports call them.
        device: "cpu" or "cuda".
        box: how the model was taught to read boxes, as by `suresam train segmenter` unless told
            otherwise; the figure "box, corners only" is asked for in any case.

    Raises:
        ConfigurationError: the file is missing, damaged, or not of that architecture.
    """
    if not weights.is_file():
        raise CheckpointError(f"no weights at {weights}")
    if weights.suffix not in (".safetensors", ".pt"):
        raise ConfigurationError(f"{weights} must end with .safetensors or .pt")
    manifest = ModelManifest(
        name=name,
        source="not registered",
        licence="unknown",
        architecture=architecture,
        weights=weights.name,
        box=box,
        # Known beforehand, or the loader would note it down beside the file and hold to it.
        sha256=file_sha256(weights),
        folder=weights.parent,
    )
    return _load(manifest, device, None)


def _load_again(manifest: ModelManifest, weights: Path, device: str) -> Contestant:
    here = replace(manifest, weights=weights.name, folder=weights.parent)
    return replace(_load(here, device, None), manifest=manifest)


def _load(manifest: ModelManifest, device: str, models_dir: Path | None) -> Contestant:
    weights = require_weights(manifest, models_dir)
    predictor = BackbonePredictor.of_model(
        manifest.name,
        load_model(manifest, models_dir),
        device,
        box=manifest.box,
    )
    return Contestant(manifest, weights, file_sha256(weights), predictor)
