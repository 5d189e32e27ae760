"""From records of shadow mode to a calibration and a report on it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suresam.errors import ConfigurationError
from suresam.evaluation.bootstrap import LEVEL, NUM_RESAMPLES
from suresam.evaluation.shadow.judging import Judged, judge
from suresam.evaluation.shadow.plot import draw_gains
from suresam.evaluation.shadow.refit import fit_corrections, refitted
from suresam.evaluation.shadow.report import HONEST, figure_rows, format_report, part_summary
from suresam.evaluation.shadow.samples import require_own, samples_of
from suresam.routing.shadow.record import ComparedModels, Record
from suresam.uncertainty.calibration import Calibration

REPORT, TEXT, PLOT = NAMES = ("gain.json", "gain.txt", "gain.png")
"""All that a report consists of."""


@dataclass(frozen=True, slots=True, eq=False)
class Refit:
    """What came of it.

    Attributes:
        calibration: the new one.
        judged: every part that was fitted.
        text: for people.
        content: for programs.
    """

    calibration: Calibration
    judged: Mapping[str, Judged]
    text: str
    content: Mapping[str, Any]


def refit_gain(
    record: Record, calibration: Calibration, models: ComparedModels, name: str, seed: int = 0
) -> Refit:
    """Fit the expected gain to a record; half of it judges what the other half gives.

    Args:
        record: of shadow mode.
        calibration: that made its predictions.
        models: in use.
        name: of the new calibration.
        seed: of the halves and the intervals.

    Raises:
        ConfigurationError: the record is of other models, or holds too little.
    """
    require_own(record, models)
    samples = samples_of(record.comparisons)
    corrections = fit_corrections(samples)
    judged = {part: judge(samples[part], seed) for part in corrections}
    summaries = {part: part_summary(mine, corrections.get(part)) for part, mine in samples.items()}
    count = sum(len(samples[part]) for part in corrections)
    dataset = f"{calibration.dataset}; model gap on {count} comparisons of shadow mode"
    return Refit(
        refitted(calibration, models.small, corrections, name, dataset),
        judged,
        format_report(models, summaries, judged),
        {
            "models": asdict(models),
            "name": name,
            "note": HONEST,
            "prompts": summaries,
            "torn_lines": record.num_torn,
            "intervals": {"level": LEVEL, "resamples": NUM_RESAMPLES},
            "figures": figure_rows(judged),
        },
    )


def write_report(refit: Refit, circumstances: Mapping[str, Any], folder: Path) -> None:
    """Write `NAMES` into a folder that is there; files of these names are replaced.

    Args:
        refit: to report on.
        circumstances: command and the like, for the JSON.
        folder: where.

    Raises:
        ConfigurationError: it cannot be written.
    """
    models = refit.content["models"]
    title = f"What {models['large']} gains over {models['small']}, in shadow mode"
    try:
        text = json.dumps({**circumstances, **refit.content}, indent=2, allow_nan=False)
        (folder / REPORT).write_text(text + "\n")
        (folder / TEXT).write_text(refit.text + "\n")
        (folder / PLOT).write_bytes(draw_gains(refit.judged, title))
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error
