"""The loss of one training step: clicks, boxes, corrections, self-estimates and pixel contrast."""

import numpy as np
import torch
from torch import Tensor

from suresam.evaluation.prompts import correction
from suresam.segmentation.architecture import ImageModel
from suresam.training.batches import Batch
from suresam.training.forward import Decoded, Features, box_prompt, decode, encode
from suresam.training.losses import contrastive_loss, iou_loss, mask_iou, mask_loss
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
        corrected, iou = _corrections(model, features, batch, clicks, stage, plain, generator)
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


def _images(prompts: Tensor) -> Tensor:
    """The image of every row of prompts (B, P, ...) once they are flattened."""
    count, each = prompts.shape[:2]
    return torch.arange(count, device=prompts.device).repeat_interleave(each)


def _clicks(
    model: ImageModel, features: Features, batch: Batch, stage: JointStage, plain: float
) -> tuple[Decoded, Tensor, Figures]:
    points = batch.clicks.flatten(0, 1)[:, None]
    truth = batch.click_truth.flatten(0, 1)
    decoded = decode(
        model, features, _images(batch.clicks), points, torch.ones_like(points[..., 0])
    )
    masks = mask_loss(decoded.logits, truth, plain)
    iou = mask_iou(decoded.logits, truth)
    loss = _candidates(masks, stage) + stage.weight_single_click * masks[:, 0].mean()
    loss = loss + stage.weight_iou * iou_loss(decoded.predicted_iou, iou)
    top = decoded.predicted_iou[:, 1:].argmax(1, keepdim=True)
    figures = {
        "best_iou": iou[:, 1:].amax(1).mean().item(),
        "top_iou": iou[:, 1:].gather(1, top).mean().item(),
    }
    return decoded, loss, figures


def _candidates(masks: Tensor, stage: JointStage) -> Tensor:
    """The best of tokens 1 to 3, with a little of all three so that none is forgotten."""
    three = masks[:, 1:]
    return three.amin(1).mean() + stage.weight_all_candidates * three.mean()


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
    decoded = decode(model, features, _images(batch.boxes), points, labels, drawn, is_drawn)
    masks = mask_loss(decoded.logits, truth, plain)
    iou = mask_iou(decoded.logits, truth)
    loss = masks[:, 0].mean() + stage.weight_candidates_box * _candidates(masks, stage)
    loss = loss + stage.weight_iou * iou_loss(decoded.predicted_iou, iou)
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


def _corrections(
    model: ImageModel,
    features: Features,
    batch: Batch,
    clicks: Decoded,
    stage: JointStage,
    plain: float,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """One or two more clicks on half of the clicked prompts, the earlier logits fed back."""
    num_rows = len(clicks.logits)
    device = clicks.logits.device
    chosen = torch.randperm(num_rows, generator=generator)[: max(1, num_rows // 2)].to(device)
    truth = batch.click_truth.flatten(0, 1)[chosen]
    images = _images(batch.clicks)[chosen]
    points = batch.clicks.flatten(0, 1)[chosen][:, None]
    labels = torch.ones_like(points[..., 0])
    top = clicks.predicted_iou[chosen, 1:].argmax(1) + 1
    previous = clicks.logits.detach()[chosen, top]
    loss = truth.new_zeros(())
    iou = truth.new_zeros(())
    rounds = 1 + int(torch.rand((), generator=generator) < 0.5)
    for _ in range(rounds):
        point, label = _next_clicks(previous, truth)
        points, labels = torch.cat([points, point], 1), torch.cat([labels, label], 1)
        has_mask = (torch.rand(len(chosen), generator=generator) < 0.75).to(device)
        decoded = decode(model, features, images, points, labels, previous[:, None], has_mask)
        masks = mask_loss(decoded.logits, truth, plain)
        all_iou = mask_iou(decoded.logits, truth)
        iou = all_iou[:, 0].mean()
        loss = loss + masks[:, 0].mean() / rounds
        loss = loss + stage.weight_candidates_box * _candidates(masks, stage) / rounds
        loss = loss + stage.weight_iou * iou_loss(decoded.predicted_iou, all_iou) / rounds
        previous = decoded.logits.detach()[:, 0]
    return loss, iou.item()


def _next_clicks(previous: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    predicted, actual = (previous > 0).cpu().numpy(), (truth > 0.5).cpu().numpy()
    found = [correction(p, t) for p, t in zip(predicted, actual, strict=True)]
    points = torch.tensor([[x * 4.0 + 1.5, y * 4.0 + 1.5] for x, y, _ in found])
    labels = torch.tensor([[float(label)] for _, _, label in found])
    return points[:, None].to(truth.device), labels.to(truth.device)
