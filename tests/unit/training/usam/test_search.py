"""A search takes what learns, keeps its trials, and ends the same when it was interrupted."""

import json
from dataclasses import replace

import pytest
import torch
from heads import info_of

from suresam.errors import ConfigurationError
from suresam.training.stopping import Stopped
from suresam.training.usam.fitting import FitOptions, Masks, fit_heads, mean_squared_error
from suresam.training.usam.proposals import Proposals
from suresam.training.usam.search import Lesson, SearchOptions, Trial, search_settings

INFO = info_of()
DEAD = 1e-9
FIRST = FitOptions(hidden=8, epochs=4, batch=64, learning_rate=DEAD, weight_decay=0.01, seed=1)
OPTIONS = SearchOptions(7, learning_rate=(DEAD, 0.1), epochs=(4, 8), batch=(64, 128))


def masks(seed: int) -> Masks:
    """Mask tokens whose first value says every target."""
    generator = torch.Generator().manual_seed(seed)
    mask_tokens = torch.randn(75, 4, 3, generator=generator)
    shifts = torch.tensor([0.5 if name.endswith("_gap") else 0.0 for name in INFO.names])
    targets = (3 * mask_tokens[..., :1]).sigmoid() - shifts
    return Masks(torch.randn(75, 3, generator=generator), mask_tokens, targets)


LESSON = Lesson(INFO, masks(0), masks(1))


class Listed:
    """Proposals that are known beforehand and never given up."""

    def __init__(self, *rates: float) -> None:
        self.rates = rates

    def next(self, trials):
        self.settings = {"learning_rate": self.rates[len(trials)], "weight_decay": 0.01,
                         "epochs": 4, "batch": 64}  # fmt: skip
        return self

    def is_hopeless(self, quarter, error):
        return False


@pytest.mark.parametrize("rates", [(DEAD, 0.03), (0.03, DEAD)])
def test_of_two_settings_the_one_that_can_learn_is_chosen(tmp_path, rates):
    options = replace(OPTIONS, trials=2)
    fit, trials = search_settings(LESSON, FIRST, options, Listed(*rates), tmp_path / "s.json")
    assert fit == replace(FIRST, learning_rate=0.03)
    good, bad = sorted(trial.mse for trial in trials)
    assert good < 0.5 * bad
    # What decides is the error on the masks that judge, of heads that saw the others.
    heads = fit_heads(INFO, LESSON.learned, fit)
    assert good == mean_squared_error(heads, LESSON.judged)
    said = heads.score(LESSON.judged.iou_token, LESSON.judged.mask_tokens)
    assert good == pytest.approx(((said - LESSON.judged.targets) ** 2).mean().item(), rel=1e-4)


def test_optuna_leaves_a_learning_rate_that_cannot_learn(tmp_path):
    found = search_settings(LESSON, FIRST, OPTIONS, Proposals(OPTIONS, FIRST), tmp_path / "s.json")
    fit, trials = found
    assert trials[0].settings == {
        "learning_rate": DEAD, "weight_decay": 0.01, "epochs": 4, "batch": 64,
    }  # fmt: skip
    assert len({trial.settings["learning_rate"] for trial in trials}) == 7
    assert fit.learning_rate > 1e-4
    assert min(t.mse for t in trials if t.mse is not None) < 0.8 * trials[0].mse
    other = replace(FIRST, seed=2)
    proposed = [Proposals(OPTIONS, f).next(trials[:1]).settings for f in (FIRST, FIRST, other)]
    assert proposed[0] == proposed[1] == trials[1].settings != proposed[2]


def test_interrupted_it_goes_on_without_repeating_and_ends_the_same(tmp_path):
    whole, stopped = tmp_path / "whole.json", tmp_path / "stopped.json"
    first = search_settings(LESSON, FIRST, OPTIONS, Proposals(OPTIONS, FIRST), whole)

    def stop(trial, epoch, epochs):
        if (trial, epoch) == (3, 2):
            raise Stopped

    made = []
    arguments = (LESSON, FIRST, OPTIONS, Proposals(OPTIONS, FIRST), stopped)
    with pytest.raises(Stopped):
        search_settings(
            *arguments, epoch_done=stop, trial_done=lambda number, trial: made.append(number)
        )
    assert made == [0, 1, 2]
    assert len(json.loads(stopped.read_text())["trials"]) == 3
    again = search_settings(*arguments, trial_done=lambda number, trial: made.append(number))
    assert made == list(range(7))
    assert again == first
    assert stopped.read_bytes() == whole.read_bytes()
    # Fewer trials than are known: the first of them, and nothing is made or lost.
    fewer = search_settings(LESSON, FIRST, replace(OPTIONS, trials=2), None, stopped)
    assert fewer[1] == first[1][:2]
    assert stopped.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"first": replace(FIRST, seed=5)}, "differs in first"),
        ({"options": replace(OPTIONS, batch=(64, 256))}, "differs in ranges"),
        ({"lesson": replace(LESSON, judged=masks(2))}, "differs in masks"),
        ({"lesson": replace(LESSON, info=replace(INFO, tokens="iou"))}, "differs in tokens"),
    ],
)
def test_trials_of_another_search_are_refused(tmp_path, changed, message):
    file = tmp_path / "s.json"
    known = {"lesson": LESSON, "first": FIRST, "options": replace(OPTIONS, trials=1)}
    search_settings(**known, proposals=Listed(DEAD), file=file)
    with pytest.raises(ConfigurationError, match=message):
        search_settings(**known | changed, proposals=Listed(DEAD), file=file)


def test_a_trial_that_most_others_beat_is_given_up():
    settings = {"learning_rate": 0.01, "weight_decay": 0.01, "epochs": 8, "batch": 64}
    ended = [Trial(settings, [0.2, 0.1, 0.1, 0.01 * n]) for n in range(1, 7)]
    proposals = Proposals(OPTIONS, FIRST)
    assert proposals.next(ended).is_hopeless(1, 0.3)
    assert not proposals.next(ended).is_hopeless(1, 0.1)
    assert not proposals.next(ended[:4]).is_hopeless(1, 0.3)  # nobody knows yet


def test_a_trial_that_was_given_up_is_kept_and_never_chosen(tmp_path):
    class Impatient(Listed):
        def is_hopeless(self, quarter, error):
            return self.settings["learning_rate"] == 0.03 and quarter == 2

    options = replace(OPTIONS, trials=2)
    found = search_settings(LESSON, FIRST, options, Impatient(DEAD, 0.03), tmp_path / "s.json")
    fit, (bad, given_up) = found
    assert fit.learning_rate == DEAD
    assert (len(given_up.errors), given_up.mse) == (2, None)
    assert given_up.errors[-1] < bad.mse


def test_errors_that_are_not_finite_end_a_trial(tmp_path):
    broken = replace(masks(1), iou_token=torch.full((75, 3), torch.nan))
    lesson = replace(LESSON, judged=broken)
    with pytest.raises(ConfigurationError, match="none of 2 trials came to an end"):
        search_settings(
            lesson, FIRST, replace(OPTIONS, trials=2), Proposals(OPTIONS, FIRST), tmp_path / "s"
        )


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(ConfigurationError, match="--search 0 must be at least 1"):
        SearchOptions(0)
    with pytest.raises(ConfigurationError, match="3 are too few"):
        SearchOptions(1, epochs=(3, 8))
    with pytest.raises(ConfigurationError, match=r"--epochs 2 is the first .* in \[4, 8\]"):
        Proposals(OPTIONS, replace(FIRST, epochs=2))
