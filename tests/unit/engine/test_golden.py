import numpy as np
import pytest
import torch

from suresam.engine.costs import CostTable
from suresam.engine.golden import check_golden, golden_pictures
from suresam.engine.warm_up import warm_up
from suresam.errors import ConfigurationError
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.manifests import load_family
from suresam.segmentation.sam2 import Sam2Backbone

LAUNCHED = {"encode": [1, 2], "decode": [1, 4]}


def ignore(stage):
    """Nothing to prepare."""


class WrongRows(FakeBackbone):
    """Answers single rows well, and one row of larger batches as its neighbour's."""

    def decode(self, rows):
        if len(rows) > 1:
            rows = [rows[1], *rows[1:]]
        return super().decode(rows)


class SmallerMasks(FakeBackbone):
    """Logits that are a little lower, as a lower precision might make all of them."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits.sub_(0.5)
        return decoded


class NoNumbers(FakeBackbone):
    """Fast, and not finite."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits[:] = torch.nan
        return decoded


def test_eager_float32_is_not_compared_with_itself():
    backbone = FakeBackbone()
    assert check_golden(backbone, LAUNCHED, ignore) == {}
    assert backbone.launches == []


def test_a_path_that_answers_alike_passes_at_every_number_of_rows():
    backbone = FakeBackbone(reference=FakeBackbone())
    assert check_golden(backbone, LAUNCHED, ignore) == {"encode": 1.0, "decode": 1.0}
    assert {("encode", 1), ("encode", 2), ("decode", 1), ("decode", 4)} == set(backbone.launches)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            SmallerMasks,
            r"fake-small: decode of 1 rows \(bfloat16, fake\) .*IoU 0\.\d{4} \(at least 0\.99\)",
        ),
        (WrongRows, r"decode of 4 rows .* lowest 0\.\d{4} \(at least 0\.9\)"),
        (NoNumbers, r"mean mask IoU 0\.0000 .* --dtype and --compile"),
    ],
)
def test_a_path_that_differs_is_refused(wrong, told):
    backbone = wrong(reference=FakeBackbone(), dtype="bfloat16")
    with pytest.raises(ConfigurationError, match=told):
        check_golden(backbone, LAUNCHED, ignore)


def test_warming_up_ends_with_the_check():
    backbone = SmallerMasks(reference=FakeBackbone())
    with pytest.raises(ConfigurationError, match="differs from eager float32"):
        warm_up(backbone, None, CostTable(), lambda stage, model: 2, ignore)


def test_what_compiles_is_warmed_at_the_powers_of_two_and_the_most():
    backbone, costs = FakeBackbone(is_compiled=True), CostTable()
    warm_up(backbone, None, costs, lambda stage, model: 6 if stage == "decode" else 1, ignore)
    assert {rows for stage, rows in backbone.launches if stage == "decode"} == {1, 2, 4, 6}
    assert {rows for stage, rows in backbone.launches if stage == "encode"} == {1}


def test_the_pictures_are_one_and_the_same_turned():
    upright, turned = golden_pictures()
    np.testing.assert_array_equal(turned[::-1, ::-1], upright)


def test_the_bundled_model_passes_in_bfloat16():
    manifest = load_family("demo").member("demo-small")
    model = load_model(manifest)
    backbone = Sam2Backbone("demo-small", model, "cpu", box=manifest.box, dtype="bfloat16")
    told = check_golden(backbone, {"encode": [1], "decode": [1, 2]}, ignore)
    assert 0.99 <= min(told.values()) < 1
