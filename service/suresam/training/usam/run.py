"""From a data set to a head file: observe the family, teach the heads, judge them, write them."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

import numpy as np
import torch

from suresam.datasets import Dataset, origins
from suresam.datasets.procedural import Scenes
from suresam.domain import PromptKind
from suresam.errors import ConfigurationError
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.head_targets import Observed, head_targets
from suresam.evaluation.observations.plan import ObservationPlan
from suresam.evaluation.targets import TargetChoice, usual_choice
from suresam.machine import describe_machine
from suresam.outputs import prepare_folder
from suresam.segmentation.weights import file_sha256
from suresam.training.progress import LOG_FILE, ProgressReporter
from suresam.training.stopping import Stopped, StopRequests
from suresam.training.usam.fitting import FitOptions, fit_heads, pick_masks
from suresam.training.usam.report import ALL, format_report, judge_heads
from suresam.training.usam.search import Lesson, SearchOptions, Settings, Trial, search_settings
from suresam.training.usam.split import split_pictures
from suresam.uncertainty.head_info import HeadInfo, Tokens
from suresam.uncertainty.heads import UsamHeads, save_heads

if TYPE_CHECKING:  # Optuna comes with it
    from suresam.training.usam.proposals import Proposals

_FEW_PICTURES = 20
"""Of fewer held-out pictures figures are mostly chance."""

OBSERVATIONS, REPORT_FILE, SEARCH_FILE = "observations", "report.json", "search.json"


@dataclass(frozen=True, slots=True)
class UsamOptions:
    """What the command line asks for.

    Attributes:
        out: head file to write.
        state: folder of observations, trials, log and report.
        pictures: most pictures of each data set, or None for all.
        per_image: most targets of a picture, or None for what is usual.
        prompts: of each target, its centre click and others drawn; None for one of every kind.
        hold_out: share of the pictures that heads are judged on and do not learn from.
        threads: processes that observe.
        fit: how the heads are taught, or first tried.
        tokens: that the heads see.
        search: for better settings than those of `fit`, or None.
    """

    out: Path
    state: Path
    pictures: int | None = None
    per_image: int | None = None
    prompts: int | None = None
    hold_out: float = 0.1
    threads: int = 1
    fit: FitOptions = field(default_factory=FitOptions)
    tokens: Tokens = "both"
    search: SearchOptions | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        if not (math.isfinite(self.hold_out) and 0 < self.hold_out <= 0.5):
            raise ConfigurationError(f"--hold-out {self.hold_out:g} must lie in (0, 0.5]")
        if self.out.suffix != ".safetensors":
            raise ConfigurationError(f"--out {self.out} must end with .safetensors")
        ObservationPlan(per_target=self.prompts)
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
    if len(set(_identities(datasets))) < len(datasets):
        raise ConfigurationError(
            "pictures of one data set that is named twice would be learned from and judged on"
        )
    for folder in (options.state, options.out.parent):  # before the hours, not after them
        prepare_folder(folder)
    proposals = None
    if options.search is not None:  # before the hours, too: Optuna may be missing
        from suresam.training.usam.proposals import Proposals

        proposals = Proposals(options.search, options.fit)
    reporter = ProgressReporter(stream, options.state / LOG_FILE)
    try:
        with StopRequests():
            observed = _observe(members, datasets, options, reporter)
            heads, report = _teach(members, observed, options, proposals, reporter)
    except Stopped:
        reporter.close()
        print("stopped; what was observed and tried is kept, the same command goes on",
              file=stream)  # fmt: skip
        return None
    finally:
        reporter.close()
    report |= {"datasets": [dataset.name for dataset in datasets], "machine": describe_machine()}
    save_heads(heads, options.out)
    report["out"] = {"file": options.out.name, "sha256": file_sha256(options.out)}
    text = json.dumps(report, indent=2, allow_nan=False)
    (options.state / REPORT_FILE).write_text(text + "\n")
    print(format_report(report["figures"]), file=stream)
    held_out = report["numbers"]["pictures_held_out"]
    if held_out < _FEW_PICTURES:
        print(f"{held_out} pictures were held out: too few for these figures to tell anything",
              file=stream)  # fmt: skip
    print(f"wrote {options.out} and {options.state / REPORT_FILE}", file=stream)
    print(
        f'next: name them in the members\' manifests, "heads": "{options.out.stem}" '
        f"(models/README.md, Your own heads), then `suresam calibrate`",
        file=stream,
    )
    return report


def info_for(members: Sequence[Contestant], tokens: Tokens = "both") -> HeadInfo:
    """What heads trained here on these members are."""
    return HeadInfo(
        models={m.manifest.name: f"iou_{m.manifest.name}" for m in members},
        pairing="maker",
        targets="every_mask",
        prompts=get_args(PromptKind),
        source="trained by this repository, `suresam train usam`",
        licence="Apache-2.0",
        trained_on={m.manifest.name: m.sha256 for m in members},
        tokens=tokens,
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
            ObservationPlan(per_target=options.prompts),
            workers=options.threads,
            progress=lambda done, total: reporter.count("pictures", done, total),
        )
        part = store.read()
        part["picture"] = part["picture"] + (parts[-1]["picture"].max() + 1 if parts else 0)
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _identities(datasets: Sequence[Dataset]) -> list[str]:
    """What tells data sets apart, however many scenes, or frames of a video, are taken of them."""
    return [
        "scenes" if isinstance(d, Scenes) else repr(sorted(set(origins(d).values())))
        for d in datasets
    ]


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
    proposals: "Proposals | None",
    reporter: ProgressReporter,
) -> tuple[UsamHeads, dict[str, Any]]:
    info = info_for(members, options.tokens)
    targets = head_targets(observed, info, [member.manifest.name for member in members])
    split = split_pictures(
        observed["picture"], options.hold_out, options.fit.seed, has_search=proposals is not None
    )
    tokens = torch.from_numpy(observed["iou_token"]), torch.from_numpy(observed["mask_tokens"])
    fit, search = options.fit, None
    if proposals is not None:
        lesson = Lesson(
            info,
            learned=pick_masks(*tokens, targets, split.is_tried_on),
            judged=pick_masks(*tokens, targets, split.is_judged_by),
        )
        fit, search = _search(lesson, options, proposals, reporter)
        search["pictures_judged_by"] = len(np.unique(observed["picture"][split.is_judged_by]))
    learned = pick_masks(*tokens, targets, ~split.is_held_out)

    def tell(epoch: int, loss: float) -> None:
        reporter.count("epochs", epoch, fit.epochs)
        reporter.log({"epoch": epoch, "mse": loss})

    heads = fit_heads(info, learned, fit, tell)
    judged = {name: values[split.is_held_out] for name, values in observed.items()}
    said = np.stack([score_observed(heads, judged, m) for m in range(len(members))], 1)
    figures = judge_heads(info.names, said, targets[split.is_held_out], judged["prompt"])
    numbers = {
        "pictures": len(np.unique(observed["picture"])),
        "prompts": len(observed["prompt"]),
        "masks_learned_from": len(learned),
        "pictures_held_out": len(np.unique(observed["picture"][split.is_held_out])),
        "masks_held_out": figures[info.names[0]][ALL]["count"],
    }
    report = {"fit": asdict(fit), "tokens": options.tokens, "numbers": numbers, "figures": figures}
    return heads, report if search is None else report | {"search": search}


def _search(
    lesson: Lesson, options: UsamOptions, proposals: "Proposals", reporter: ProgressReporter
) -> tuple[FitOptions, dict[str, Any]]:
    """The settings that did best, and the trials for the report."""
    assert options.search is not None
    total = options.search.trials

    def epoch_done(trial: int, epoch: int, epochs: int) -> None:
        reporter.count(f"trial {trial + 1} of {total}, epochs", epoch, epochs)

    def trial_done(number: int, trial: Trial) -> None:
        reporter.close()  # the bar of one that was given up
        # Not `reporter.log`: its four decimals would round a learning rate away.
        with (options.state / LOG_FILE).open("a") as log:
            log.write(json.dumps({"trial": number + 1} | _told(trial)) + "\n")
        error = "given up" if trial.mse is None else f"mse {trial.mse:.5f}"
        reporter.note(f"trial {number + 1} of {total}: {error} with {_listed(trial.settings)}")

    fit, trials = search_settings(
        lesson, options.fit, options.search, proposals, options.state / SEARCH_FILE,
        epoch_done=epoch_done, trial_done=trial_done,
    )  # fmt: skip
    chosen = {name: asdict(fit)[name] for name in trials[0].settings}
    reporter.note(f"chosen: {_listed(chosen)}")
    return fit, {
        "chosen": chosen,
        "masks_judged_by": len(lesson.judged),
        "trials": [_told(trial) for trial in trials],
    }


def _listed(settings: Settings) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    )


def _told(trial: Trial) -> dict[str, Any]:
    return {"mse": trial.mse, "settings": trial.settings, "errors": list(trial.errors)}
