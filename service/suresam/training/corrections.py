"""Training as a person uses the model: click, look, click again where it is wrong."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from suresam.evaluation.prompts import correction
from suresam.segmentation.architecture import ImageModel
from suresam.training.batches import Batch
from suresam.training.forward import Decoded, Features, decode, image_of_rows
from suresam.training.losses import answer_loss
from suresam.training.recipe import JointStage

_ROUNDS = (1, 1, 2, 2, 2, 3, 5)
"""How many corrective clicks a step takes, drawn evenly."""


def correct(
    model: ImageModel,
    features: Features,
    batch: Batch,
    clicks: Decoded,
    stage: JointStage,
    plain: float,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """One to five more clicks on some of the clicked prompts, the earlier logits fed back.

    Long corrections are rarer and on fewer prompts, so that a step's cost stays about the same.
    In some steps the first round is a coarse mask beside the first click instead, in some several
    clicks scattered over the target, sent at once.

    Returns:
        The loss, a scalar, and the mean IoU of token 0 after the last round.
    """
    num_rows = len(clicks.logits)
    device = clicks.logits.device
    rounds = _ROUNDS[int(torch.randint(len(_ROUNDS), (), generator=generator))]
    draw = float(torch.rand((), generator=generator))
    starts_coarse = draw < stage.coarse_masks
    starts_scattered = not starts_coarse and draw < stage.coarse_masks + stage.scattered_clicks
    count = max(1, num_rows // (2 if rounds <= 2 else 4))
    chosen = torch.randperm(num_rows, generator=generator)[:count].to(device)
    truth = batch.click_truth.flatten(0, 1)[chosen]
    images = image_of_rows(batch.clicks)[chosen]
    points = batch.clicks.flatten(0, 1)[chosen][:, None]
    labels = torch.ones_like(points[..., 0])
    top = clicks.predicted_iou[chosen, 1:].argmax(1) + 1
    previous = clicks.logits.detach()[chosen, top]
    loss = truth.new_zeros(())
    iou = truth.new_zeros((count, 4))
    if starts_coarse:
        previous = coarse_mask(truth, generator)
    if starts_scattered:
        points, labels = scattered_clicks(truth, generator)
    for number in range(rounds):
        has_mask = (torch.rand(len(chosen), generator=generator) < 0.75).to(device)
        if number == 0 and (starts_coarse or starts_scattered):
            has_mask[:] = starts_coarse
        else:
            point, label = _next_clicks(previous, truth)
            points, labels = torch.cat([points, point], 1), torch.cat([labels, label], 1)
        decoded = decode(model, features, images, points, labels, previous[:, None], has_mask)
        cost, iou = answer_loss(decoded, truth, stage, plain, is_ambiguous=False)
        loss = loss + cost / rounds
        previous = decoded.logits.detach()[:, 0]
    return loss, iou[:, 0].mean().item()


def _next_clicks(previous: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    predicted, actual = (previous > 0).cpu().numpy(), (truth > 0.5).cpu().numpy()
    found = [correction(p, t) for p, t in zip(predicted, actual, strict=True)]
    points = torch.tensor([[x * 4.0 + 1.5, y * 4.0 + 1.5] for x, y, _ in found])
    labels = torch.tensor([[float(label)] for _, _, label in found])
    return points[:, None].to(truth.device), labels.to(truth.device)


def scattered_clicks(truth: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Several clicks on every target at once, as of a user who does not wait for answers.

    Args:
        truth: (R, h, w) float in [0, 1].

    Returns:
        Points (R, N, 2) in input pixels and labels (R, N): two to eight anywhere inside, and in
        a third of the calls one or two of them anywhere outside instead.
    """
    count = int(torch.randint(2, 9, (), generator=generator))
    outside = int(torch.randint(1, 3, (), generator=generator))
    if torch.rand((), generator=generator) >= 1 / 3 or outside >= count:
        outside = 0
    inside = (truth > 0.5).flatten(1).float().cpu() + 1e-6
    places = torch.multinomial(inside, count - outside, replacement=True, generator=generator)
    labels = torch.ones(len(truth), count)
    if outside:
        far = torch.multinomial(1 + 2e-6 - inside, outside, replacement=True, generator=generator)
        places = torch.cat([places, far], 1)
        labels[:, -outside:] = 0
    side = truth.shape[-1]
    points = torch.stack([places % side, places // side], 2) * 4.0 + 1.5
    return points.to(truth.device), labels.to(truth.device)


def coarse_mask(truth: Tensor, generator: torch.Generator) -> Tensor:
    """A rough mask of every target, as a user or another model may bring one.

    Args:
        truth: (R, h, w) float in [0, 1].

    Returns:
        (R, h, w) float logits within +-8: the truth on a grid of 5 to 16 cells a side, with
        noise, smoothed.
    """
    cells = int(torch.randint(5, 17, (), generator=generator))
    grid = adaptive_avg_pool2d(truth[:, None], cells)
    noise = torch.randn(grid.shape, generator=generator).to(truth.device)
    smooth = interpolate(grid + 0.15 * noise, truth.shape[-2:], mode="bilinear")
    return ((smooth[:, 0] - 0.5) * 16.0).clamp(-8.0, 8.0)
