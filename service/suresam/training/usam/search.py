"""Searching how heads are best taught: trials, kept one by one, on pictures of their own."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suresam.errors import ConfigurationError
from suresam.training.usam.fitting import FitOptions, Masks, fit_heads, mean_squared_error
from suresam.uncertainty.head_info import HeadInfo
from suresam.uncertainty.heads import UsamHeads

if TYPE_CHECKING:  # Optuna comes with it
    from suresam.training.usam.proposals import Proposal, Proposals

QUARTERS = 4

Settings = dict[str, float]
"""By the names of `FitOptions`: learning_rate, weight_decay, epochs, batch."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How long is searched, and where.

    Attributes:
        trials: to be made.
        learning_rate, weight_decay, epochs, batch: ends of what is tried, both within; all but
            the epochs on a logarithmic scale.

    Raises:
        ConfigurationError: a number that cannot be followed.

    Source: the ranges of learning rate and epochs are those of UncertainSAM's own search; its
    batches, 16 to 256, are for its slower optimiser.
    """

    trials: int
    learning_rate: tuple[float, float] = (1e-4, 0.1)
    weight_decay: tuple[float, float] = (1e-3, 10.0)
    epochs: tuple[int, int] = (5, 80)
    batch: tuple[int, int] = (256, 4096)

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        if self.trials < 1:
            raise ConfigurationError(f"--search {self.trials} must be at least 1")
        if self.epochs[0] < QUARTERS:
            raise ConfigurationError(
                f"a trial is judged at every quarter of its epochs: {self.epochs[0]} are too few"
            )


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of some settings.

    Attributes:
        settings: that were tried.
        errors: mean squared error on the pictures that judge, after each quarter of the epochs;
            fewer than four where it was given up, or where an error was not finite.
    """

    settings: Settings
    errors: Sequence[float]

    @property
    def mse(self) -> float | None:
        """The error in the end, or None without an end."""
        return self.errors[-1] if len(self.errors) == QUARTERS else None


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What every trial learns, and what it is judged by; no picture is in both.

    Attributes:
        info: of the heads.
        learned: masks to learn from.
        judged: masks that decide.
    """

    info: HeadInfo
    learned: Masks
    judged: Masks


def search_settings(
    lesson: Lesson,
    first: FitOptions,
    options: SearchOptions,
    proposals: "Proposals",
    file: Path,
    *,
    epoch_done: Callable[[int, int, int], None] = lambda trial, epoch, epochs: None,
    trial_done: Callable[[int, Trial], None] = lambda number, trial: None,
) -> tuple[FitOptions, list[Trial]]:
    """Make trials, or go on where somebody stopped, and take the settings of least error.

    Stopped and gone on, it tries the same as without: finished trials are read back, and one that
    was interrupted is made anew from its beginning.

    Args:
        lesson: see there.
        first: settings of the first trial; hidden width and seed of all of them.
        options: see `SearchOptions`; of a file with more trials the first are taken.
        proposals: of settings.
        file: JSON with all trials so far, replaced whole after every one.
        epoch_done: told trial, epochs done and all epochs of the trial.
        trial_done: told the number of a new trial, from 0, and what became of it.

    Returns:
        The best settings, and all trials.

    Raises:
        ConfigurationError: the file is of another search, or no trial came to an end.
    """
    description = _describe(lesson, first, options)
    trials = _read(file, description)
    for number in range(len(trials), options.trials):
        proposal = proposals.next(trials)

        def tell(epoch: int, epochs: int, number: int = number) -> None:
            epoch_done(number, epoch, epochs)

        trial = _try(lesson, first, proposal, tell)
        trials.append(trial)
        _write(file, description, trials)
        trial_done(number, trial)
    trials = trials[: options.trials]
    ended = [(trial.mse, trial.settings) for trial in trials if trial.mse is not None]
    if not ended:
        raise ConfigurationError(
            f"none of {len(trials)} trials came to an end with a finite error: check the data"
        )
    _, settings = min(ended, key=lambda entry: entry[0])
    return _with(first, settings), trials


class _GivenUp(Exception):
    """Ends a fitting that is not worth its remaining epochs."""


def _try(
    lesson: Lesson,
    first: FitOptions,
    proposal: "Proposal",
    tell: Callable[[int, int], None],
) -> Trial:
    options = _with(first, proposal.settings)
    errors: list[float] = []

    def judge(epoch: int, heads: UsamHeads) -> None:
        tell(epoch, options.epochs)
        quarter = QUARTERS * epoch // options.epochs
        if quarter == len(errors):
            return
        error = mean_squared_error(heads, lesson.judged)
        if not math.isfinite(error):
            raise _GivenUp
        errors.append(error)
        if quarter < QUARTERS and proposal.is_hopeless(quarter, error):
            raise _GivenUp

    with suppress(_GivenUp):
        fit_heads(lesson.info, lesson.learned, options, watch=judge)
    return Trial(proposal.settings, errors)


def _with(first: FitOptions, settings: Settings) -> FitOptions:
    return replace(
        first,
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        epochs=int(settings["epochs"]),
        batch=int(settings["batch"]),
    )


def _describe(lesson: Lesson, first: FitOptions, options: SearchOptions) -> dict[str, Any]:
    """All that decides how trials come out, but for how many there are."""
    data = sha256()
    for masks in (lesson.learned, lesson.judged):
        for tensor in (masks.iou_token, masks.mask_tokens, masks.targets):
            data.update(repr(tuple(tensor.shape)).encode())
            data.update(tensor.contiguous().numpy().data)
    ranges = {name: value for name, value in asdict(options).items() if name != "trials"}
    described = {
        "heads": list(lesson.info.names),
        "tokens": lesson.info.tokens,
        "masks": data.hexdigest(),
        "first": asdict(first),
        "ranges": ranges,
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def _read(file: Path, description: Mapping[str, Any]) -> list[Trial]:
    if not file.exists():
        return []
    found = json.loads(file.read_text())
    changed = [name for name in description if found["of"].get(name) != description[name]]
    if changed:
        raise ConfigurationError(
            f"{file} holds a search that differs in {', '.join(changed)}: remove it, or choose "
            f"another --state"
        )
    return [Trial(trial["settings"], trial["errors"]) for trial in found["trials"]]


def _write(file: Path, description: Mapping[str, Any], trials: Sequence[Trial]) -> None:
    content = {"of": description, "trials": [asdict(trial) for trial in trials]}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    partial.replace(file)
