"""Telling how training goes: a bar on a terminal, plain lines elsewhere, and a JSON-lines log."""

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from suresam.training.objective import Figures

LOG_FILE = "log.jsonl"

_LINE_EVERY_S = 20.0
_SMOOTHING = 0.96
_NOT_AVERAGED = ("minutes", "input_size")
_STEPS = "{desc} {percentage:3.0f}%|{bar}| {elapsed} {postfix}"
_COUNT = "{desc} {n_fmt}/{total_fmt}|{bar}| {elapsed}<{remaining}"


class ProgressReporter:
    """Writes running means of a training's figures.

    Args of the constructor: `stream` gets the bar or the lines (it decides which by being a
    terminal); `log` is a file that gets one JSON object every 20 s, appended.
    """

    def __init__(self, stream: TextIO, log: Path) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._log = log
        self._means: dict[str, float] = {}
        self._stage = ""
        self._bar: tqdm[Any] | None = None
        self._written = float("-inf")

    def step(self, stage: str, step: int, progress: float, figures: "Figures") -> None:
        """Take in one step; shows the running means when it is time."""
        if stage != self._stage:
            self._stage, self._means = stage, {}
            self._written = float("-inf")
            self.close()
        for name, value in figures.items():
            if not math.isfinite(value):  # the loop leaves such a step out as well
                continue
            before = self._means.get(name, value)
            keep = 0.0 if name in _NOT_AVERAGED else min(_SMOOTHING, (step - 1) / step)
            self._means[name] = keep * before + (1 - keep) * value
        if self._is_terminal:
            bar = self._bar_of(stage, 1000, _STEPS)
            bar.set_postfix_str(_summary(self._means), refresh=False)
            bar.update(round(1000 * min(progress, 1.0)) - bar.n)
        if time.monotonic() - self._written >= _LINE_EVERY_S:
            self._written = time.monotonic()
            self.log({"stage": stage, "step": step, "progress": progress, **self._means})
            if not self._is_terminal:
                minutes = self._means.get("minutes", 0.0)
                told = f"{stage} {step} {progress:.1%} {minutes:.1f} min"
                self.note(f"{told} {_summary(self._means)}")

    def count(self, what: str, done: int, total: int) -> None:
        """Take in how many things are done of a work that is no training step.

        Args:
            what: its name, such as "scenes".
        """
        if self._is_terminal:
            bar = self._bar_of(what, total, _COUNT)
            bar.update(done - bar.n)
            if done == total:
                self.close()
        elif done == total or (done and time.monotonic() - self._written >= _LINE_EVERY_S):
            self._written = time.monotonic()
            self.note(f"{what} {done} of {total}")

    def log(self, entry: dict[str, str | int | float]) -> None:
        """Append one JSON object to the log, numbers rounded to four decimals."""
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in entry.items()}
        with self._log.open("a") as log:
            log.write(json.dumps(rounded) + "\n")

    def note(self, text: str) -> None:
        """One line that is not about a step."""
        if self._is_terminal:
            tqdm.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _bar_of(self, what: str, total: int, form: str) -> "tqdm[Any]":
        if self._bar is None:
            self._bar = tqdm(total=total, desc=what, file=self._stream, bar_format=form)
        return self._bar


def _summary(means: dict[str, float]) -> str:
    return " ".join(
        f"{name}={value:.3f}" for name, value in means.items() if name not in _NOT_AVERAGED
    )
