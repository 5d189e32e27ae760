from dataclasses import replace

import numpy as np
import pytest
from heads import calibration_of
from unit.evaluation.shadow.records import MODELS, comparison, comparisons, record

from suresam.errors import ConfigurationError
from suresam.evaluation.shadow.refit import fit_corrections, followed_by, refitted
from suresam.evaluation.shadow.samples import require_own, samples_of
from suresam.uncertainty.calibration import Curve

HALF = Curve((-1.0, 1.0), (-0.5, 0.5))


def test_one_curve_after_another_bends_where_either_does():
    then = Curve((0.0, 0.1, 0.4), (0.0, 0.3, 0.4))
    both = followed_by(HALF, then)
    # 0.1 and 0 of the second are reached at 0.2 and 0 of the first.
    assert both.x == pytest.approx((-1.0, 0.0, 0.2, 0.8, 1.0))
    assert both.y == pytest.approx((0.0, 0.0, 0.3, 0.4, 0.4))


@pytest.mark.parametrize("seed", range(5))
def test_one_curve_after_another_is_both_everywhere(seed):
    rng = np.random.default_rng(seed)

    def curve(count, level):
        x = np.cumsum(rng.uniform(0.01, 1, count))
        y = np.cumsum(rng.uniform(0, 1, count) * (rng.random(count) > level))
        return Curve(tuple(x.tolist()), tuple(y.tolist()))

    first, then = curve(8, 0.4), curve(6, 0.3)
    both = followed_by(first, then)
    x = np.linspace(-1, 10, 1001)
    assert both(x) == pytest.approx(then(first(x)), abs=1e-9)


def test_a_constant_curve_stays_constant():
    both = followed_by(Curve((0.0,), (0.2,)), HALF)
    assert both(np.array([-3.0, 5.0])) == pytest.approx([0.1, 0.1])
    assert set(followed_by(HALF, Curve((0.0,), (0.2,))).y) == {0.2}


def test_what_was_recorded_corrects_what_is_expected():
    samples = samples_of(comparisons(2000, gain_of=lambda e: 0.5 * e + 0.02, noise=0.02))
    corrections = fit_corrections(samples)
    assert list(corrections) == ["one_click"]
    expected = np.array([0.02, 0.05, 0.08])
    assert corrections["one_click"](expected) == pytest.approx(0.5 * expected + 0.02, abs=0.01)


def test_a_part_with_too_few_comparisons_keeps_its_curve():
    enough, few = comparisons(100), comparisons(99, "box")
    assert list(fit_corrections(samples_of([*enough, *few]))) == ["one_click"]
    with pytest.raises(ConfigurationError, match=r"99 of one click and 0 of other .* at least 100"):
        fit_corrections(samples_of(enough[:99]))


def test_only_the_gain_from_the_large_member_changes():
    old = calibration_of("fake-small", "fake-large")
    correction = Curve((0.0, 0.5), (0.0, 0.1))
    new = refitted(old, "fake-small", {"one_click": correction}, "new", "traffic")
    assert (new.name, new.dataset) == ("new", "traffic")
    told, before = new.members["fake-small"].one_click, old.members["fake-small"].one_click
    gap = told.gains["model_gap"]
    assert gap.weights == before.gains["model_gap"].weights
    assert gap({"model_gap": 0.4}) == pytest.approx(0.2 * 0.2)
    assert replace(told, gains={}) == replace(before, gains={})
    assert told.gains["prompt_gap"] == before.gains["prompt_gap"]
    assert new.members["fake-small"].other == old.members["fake-small"].other
    assert new.members["fake-large"] == old.members["fake-large"]
    assert replace(new, name=old.name, dataset=old.dataset, members={}) == replace(old, members={})


def test_a_calibration_without_a_gain_has_none_to_correct():
    old = calibration_of("fake-small")
    old.members["fake-small"].one_click.gains.pop("model_gap")
    with pytest.raises(ConfigurationError, match="fitted for fake-small expects no model_gap"):
        refitted(old, "fake-small", {"one_click": HALF}, "new", "traffic")


@pytest.mark.parametrize("name", ["small_sha256", "large", "calibration_sha256", "heads_sha256"])
def test_a_record_of_something_else_is_refused(name):
    require_own(record([comparison()]), MODELS)
    other = replace(MODELS, **{name: "other"})
    message = rf"record.jsonl, line 1 was recorded with {name} other, and in use is"
    with pytest.raises(ConfigurationError, match=message):
        require_own(record([comparison()], models=other), MODELS)


def test_an_empty_record_is_refused():
    with pytest.raises(ConfigurationError, match="holds no comparison"):
        require_own(record(), MODELS)


def test_all_prompts_but_single_clicks_go_together():
    kinds = ("one_click", "clicks", "box", "box_and_clicks", "mask_input")
    samples = samples_of([comparison(kind, gain=0.1 * i) for i, kind in enumerate(kinds)])
    assert samples["one_click"].gain.tolist() == [0.0]
    assert samples["other"].gain == pytest.approx([0.1, 0.2, 0.3, 0.4])
