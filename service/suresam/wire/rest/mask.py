"""The JSON of one mask and of how far it can be trusted."""

import base64

from pydantic import Field

from suresam.domain import Mask, Rle, Uncertainty, UncertaintyMap
from suresam.wire.rest.model import AnswerModel, Float16Body


class RleBody(AnswerModel):
    """COCO's compressed run lengths, as pycocotools reads them."""

    size: tuple[int, int] = Field(description="Height and width.")
    counts: str


class SourceBody(AnswerModel):
    """Where score and expected IoU come from."""

    method: str | None
    calibration: str | None


class UncertaintyBody(AnswerModel):
    """How far one mask can be trusted; what was not computed is null."""

    score: float | None = Field(description="0 to 1; higher means trust it less.")
    expected_iou: float | None
    expected_iou_interval: tuple[float, float] | None
    entropy: float | None = Field(description="Bits, 0 to 1.")
    model_gap: float | None = Field(description="Expected gain in IoU from the large member.")
    prompt_gap: float | None = Field(description="Expected gain in IoU from more clicks.")
    task_gap: float | None = Field(description="Expected gain in IoU from another candidate.")
    heads: dict[str, float] | None
    maps: dict[str, Float16Body] | None
    in_regime: bool | None = Field(description="Whether the heads were trained on such prompts.")
    source: SourceBody | None

    @classmethod
    def from_domain(cls, uncertainty: Uncertainty) -> "UncertaintyBody":
        """Write what is known of one mask."""
        heads, maps = uncertainty.heads, uncertainty.maps
        source = SourceBody(method=uncertainty.method, calibration=uncertainty.calibration)
        has_source = uncertainty.method is not None or uncertainty.calibration is not None
        return cls(
            score=uncertainty.score,
            expected_iou=uncertainty.expected_iou,
            expected_iou_interval=uncertainty.expected_iou_interval,
            entropy=uncertainty.entropy,
            model_gap=uncertainty.model_gap,
            prompt_gap=uncertainty.prompt_gap,
            task_gap=uncertainty.task_gap,
            heads=None if heads is None else dict(heads),
            maps=None
            if maps is None
            else {method: Float16Body.from_domain(m.values) for method, m in maps.items()},
            in_regime=uncertainty.in_regime,
            source=source if has_source else None,
        )

    def to_domain(self) -> Uncertainty:
        """What is known of one mask.

        Raises:
            ValueError: a map is damaged.
        """
        maps, source = self.maps, self.source
        return Uncertainty(
            score=self.score,
            expected_iou=self.expected_iou,
            expected_iou_interval=self.expected_iou_interval,
            entropy=self.entropy,
            model_gap=self.model_gap,
            prompt_gap=self.prompt_gap,
            task_gap=self.task_gap,
            heads=self.heads,
            maps=None
            if maps is None
            else {method: UncertaintyMap(values.to_domain()) for method, values in maps.items()},
            in_regime=self.in_regime,
            method=None if source is None else source.method,
            calibration=None if source is None else source.calibration,
        )


class MaskBody(AnswerModel):
    """One mask in the encoding that was asked for."""

    rle: RleBody | None
    png: str | None = Field(description="8-bit grey PNG, 0 and 255, as base64.")
    polygons: tuple[tuple[tuple[tuple[float, float], ...], ...], ...] | None = Field(
        description="Each [exterior, hole, ...], each ring a list of [x, y]."
    )
    low_res_logits: Float16Body | None
    area: int = Field(description="Pixels.")
    bbox: tuple[int, int, int, int] = Field(description="[x, y, width, height] in pixels.")
    predicted_iou: float
    stability: float
    token: int = Field(description="The decoder token that made it, 0 to 3.")
    uncertainty: UncertaintyBody

    @classmethod
    def from_domain(cls, mask: Mask) -> "MaskBody":
        """Write one mask."""
        rle, png, logits = mask.rle, mask.png, mask.low_res_logits
        return cls(
            rle=None if rle is None else RleBody(size=rle.size, counts=rle.counts),
            png=None if png is None else base64.b64encode(png).decode("ascii"),
            polygons=mask.polygons,
            low_res_logits=None if logits is None else Float16Body.from_domain(logits),
            area=mask.area,
            bbox=mask.bbox,
            predicted_iou=mask.predicted_iou,
            stability=mask.stability,
            token=mask.token,
            uncertainty=UncertaintyBody.from_domain(mask.uncertainty),
        )

    def to_domain(self) -> Mask:
        """The mask.

        Raises:
            ValueError: base64 or an array in it is damaged.
        """
        rle, png, logits = self.rle, self.png, self.low_res_logits
        return Mask(
            rle=None if rle is None else Rle(rle.size, rle.counts),
            png=None if png is None else base64.b64decode(png, validate=True),
            polygons=self.polygons,
            low_res_logits=None if logits is None else logits.to_domain(),
            area=self.area,
            bbox=self.bbox,
            predicted_iou=self.predicted_iou,
            stability=self.stability,
            token=self.token,
            uncertainty=self.uncertainty.to_domain(),
        )
