"""The report on a calibration as files: JSON, two CSV, text and a plot."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suresam.errors import ConfigurationError
from suresam.evaluation.calibration.curves import MemberCurves
from suresam.evaluation.calibration.plot import draw_calibration
from suresam.evaluation.calibration.table import format_report
from suresam.evaluation.rows import rounded, write_csv

REPORT, FIGURES, RELIABILITY, TEXT, PLOT = NAMES = (
    "calibration.json",
    "calibration.csv",
    "reliability.csv",
    "calibration.txt",
    "calibration.png",
)
"""All that a report consists of."""


def write_files(
    report: dict[str, Any], curves: Mapping[str, MemberCurves], folder: Path
) -> dict[str, Any]:
    """Write everything into a folder that is there.

    Args:
        report: without its curves.
        curves: of every member.
        folder: files of `NAMES` in it are replaced.

    Returns:
        The report with its curves, as it was written.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    reliability = [
        {
            "member": member,
            "score": score,
            "start": found.start,
            "end": found.end,
            "said": rounded(found.said),
            "iou": rounded(found.iou.value),
            "low": rounded(found.iou.low),
            "high": rounded(found.iou.high),
            "masks": found.iou.num_targets,
            "pictures": found.iou.num_images,
        }
        for member, drawn in curves.items()
        for score, bins in drawn.reliability.items()
        for found in bins
    ]
    risk_coverage = [
        {
            "member": member,
            "score": score,
            "coverage": [rounded(value) for value in coverage.tolist()],
            "risk": [rounded(value) for value in risk.tolist()],
        }
        for member, drawn in curves.items()
        for score, (coverage, risk) in drawn.risk.items()
    ]
    report = report | {"reliability": reliability, "risk_coverage": risk_coverage}
    try:
        (folder / REPORT).write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
        write_csv(folder / FIGURES, report["figures"])
        write_csv(folder / RELIABILITY, reliability)
        (folder / TEXT).write_text(format_report(report) + "\n")
        (folder / PLOT).write_bytes(draw_calibration(report, curves))
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error
    return report
