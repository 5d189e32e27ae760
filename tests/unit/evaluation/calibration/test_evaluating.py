"""From fake members to every file of a report."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from evaluation_fakes import CONTESTANTS, rectangle_in
from heads import FAKES, calibration_of, random_heads
from PIL import Image

from suresam.datasets import Example
from suresam.errors import ConfigurationError
from suresam.evaluation.bootstrap import ImageBootstrap
from suresam.evaluation.calibration import evaluating, files, run
from suresam.evaluation.calibration.evaluating import Refit, evaluate_calibration
from suresam.evaluation.calibration.files import NAMES
from suresam.evaluation.calibration.judging import DIFFERING, WORDS
from suresam.evaluation.calibration.table import format_report
from suresam.evaluation.observations import collecting
from suresam.evaluation.observations.plan import PROMPTS
from suresam.evaluation.targets import TargetChoice
from suresam.uncertainty.member_heads import HeadFile

SHAPE = (48, 64)
CHOICE = TargetChoice(per_image=1, num_targets=None)
HEADS = HeadFile("usam-fake", "1" * 64, random_heads())
FITTED = calibration_of(*FAKES)


class Pictures:
    """Pictures of one colour each with one rectangle."""

    def __init__(self, name: str, count: int, first_red: int = 11) -> None:
        self.name, self._count, self._red = name, count, first_red
        self.image_ids = [f"{name}{i}" for i in range(count)]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        mask = rectangle_in(SHAPE, 4, 4, 20 + index % 6, 30)
        image = np.full((*SHAPE, 3), self._red + 2 * index, np.uint8)
        return Example(self.image_ids[index], image, [mask])


JUDGED, OTHERS = Pictures("val", 6), Pictures("train", 12, first_red=10)


def evaluate(out, dataset=JUDGED, calibration=FITTED, stream=None, **options):
    return evaluate_calibration(
        CONTESTANTS, HEADS, calibration, dataset, CHOICE, out, stream or io.StringIO(), **options
    )


@pytest.fixture(scope="module", autouse=True)
def few():
    """Twelve pictures and 200 resamples are enough for the fakes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageBootstrap.__init__, "__defaults__", (0, 200))
        patch.setattr(run, "_LEAST_PICTURES", 12)
        yield


@pytest.fixture(scope="module")
def refitted(tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    return out, evaluate(out, refit=Refit(OTHERS, CHOICE), circumstances={"command": "made"})


def test_a_refit_writes_every_file(refitted):
    out, report = refitted
    names = {path.name for path in out.iterdir()}
    assert names == {*NAMES, "observations", "refit-observations"}
    assert json.loads((out / "calibration.json").read_text()) == report
    assert report["command"] == "made"
    assert report["targets"]["pictures"] == 6
    assert report["refit"]["dataset"] == "train"
    assert report["refit"]["targets"]["pictures"] == 12
    with (out / "calibration.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (1 + len(PROMPTS)) * (2 * len(WORDS) + len(DIFFERING))
    with (out / "reliability.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(report["reliability"])
    with Image.open(out / "calibration.png") as picture:
        assert picture.width > 1200
        assert len(set(np.asarray(picture.convert("RGB")).reshape(-1, 3).max(1).tolist())) > 5
    assert (out / "calibration.txt").read_text() == format_report(report) + "\n"


def test_figures_of_a_report_hang_together(refitted):
    _, report = refitted
    value = {
        (r["member"], r["prompt"], r["calibration"], r["measure"]): r["value"]
        for r in report["figures"]
    }
    for member in FAKES:
        for prompt in ("all", *PROMPTS):
            for measure in DIFFERING:
                before = value[member, prompt, "served", measure]
                after = value[member, prompt, "refitted", measure]
                change = value[member, prompt, "refitted_minus_served", measure]
                if None not in (before, after):
                    assert change == pytest.approx(after - before, abs=2e-4)
    masks = {
        (r["prompt"], r["measure"]): r["masks"]
        for r in report["figures"]
        if (r["member"], r["calibration"]) == ("fake-small", "served")
    }
    kinds = [masks[prompt, "coverage"] for prompt in PROMPTS]
    assert sum(kinds) == masks["all", "coverage"] == report["targets"]["masks"]["fake-small"]
    for score in ("served", "refitted", "predicted_iou"):
        bins = [
            r for r in report["reliability"] if (r["member"], r["score"]) == ("fake-small", score)
        ]
        assert sum(r["masks"] for r in bins) == masks["all", "coverage"]
        error = sum(r["masks"] * abs(r["said"] - r["iou"]) for r in bins) / sum(kinds)
        which, measure = score, "calibration_error"
        if score == "predicted_iou":
            which, measure = "served", "predicted_iou_error"
        assert error == pytest.approx(value["fake-small", "all", which, measure], abs=2e-4)
    # Refitted on pictures like these, it says the truth more nearly.
    assert value["fake-large", "all", "refitted_minus_served", "calibration_error"] < -0.05


def test_the_text_has_a_column_for_what_differs(refitted):
    text = format_report(refitted[1])
    assert "calibration fitted, fitted on a test, judged on val: 6 pictures" in text
    assert "refitted on train: 12 pictures" in text
    assert "refitted - served" in text
    [row] = [line for line in text.split("\n\n")[1].splitlines() if line.startswith("width")]
    assert row.count("[") == 3


@pytest.fixture
def undrawn(monkeypatch):
    """Plots take longer than everything else."""
    monkeypatch.setattr(files, "draw_calibration", lambda *_: b"")


@pytest.mark.usefixtures("undrawn")
def test_what_was_observed_is_not_asked_again(refitted, monkeypatch):
    out, before = refitted
    monkeypatch.setattr(collecting, "observe", lambda *_: pytest.fail("a picture was asked about"))
    again = evaluate(out, refit=Refit(OTHERS, CHOICE), circumstances={"command": "made"})
    assert again == before


@pytest.mark.usefixtures("undrawn")
def test_without_a_refit_members_stand_side_by_side(tmp_path):
    told = io.StringIO()
    report = evaluate(tmp_path, calibration=replace(FITTED, dataset="val"), stream=told)
    assert report["refit"] is None
    assert {row["calibration"] for row in report["figures"]} == {"served"}
    text = format_report(report)
    heading = text.split("\n\n")[1].splitlines()[0]
    assert heading.split() == ["fake-small", "fake-large"]
    assert not (tmp_path / "refit-observations").exists()
    # The pictures have the name of those that the calibration was fitted on.
    assert "fitted on a data set that is called val, too" in told.getvalue()
    assert report["warnings"][0] in text


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (replace(FITTED, heads_sha256="2" * 64), "made with other heads than usam-fake"),
        (calibration_of("fake-small"), "is not for fake-large: it knows fake-small"),
        (replace(FITTED, trained_on={"fake-small": "other"}), "other weights of fake-small"),
    ],
)
def test_a_calibration_of_something_else_is_refused(calibration, message, tmp_path):
    with pytest.raises(ConfigurationError, match=message):
        evaluate(tmp_path / "out", calibration=calibration)
    assert not (tmp_path / "out").exists()


def test_a_refit_on_too_few_or_the_same_pictures_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "collect", lambda *_, **__: pytest.fail("work was done"))
    with pytest.raises(ConfigurationError, match="3 pictures with a usable mask are too few"):
        evaluate(tmp_path, refit=Refit(Pictures("few", 3, first_red=150), CHOICE))
    with pytest.raises(ConfigurationError, match="also the data set that is judged"):
        evaluate(tmp_path, refit=Refit(JUDGED, CHOICE))
    with pytest.raises(ConfigurationError, match="copy and val share pictures"):
        evaluate(tmp_path, refit=Refit(Pictures("copy", 12), CHOICE))


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(evaluating, "collect", lambda *_, **__: pytest.fail("work was done"))
    with pytest.raises(ConfigurationError, match="cannot write into"):
        evaluate(tmp_path / "file" / "report")
