"""Head files side by side: each as in its own table, and differences that are paired."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from heads import info_of, random_weights

from suresam.errors import CheckpointError, ConfigurationError
from suresam.evaluation.bootstrap import ImageBootstrap
from suresam.evaluation.usam import comparison, tables
from suresam.evaluation.usam.cases import read_clicks
from suresam.evaluation.usam.comparison import Rival, check_rivals, compare, format_comparison
from suresam.evaluation.usam.tables import USAM, judge
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads
from suresam.uncertainty.member_heads import HeadFile

N, WIDTH = 60, 2
NAMES = ["fake-small", "fake-large"]


def rival(name: str, **info) -> Rival:
    weights = random_weights(7, WIDTH)
    if info.get("tokens") == "iou":
        weights["layers.0.weight"][..., WIDTH:] = 0
    heads = UsamHeads(info_of(**info), weights)
    readings = [HeadReading(heads.info, member, NAMES[-1]) for member in NAMES]
    return Rival(HeadFile(name, "2" * 64, heads), readings)


@pytest.fixture(scope="module")
def observed():
    rng = np.random.default_rng(0)
    iou = rng.uniform(0.2, 0.8, (N, 2, 4))
    return {
        "prompt": np.zeros(N, np.uint8),
        "picture": np.arange(N) // 2,
        "iou_token": rng.normal(size=(N, 2, WIDTH)).astype(np.float32),
        "mask_tokens": rng.normal(size=(N, 2, 4, WIDTH)).astype(np.float32),
        "iou": iou,
        "predicted_iou": rng.random((N, 2, 4)),
        "entropy": rng.random((N, 2, 4)),
        "dense_iou": rng.uniform(0.3, 0.9, (N, 2, 4)),
        "dense_single_token": np.full((N, 2), 2),
        "h_task": rng.random((N, 2)),
        "h_prompt": rng.random((N, 2, 2)),
        "h_model": rng.random((N, 2)),
        "h_all": rng.random(N),
    }


RIVALS = [rival("both"), rival("again"), rival("one", tokens="iou")]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    for module in (comparison, tables):
        monkeypatch.setattr(module, "ImageBootstrap", partial(ImageBootstrap, num_resamples=40))


@pytest.fixture
def rows(observed):
    return compare(observed, RIVALS, NAMES, seed=3)


def test_every_file_has_the_figures_of_its_own_table(observed, rows):
    for theirs in (RIVALS[0], RIVALS[2]):
        clicks = read_clicks(observed, theirs.file.heads, theirs.readings)
        single, _ = judge(clicks, NAMES, seed=3)
        wanted = {
            (row.table, row.view, row.member, row.measure): row.estimate
            for row in single
            if row.measure in USAM and row.against is None
        }
        found = {
            (row.table, row.view, row.member, row.measure): row.estimate
            for row in rows
            if row.heads == theirs.file.name and row.against is None
        }
        assert found == wanted
        assert len(found) == 2 * (2 + 4 + 4)  # views; model of one member, the others of two


def test_differences_are_paired(rows):
    figures = {
        (row.table, row.view, row.member, row.measure, row.heads): row.estimate
        for row in rows
        if row.against is None
    }
    told = [row for row in rows if row.against is not None]
    assert {row.heads for row in told} == {"again", "one"}
    assert {row.against for row in told} == {"both"}
    widths = []
    for row in told:
        place = (row.table, row.view, row.member, row.measure)
        mine, first = (figures[(*place, heads)] for heads in (row.heads, "both"))
        assert row.estimate.value == pytest.approx(mine.value - first.value)
        if row.heads == "again":  # the same heads: no resample tells them apart
            assert (row.estimate.low, row.estimate.high) == (0, 0)
        else:
            widths.append(row.estimate.high - row.estimate.low)
    assert min(widths) > 0


def test_heads_of_one_token_do_not_hear_the_other(observed):
    changed = observed | {"mask_tokens": observed["mask_tokens"] + 5}
    one, both = ([r.estimate for r in compare(o, [RIVALS[2]], NAMES)] for o in (observed, changed))
    assert one == both
    before, after = (compare(o, [RIVALS[0]], NAMES) for o in (observed, changed))
    assert before != after


def test_the_text_has_a_column_for_each_file(rows):
    lines = [line.split() for line in format_comparison(rows, RIVALS).splitlines()]
    assert lines.count(["both", "again", "one"]) == 6
    assert lines.count(["tokens", "that", "they", "read", "both", "both", "iou"]) == 6
    [first, *_] = [line for line in lines if line[:2] == ["fake-small", "Delta*"]]
    assert first[2:5] == first[5:8]  # value and interval of the same heads
    more = lines[lines.index(first) + 1]
    assert more[:5] == ["-", "both", "0.0", "[0.0,", "0.0]"]


def test_rivals_of_other_weights_and_of_one_name_are_refused():
    members = [
        SimpleNamespace(manifest=SimpleNamespace(name=name), sha256=digit * 64)
        for name, digit in zip(NAMES, "56", strict=True)
    ]
    same = {"fake-small": "5" * 64, "fake-large": "6" * 64}
    fitting = [rival("a", trained_on=same), rival("b")]
    check_rivals(fitting, members)
    with pytest.raises(
        CheckpointError, match=r"c was trained on other weights of fake-large .*777"
    ):
        check_rivals([*fitting, rival("c", trained_on=same | {"fake-large": "7" * 64})], members)
    with pytest.raises(ConfigurationError, match="two have one: a, b, a"):
        check_rivals([*fitting, rival("a")], members)
