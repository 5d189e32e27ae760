"""Watching a training: every few minutes a judgement of its averaged weights and a picture."""

from collections.abc import Callable
from pathlib import Path

from suresam.errors import NonFiniteOutput
from suresam.training.judge import Judge
from suresam.training.loop import Trainer
from suresam.training.objective import Figures
from suresam.training.progress import ProgressReporter
from suresam.training.sheet import save_sheet

LATEST = "contact.png"


class Watch:
    """A `Reporter` that hands on what it is told, and looks at the weights when it is time.

    It only reads the training, so that a watched one gives the same weights; the time that it
    takes counts as training time.

    Args of the constructor: `reporter` is told of every step, and of every look; `trainer` is
    looked at; `judge` does it; `every_minutes` of training, positive; `folder` gets the pictures
    `contact-00012min.png` and `contact.png`, the latest; `after` is called after every look.
    """

    def __init__(
        self,
        reporter: ProgressReporter,
        trainer: Trainer,
        judge: Judge,
        every_minutes: float,
        folder: Path,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._reporter = reporter
        self._trainer = trainer
        self._judge = judge
        self._every = every_minutes
        self._folder = folder
        self._after = after
        self._turn = self._turn_at(trainer.seconds / 60)

    def step(self, stage: str, step: int, progress: float, figures: Figures) -> None:
        """Hand one step on; look if a turn has come since the last step."""
        self._reporter.step(stage, step, progress, figures)
        turn = self._turn_at(self._trainer.seconds / 60)
        if turn > self._turn:
            self._turn = turn
            self.look(progress)

    def look(self, progress: float) -> None:
        """Judge the averaged weights now, log the figures and write the picture.

        Args:
            progress: share of the stage, for the log.
        """
        trainer, minutes = self._trainer, self._trainer.seconds / 60
        title = f"{minutes:.3g} min, {trainer.stage} step {trainer.step}"
        has_decoder = trainer.stage == "joint"
        try:
            judgement = self._judge.judge(trainer.averaged_weights(), has_decoder, title)
        except NonFiniteOutput as error:
            self._reporter.note(f"{title}: {error}")
            return
        figures = {"minutes": minutes, **judgement.figures}
        self._reporter.log(
            {"stage": trainer.stage, "step": trainer.step, "progress": progress, **figures}
        )
        words = " ".join(f"{name}={value:.3f}" for name, value in judgement.figures.items())
        self._reporter.note(f"{title}: {words}")
        for name in (f"contact-{minutes:05.0f}min.png", LATEST):
            save_sheet(judgement.sheet, self._folder / name)
        self._after()

    def _turn_at(self, minutes: float) -> int:
        return int(minutes / self._every)
