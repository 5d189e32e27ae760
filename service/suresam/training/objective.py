"""The loss of one training step: clicks, boxes, corrections, self-estimates and pixel contrast."""

import numpy as np
import torch
from torch import Tensor

from suresam.segmentation.architecture import ImageModel
from suresam.training.batches import Batch
from suresam.training.corrections import correct
from suresam.training.forward import (
    Decoded,
    Features,
    box_prompt,
    decode,
    encode,
    image_of_rows,
)
from suresam.training.losses import answer_loss, contrastive_loss
from suresam.training.recipe import JointStage

Figures = dict[str, float]


def encoder_objective(
    model: ImageModel, batch: Batch, pixels: int, generator: torch.Generator
) -> tuple[Tensor, Figures]:
    """Loss of the encoder stage: contrast on the finest and the coarsest map.

    Args:
        pixels: pixels an image in the contrastive loss.
        generator: source of every random choice of the step.
    """
    features = encode(model, batch.pixels)
    fine, coarse = _contrast(features, batch, pixels, generator)
    loss = fine + coarse
    return loss, {"loss": loss.item(), "fine": fine.item(), "coarse": coarse.item()}


def joint_objective(
    model: ImageModel,
    batch: Batch,
    stage: JointStage,
    pixels: int,
    progress: float,
    generator: torch.Generator,
) -> tuple[Tensor, Figures]:
    """Loss of the joint stage, and IoUs of the batch at low resolution.

    Args:
        pixels: pixels an image in the contrastive loss.
        progress: share of the stage done, in [0, 1]; it brings in corrections and exact areas.
        generator: source of every random choice of the step.
    """
    features = encode(model, batch.pixels)
    plain = stage.plain_share * float(np.clip((progress - 0.5) / 0.3, 0, 1))
    clicks, click_loss, click_figures = _clicks(model, features, batch, stage, plain)
    box_losses, box_figures = _boxes(model, features, batch, stage, plain, generator)
    fine, coarse = _contrast(features, batch, pixels, generator)
    loss = click_loss + box_losses + stage.weight_contrast * (fine + coarse)
    figures = {"fine": fine.item(), "coarse": coarse.item(), **click_figures, **box_figures}
    if progress >= stage.corrections_from:
        corrected, iou = correct(model, features, batch, clicks, stage, plain, generator)
        loss = loss + stage.weight_corrections * corrected
        figures["corrected_iou"] = iou
    return loss, {"loss": loss.item(), **figures}


def _contrast(
    features: Features, batch: Batch, pixels: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    fine, coarse = (
        contrastive_loss(level, batch.leaves, batch.leaf_object, pixels, generator)
        for level in (features.fine, features.coarse)
    )
    return fine, coarse


def _clicks(
    model: ImageModel, features: Features, batch: Batch, stage: JointStage, plain: float
) -> tuple[Decoded, Tensor, Figures]:
    points = batch.clicks.flatten(0, 1)[:, None]
    truth = batch.click_truth.flatten(0, 1)
    decoded = decode(
        model, features, image_of_rows(batch.clicks), points, torch.ones_like(points[..., 0])
    )
    loss, iou = answer_loss(decoded, truth, stage, plain, is_ambiguous=True)
    top = decoded.predicted_iou[:, 1:].argmax(1, keepdim=True)
    figures = {
        "best_iou": iou[:, 1:].amax(1).mean().item(),
        "top_iou": iou[:, 1:].gather(1, top).mean().item(),
    }
    return decoded, loss, figures


def _boxes(
    model: ImageModel,
    features: Features,
    batch: Batch,
    stage: JointStage,
    plain: float,
    generator: torch.Generator,
) -> tuple[Tensor, Figures]:
    truth = batch.box_truth.flatten(0, 1)
    points, labels, drawn = box_prompt(model, batch.boxes.flatten(0, 1))
    if torch.rand((), generator=generator) < 0.2:
        click = _click_inside(truth, points, generator)
        points = torch.cat([points, click], dim=1)
        labels = torch.cat([labels, torch.ones_like(labels[:, :1])], dim=1)
    is_drawn = torch.rand(len(points), generator=generator) >= stage.corners_only
    is_drawn = is_drawn.to(points.device)
    decoded = decode(model, features, image_of_rows(batch.boxes), points, labels, drawn, is_drawn)
    loss, iou = answer_loss(decoded, truth, stage, plain, is_ambiguous=False)
    figures = {}
    for name, rows in (("box_iou", is_drawn), ("corners_iou", ~is_drawn)):
        if rows.any():
            figures[name] = iou[rows, 0].mean().item()
    return loss, figures


def _click_inside(truth: Tensor, points: Tensor, generator: torch.Generator) -> Tensor:
    """A random place inside every target, (R, 1, 2) in input pixels."""
    weight = (truth > 0.5).flatten(1).float().cpu() + 1e-6
    place = torch.multinomial(weight, 1, generator=generator).to(points.device)
    side = truth.shape[-1]
    return torch.stack([place % side, place // side], dim=2) * 4.0 + 1.5
