"""How well heads do on pictures that they did not learn from, by head and kind of prompt."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.columns import aligned
from suresam.evaluation.observations.plan import PROMPTS

WITHIN = (0.1, 0.05, 0.01)
ALL = "all"

Figures = dict[str, float]


def judge_heads(
    names: Sequence[str],
    said: NDArray[np.floating[Any]],
    targets: NDArray[np.float32],
    prompt: NDArray[np.uint8],
) -> dict[str, dict[str, Figures]]:
    """Errors of every head, over all masks and by the prompt that they answer.

    Args:
        names: of H heads.
        said, targets: (Q, M, T, H); NaN in a target is left out.
        prompt: (Q,) places in `PROMPTS`.

    Returns:
        By head and by prompt ("all" first): `count`, `l1`, `mse`, `r2` and the shares `within_0.1`
        and so on. A head without a target of a kind lacks that kind; `r2` is absent where all
        targets are equal.
    """
    wanted = {ALL: np.ones(len(prompt), bool)}
    wanted |= {name: prompt == place for place, name in enumerate(PROMPTS)}
    report: dict[str, dict[str, Figures]] = {}
    for head, name in enumerate(names):
        report[name] = {}
        for kind, rows in wanted.items():
            truth = targets[rows, ..., head]
            is_known = ~np.isnan(truth)
            if is_known.any():
                report[name][kind] = _figures(said[rows, ..., head][is_known], truth[is_known])
    return report


def _figures(said: NDArray[Any], truth: NDArray[Any]) -> Figures:
    error = np.abs(said.astype(np.float64) - truth)
    mse, spread = float((error**2).mean()), float(truth.var(dtype=np.float64))
    figures = {"count": float(len(error)), "l1": float(error.mean()), "mse": mse}
    if spread > 0:
        figures["r2"] = 1 - mse / spread
    return figures | {f"within_{limit:g}": float((error <= limit).mean()) for limit in WITHIN}


def format_report(report: dict[str, dict[str, Figures]]) -> str:
    """The figures over all prompts as a table, and R2 by prompt beside them."""
    kinds = [kind for kind in PROMPTS if any(kind in by_kind for by_kind in report.values())]
    headings = ("head", "L1", "MSE", "R2", "within 0.1", *(f"R2 {kind}" for kind in kinds))
    rows: list[tuple[str, ...]] = [headings]
    for name, by_kind in report.items():
        if ALL not in by_kind:
            continue
        overall = by_kind[ALL]
        rows.append(
            (
                name,
                f"{overall['l1']:.3f}",
                f"{overall['mse']:.4f}",
                _told(overall),
                f"{overall['within_0.1']:.0%}",
                *(_told(by_kind.get(kind, {})) for kind in kinds),
            )
        )
    return "\n".join(aligned(rows))


def _told(figures: Figures) -> str:
    return f"{figures['r2']:.2f}" if "r2" in figures else "-"
