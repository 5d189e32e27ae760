"""From a data set to a head file: observe the family, teach the heads, judge them, write them."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from suresam.datasets import Dataset
from suresam.datasets.procedural import Scenes
from suresam.domain import PromptKind
from suresam.errors import ConfigurationError
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.files import prepare_folder
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.head_targets import Observed, head_targets
from suresam.evaluation.targets import TargetChoice, usual_choice
from suresam.machine import describe_machine
from suresam.segmentation.weights import file_sha256
from suresam.training.progress import LOG_FILE, ProgressReporter
from suresam.training.stopping import Stopped, StopRequests
from suresam.training.usam.fitting import FitOptions, fit_heads, pick_masks
from suresam.training.usam.report import ALL, format_report, judge_heads
from suresam.uncertainty.head_info import HeadInfo
from suresam.uncertainty.heads import UsamHeads, save_heads

OBSERVATIONS, REPORT_FILE = "observations", "report.json"


@dataclass(frozen=True, slots=True)
class UsamOptions:
    """What the command line asks for.

    Attributes:
        out: head file to write.
        state: folder of observations, log and report.
        pictures: most pictures of each data set, or None for all.
        per_image: most targets of a picture, or None for what is usual.
        hold_out: share of the pictures that heads are judged on and do not learn from.
        threads: processes that observe.
        fit: how the heads are taught.
    """

    out: Path
    state: Path
    pictures: int | None = None
    per_image: int | None = None
    hold_out: float = 0.1
    threads: int = 1
    fit: FitOptions = field(default_factory=FitOptions)

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        if not (math.isfinite(self.hold_out) and 0 < self.hold_out <= 0.5):
            raise ConfigurationError(f"--hold-out {self.hold_out:g} must lie in (0, 0.5]")
        if self.out.suffix != ".safetensors":
            raise ConfigurationError(f"--out {self.out} must end with .safetensors")
        if self.threads < 1:
            raise ConfigurationError(f"--threads {self.threads} must be at least 1")


def train_usam(
    members: Sequence[Contestant],
    datasets: Sequence[Dataset],
    options: UsamOptions,
    stream: TextIO,
) -> dict[str, Any] | None:
    """Train heads for a family and write them, with a report in the state folder.

    Args:
        members: of the family, cheapest first.
        datasets: annotated pictures; not those that the members learned from.
        options: see `UsamOptions`.
        stream: where progress and the figures are told.

    Returns:
        The report, or None if somebody stopped it; the same command then goes on.

    Raises:
        ConfigurationError: a data set has no usable target, or the state is of another run.
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    if len(set(_origins(datasets))) < len(datasets):
        raise ConfigurationError(
            "pictures of one data set that is named twice would be learned from and judged on"
        )
    for folder in (options.state, options.out.parent):  # before the hours, not after them
        prepare_folder(folder)
    reporter = ProgressReporter(stream, options.state / LOG_FILE)
    try:
        with StopRequests():
            observed = _observe(members, datasets, options, reporter)
            heads, report = _teach(members, observed, options, reporter)
    except Stopped:
        reporter.close()
        print("stopped; what was observed is kept, the same command goes on", file=stream)
        return None
    finally:
        reporter.close()
    report |= {"datasets": [dataset.name for dataset in datasets], "machine": describe_machine()}
    save_heads(heads, options.out)
    report["out"] = {"file": options.out.name, "sha256": file_sha256(options.out)}
    text = json.dumps(report, indent=2, allow_nan=False)
    (options.state / REPORT_FILE).write_text(text + "\n")
    print(format_report(report["figures"]), file=stream)
    print(f"wrote {options.out} and {options.state / REPORT_FILE}", file=stream)
    print(
        f'next: name them in the members\' manifests, "heads": "{options.out.stem}" '
        f"(models/README.md, Your own heads), then `suresam calibrate`",
        file=stream,
    )
    return report


def info_for(members: Sequence[Contestant]) -> HeadInfo:
    """What heads trained here on these members are."""
    return HeadInfo(
        models={m.manifest.name: f"iou_{m.manifest.name}" for m in members},
        pairing="maker",
        targets="every_mask",
        prompts=get_args(PromptKind),
        source="trained by this repository, `suresam train usam`",
        licence="Apache-2.0",
        trained_on={m.manifest.name: m.sha256 for m in members},
    )


def _observe(
    members: Sequence[Contestant],
    datasets: Sequence[Dataset],
    options: UsamOptions,
    reporter: ProgressReporter,
) -> Observed:
    """Observations of all data sets, one after the other; pictures keep different numbers."""
    parts: list[Observed] = []
    for place, dataset in enumerate(datasets):
        store = collect(
            options.state / f"{OBSERVATIONS}-{place}",
            dataset,
            members,
            _choice(dataset, options),
            workers=options.threads,
            progress=lambda done, total: reporter.count("pictures", done, total),
        )
        part = store.read()
        part["picture"] = part["picture"] + (parts[-1]["picture"].max() + 1 if parts else 0)
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _origins(datasets: Sequence[Dataset]) -> list[str]:
    """What tells data sets apart; scenes of any number begin with the same ones."""
    return ["scenes" if isinstance(d, Scenes) else repr(list(d.image_ids)) for d in datasets]


def _choice(dataset: Dataset, options: UsamOptions) -> TargetChoice:
    return usual_choice(
        dataset,
        per_image=options.per_image,
        num_targets=None,
        num_images=options.pictures,
        seed=options.fit.seed,
    )


def _teach(
    members: Sequence[Contestant],
    observed: Observed,
    options: UsamOptions,
    reporter: ProgressReporter,
) -> tuple[UsamHeads, dict[str, Any]]:
    info = info_for(members)
    targets = head_targets(observed, info, [member.manifest.name for member in members])
    is_held_out = _held_out(observed["picture"], options)
    tokens = torch.from_numpy(observed["iou_token"]), torch.from_numpy(observed["mask_tokens"])
    learned = pick_masks(*tokens, targets, ~is_held_out)
    epochs = options.fit.epochs

    def tell(epoch: int, loss: float) -> None:
        reporter.count("epochs", epoch, epochs)
        reporter.log({"epoch": epoch, "mse": loss})

    heads = fit_heads(info, learned, options.fit, tell)
    judged = {name: values[is_held_out] for name, values in observed.items()}
    said = np.stack([score_observed(heads, judged, m) for m in range(len(members))], 1)
    figures = judge_heads(info.names, said, targets[is_held_out], judged["prompt"])
    numbers = {
        "pictures": len(np.unique(observed["picture"])),
        "prompts": len(observed["prompt"]),
        "masks_learned_from": len(learned),
        "pictures_held_out": len(np.unique(observed["picture"][is_held_out])),
        "masks_held_out": figures[info.names[0]][ALL]["count"],
    }
    return heads, {"fit": asdict(options.fit), "numbers": numbers, "figures": figures}


def _held_out(picture: NDArray[np.int64], options: UsamOptions) -> NDArray[np.bool_]:
    """Which questions are judged on: all those of some pictures, drawn by the seed."""
    pictures = np.unique(picture)
    if len(pictures) < 2:
        raise ConfigurationError("at least 2 pictures are needed: one to learn from, one to judge")
    count = min(max(1, round(options.hold_out * len(pictures))), len(pictures) - 1)
    rng = np.random.default_rng(options.fit.seed)
    return np.isin(picture, rng.choice(pictures, count, replace=False))
