"""Which settings a search tries next, and when it gives one up: Optuna, as a pure function.

Everything is told anew from the trials so far, and drawn by the seed and the trial's number alone.
So a search that was interrupted goes on as if it had not been, without a storage of Optuna's own.
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from suresam.errors import ConfigurationError
from suresam.training.usam.fitting import FitOptions
from suresam.training.usam.search import SearchOptions, Settings, Trial

_PATIENCE = 5
"""Trials that came to an end before any is given up."""


class Proposal:
    """Settings to try.

    Attributes:
        settings: by the names of `FitOptions`.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self.settings: Settings = dict(trial.params)

    def is_hopeless(self, quarter: int, error: float) -> bool:
        """Whether most trials did better at the same quarter of their epochs.

        Quarters and not epochs, since the learning rate falls over all the epochs of a trial.
        """
        self._trial.report(error, quarter)
        return self._trial.should_prune()


class Proposals:
    """Tree-structured Parzen estimator over the ranges of a search, pruned by the median.

    Args:
        options: see `SearchOptions`.
        first: settings of the first trial, so that the search cannot end with worse ones; and the
            seed.

    Raises:
        ConfigurationError: the first settings lie outside the ranges.

    Source: Bergstra et al. (2011), algorithms for hyper-parameter optimization, section 4.
    """

    def __init__(self, options: SearchOptions, first: FitOptions) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space: dict[str, BaseDistribution] = {
            "learning_rate": FloatDistribution(*options.learning_rate, log=True),
            "weight_decay": FloatDistribution(*options.weight_decay, log=True),
            "epochs": IntDistribution(*options.epochs),
            "batch": IntDistribution(*options.batch, log=True),
        }
        self._seed = first.seed
        self._first: Settings = {name: asdict(first)[name] for name in self._space}
        for name, value in self._first.items():
            low, high = getattr(options, name)
            if not low <= value <= high:
                raise ConfigurationError(
                    f"--{name.replace('_', '-')} {value:g} is the first that --search tries, and "
                    f"must lie in [{low:g}, {high:g}]"
                )

    def next(self, trials: Sequence[Trial]) -> Proposal:
        """What to try after these."""
        seed = np.random.SeedSequence([self._seed, len(trials)]).generate_state(1)
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=int(seed[0])),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_PATIENCE),
        )
        for trial in trials:
            study.add_trial(self._told(trial))
        if not trials:
            study.enqueue_trial(self._first)
        return Proposal(study.ask(self._space))

    def _told(self, trial: Trial) -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(
            # One without a finite error counts as given up, too: as worse than all others.
            state=TrialState.COMPLETE if trial.mse is not None else TrialState.PRUNED,
            value=trial.mse,
            params=dict(trial.settings),
            distributions=self._space,
            intermediate_values=dict(enumerate(trial.errors, 1)),
        )
