"""Every choice of a segmenter's training, as one JSON file holds it."""

import json
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from suresam.errors import ConfigurationError
from suresam.segmentation.architecture import Architecture


@dataclass(frozen=True, slots=True)
class EncoderStage:
    """First stage: the image encoder alone, by the contrastive loss.

    Attributes:
        steps: optimiser steps; 0 leaves the stage out.
        time_share: part of `--max-minutes` after which the stage ends in any case.
        input_size: side of the training views in pixels.
        images: scenes a step.
        learning_rate: peak of the cosine schedule.
    """

    steps: int = 4000
    time_share: float = 0.19
    input_size: int = 128
    images: int = 8
    learning_rate: float = 8e-4


@dataclass(frozen=True, slots=True)
class JointStage:
    """Second stage: the whole model, on clicks, boxes and corrections.

    Attributes:
        steps: optimiser steps.
        sizes: [progress, input size] pairs: the size from that share of the stage on.
        images, prompts: scenes a step and prompts a scene (half clicks, half boxes).
        area_power: a target is asked for with a chance that goes as its area to this power.
        learning_rate: peak of the cosine schedule.
        ema: decay of the averaged weights, which are the ones exported.
        corrections_from: progress from which corrective clicks are trained as well.
        coarse_masks: share of the correction rounds that begin with a coarse mask of the target
            as mask input instead of the first click's answer.
        scattered_clicks: share of those rounds that begin with two to eight clicks anywhere on the
            target, sent at once.
        corners_only: share of the boxes that are not drawn as a mask input.
        weight_single_click: weight of token 0 for a single click.
        weight_candidates_box: weight of tokens 1 to 3 for boxes and corrections.
        weight_all_candidates: weight of the mean beside the best of the three candidates.
        weight_islands: weight of pieces of a mask that do not touch the target.
        weight_iou: weight of the predicted-IoU head.
        weight_contrast: weight of the contrastive loss.
        weight_corrections: weight of the corrective clicks' masks.
        plain_share: share of unbalanced cross-entropy at the end of the stage.
    """

    steps: int = 2400
    sizes: list[list[float]] = field(default_factory=lambda: [[0.0, 128], [0.2, 256]])
    images: int = 6
    prompts: int = 16
    area_power: float = 0.5
    learning_rate: float = 8e-4
    ema: float = 0.998
    corrections_from: float = 0.3
    coarse_masks: float = 0.2
    scattered_clicks: float = 0.0
    corners_only: float = 0.33
    weight_single_click: float = 0.3
    weight_candidates_box: float = 0.3
    weight_all_candidates: float = 0.05
    weight_islands: float = 0.0
    weight_iou: float = 1.0
    weight_contrast: float = 0.5
    weight_corrections: float = 0.7
    plain_share: float = 0.4

    def size_at(self, progress: float) -> int:
        """Input size in pixels at a share of the stage in [0, 1]."""
        return int([size for start, size in self.sizes if progress >= start][-1])


@dataclass(frozen=True, slots=True)
class Recipe:
    """Architecture, data and both stages.

    Attributes:
        architecture: the model that is built.
        scenes: training scenes to draw.
        scene_size: their side in pixels.
        weight_decay: AdamW's, not on biases, norms and embeddings.
        grad_clip: largest norm of a step's gradient.
        contrast_pixels: pixels an image in the contrastive loss.
    """

    architecture: Architecture
    scenes: int = 9000
    scene_size: int = 256
    weight_decay: float = 0.05
    grad_clip: float = 1.0
    contrast_pixels: int = 128
    encoder: EncoderStage = EncoderStage()
    joint: JointStage = JointStage()

    def __post_init__(self) -> None:
        sizes = [size for _, size in self.joint.sizes]
        if not sizes or self.joint.sizes[0][0] != 0 or int(sizes[-1]) != self.input_size:
            raise ConfigurationError(
                f"joint.sizes must start at progress 0 and end with the architecture's "
                f"input_size {self.input_size}, got {self.joint.sizes}"
            )
        for size in (*sizes, self.encoder.input_size):
            if size % 128 or size > self.scene_size:
                raise ConfigurationError(
                    f"training size {size:g} px must be a multiple of 128 and at most "
                    f"scene_size {self.scene_size} px"
                )
        if self.joint.steps < 1 or self.joint.images < 1 or self.joint.prompts < 2:
            raise ConfigurationError("joint needs at least 1 step, 1 image and 2 prompts")
        if self.architecture.decoder_num_heads % 2:
            raise ConfigurationError("decoder_num_heads must be even")

    @property
    def input_size(self) -> int:
        """Side of the model's input in pixels."""
        return self.architecture.input_size

    def to_dict(self) -> dict[str, Any]:
        """The same values as the JSON file holds them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["architecture"] = self.architecture.to_dict()
        values["encoder"], values["joint"] = asdict(self.encoder), asdict(self.joint)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """Read a recipe; absent fields keep their default.

        Raises:
            ConfigurationError: for an unknown field, a missing architecture or sizes that do
                not fit together.
        """
        values = dict(values)
        if not isinstance(values.get("architecture"), dict):
            raise ConfigurationError("the recipe lacks an architecture")
        architecture = Architecture.from_dict(values.pop("architecture"))
        encoder = EncoderStage(**_known(EncoderStage, values.pop("encoder", {}), "encoder."))
        joint = JointStage(**_known(JointStage, values.pop("joint", {}), "joint."))
        return cls(architecture=architecture, encoder=encoder, joint=joint, **_known(cls, values))


def load_recipe(name: str) -> Recipe:
    """The recipe of a shipped name (`demo-small`, `demo-large`) or of a JSON file.

    Raises:
        ConfigurationError: if there is no such recipe, or it is malformed.
    """
    shipped = resources.files("suresam.training") / "configs" / f"{name}.json"
    try:
        text = shipped.read_text() if shipped.is_file() else Path(name).read_text()
    except OSError as error:
        raise ConfigurationError(f"no such training config: {name} ({error.strerror})") from error
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"training config {name} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"training config {name} must be a JSON object")
    return Recipe.from_dict(values)


def _known(target: type[Any], values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    unknown = sorted(set(values) - {f.name for f in fields(target)})
    if unknown:
        raise ConfigurationError(f"unknown training fields: {prefix}{', '.join(unknown)}")
    return values
