"""What a finished training is worth on the pictures that its user held out."""

import sys
from pathlib import Path
from typing import Any

from suresam.errors import ConfigurationError
from suresam.evaluation.contestants import weights_contestant
from suresam.evaluation.files import write_files
from suresam.evaluation.run import evaluate, flat_figures
from suresam.evaluation.targets import usual_choice
from suresam.segmentation.architecture import Architecture
from suresam.training.arrangement import LEAST_TARGET
from suresam.training.user_data import UserData


def report_pictures(
    data: UserData, weights: Path, architecture: Architecture, device: str, folder: Path
) -> dict[str, Any]:
    """Measure exported weights on held-out pictures, as `suresam evaluate` would.

    Args:
        data: what was trained on and what was not.
        weights: `.safetensors` file of the model.
        architecture: its shape.
        device: "cpu" or "cuda".
        folder: gets the evaluation's own files, if anything was held out.

    Returns:
        For JSON: `data_sets`, and `figures`; where these are None, the `reason`.
    """
    report: dict[str, Any] = {"data_sets": [source.description() for source in data.sources]}
    if len(data.held_out) == 0:
        return report | {"figures": None, "reason": "nothing was held out"}
    contestant = weights_contestant(weights, architecture, weights.stem, device)
    # The same smallest size as in training: somebody's data may hold nothing but small things.
    choice = usual_choice(data.held_out, min_share=LEAST_TARGET)
    try:
        evaluation = evaluate(
            data.held_out, [contestant], choice, stream=sys.stderr, num_grabcuts=0
        )
    except ConfigurationError as error:
        # Hours of training are over: a held-out picture is no reason to end without a report.
        return report | {"figures": None, "reason": str(error)}
    write_files(evaluation, {"weights": {"sha256": contestant.sha256}}, folder)
    return report | {"figures": flat_figures(evaluation, weights.stem)}
