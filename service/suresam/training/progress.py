"""Telling how training goes: a bar on a terminal, plain lines elsewhere, and a JSON-lines log."""

import json
import time
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from suresam.training.objective import Figures

_LINE_EVERY_S = 20.0
_SMOOTHING = 0.96
_NOT_AVERAGED = ("minutes", "input_size")


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

    def step(self, stage: str, step: int, progress: float, figures: Figures) -> None:
        """Take in one step; shows the running means when it is time."""
        if stage != self._stage:
            self._stage, self._means = stage, {}
            self._written = float("-inf")
            self.close()
        for name, value in figures.items():
            before = self._means.get(name, value)
            keep = 0.0 if name in _NOT_AVERAGED else min(_SMOOTHING, (step - 1) / step)
            self._means[name] = keep * before + (1 - keep) * value
        if self._is_terminal:
            self._draw_bar(progress)
        if time.monotonic() - self._written >= _LINE_EVERY_S:
            self._written = time.monotonic()
            self._write(step, progress)

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

    def _draw_bar(self, progress: float) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=1000,
                desc=self._stage,
                file=self._stream,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} {postfix}",
            )
        bar = self._bar
        bar.set_postfix_str(self._summary(), refresh=False)
        bar.update(round(1000 * min(progress, 1.0)) - bar.n)

    def _summary(self) -> str:
        return " ".join(
            f"{name}={value:.3f}"
            for name, value in self._means.items()
            if name not in _NOT_AVERAGED
        )

    def _write(self, step: int, progress: float) -> None:
        entry = {"stage": self._stage, "step": step, "progress": round(progress, 4)}
        entry.update({name: round(value, 4) for name, value in self._means.items()})
        with self._log.open("a") as log:
            log.write(json.dumps(entry) + "\n")
        if not self._is_terminal:
            minutes = self._means.get("minutes", 0.0)
            self.note(f"{self._stage} {step} {progress:.1%} {minutes:.1f} min {self._summary()}")
