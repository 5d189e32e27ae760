"""The training loop: steps, schedule, averaged weights, saving and going on."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from suresam.errors import CheckpointError
from suresam.segmentation.checkpoints import check_fit
from suresam.segmentation.tensor_files import read_safetensors
from suresam.training.batches import draw_batch
from suresam.training.feed import Drawn, Feed
from suresam.training.forward import set_input_size
from suresam.training.initialisation import align_decoder
from suresam.training.objective import Figures, encoder_objective, joint_objective
from suresam.training.pool import ScenePool
from suresam.training.recipe import EncoderStage, JointStage, Recipe
from suresam.training.replicas import Replicas
from suresam.training.state import load_state, save_state

_SAVE_EVERY_S = 120.0
_WARM_UP = 0.03
"""Share of a stage over which the learning rate rises."""

_DRAWN_AHEAD = 8
"""Batches drawn beside a GPU, each by its own thread."""


class Reporter(Protocol):
    """Who is told about the steps."""

    def step(self, stage: str, step: int, progress: float, figures: Figures) -> None:
        """One step is done; `progress` is the share of the stage."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is asked for; the same in every replica.

    Attributes:
        recipe: the choices of the training.
        pool: folder of the drawn scenes.
        state: folder where the state is kept.
        seed: with stage, step and rank it fixes every random draw, so a run that goes on
            draws what an uninterrupted one would have.
        device: "cpu" or "cuda".
        max_minutes: training time over all sittings, or None to take all steps. With it, the
            schedule follows whichever is further, the steps or the clock.
        init_from: weights to begin with, or None; they replace the encoder stage.
        resume: whether to go on from the state in the folder.
    """

    recipe: Recipe
    pool: Path
    state: Path
    seed: int
    device: str
    max_minutes: float | None
    init_from: Path | None
    resume: bool


class Trainer:
    """One replica's model, optimiser and place in the schedule.

    Attributes:
        model: being trained.
        average: the averaged weights by name; what is exported.
        seconds: time spent in steps so far, over all sittings.
    """

    def __init__(self, run: Run, replicas: Replicas) -> None:
        self.run, self.replicas = run, replicas
        self.device = torch.device(run.device)
        self.pool = ScenePool(run.pool)
        torch.manual_seed(run.seed)
        self.model = run.recipe.architecture.build().to(self.device)
        self.stage = "encoder"
        self.step = 0
        self.seconds = 0.0
        self.num_scenes_seen = 0
        self.is_finished = False
        if run.init_from is not None:
            load_weights(self.model, run.init_from)
        if run.init_from is not None or run.recipe.encoder.steps == 0:
            self.stage = "joint"
            if run.init_from is None:
                self._align()
        ahead = min(_DRAWN_AHEAD, os.cpu_count() or 1) if run.device != "cpu" else 0
        self.feed = Feed(self._draw, self.device, ahead)
        self._begin_stage()
        if run.resume:
            self._restore()

    def train(self, should_stop: Callable[[], bool], reporter: Reporter | None) -> bool:
        """Take steps until the schedule ends or somebody wants to stop; saves the state.

        Args:
            should_stop: asked by rank 0 before every step.
            reporter: told by rank 0; None elsewhere.

        Returns:
            Whether the training is finished, rather than stopped.
        """
        started = saved = time.monotonic()
        before = self.seconds
        notes = torch.tensor([self._progress(), 0.0])
        while not self.is_finished:
            progress, wants_stop = notes.tolist()
            if progress >= 1:
                if self.stage == "joint":
                    self.is_finished = True
                    break
                self._end_encoder_stage()
                progress, wants_stop = 0.0, 0.0
            if wants_stop:
                break
            figures = self._take_step(progress, notes, should_stop, started - before)
            if self.replicas.rank == 0:
                self.seconds = before + time.monotonic() - started
                if reporter is not None:
                    figures["minutes"] = self.seconds / 60
                    reporter.step(self.stage, self.step, progress, figures)
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    self.save()
                    saved = time.monotonic()
        self.feed.close()
        if self.replicas.rank == 0:
            self.save()
        return self.is_finished

    def save(self) -> None:
        """Write weights, average, optimiser and place in the schedule, all or nothing."""
        save_state(
            self.run.state,
            {
                "recipe": self.run.recipe.to_dict(),
                "seed": self.run.seed,
                "replicas": self.replicas.count,
                "stage": self.stage,
                "step": self.step,
                "seconds": self.seconds,
                "stage_began": self.stage_began,
                "num_scenes_seen": self.num_scenes_seen,
                "is_finished": self.is_finished,
                "model": self.model.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "torch_rng": torch.get_rng_state(),
            },
            self.step,
        )

    def averaged_weights(self) -> dict[str, Tensor]:
        """The model's state with the averaged weights in it, on the CPU."""
        state = dict(self.model.state_dict())
        state.update(self.average)
        return {name: value.detach().cpu() for name, value in state.items()}

    def _take_step(
        self, progress: float, notes: Tensor, should_stop: Callable[[], bool], began: float
    ) -> Figures:
        recipe, rank, stage = self.run.recipe, self.replicas.rank, self._stage
        batch, seed = self.feed.take(
            self.step, lambda step: self._size_at(max(progress, self._step_progress(step)))
        )
        size = batch.pixels.shape[-1]
        generator = torch.Generator().manual_seed(seed)
        set_input_size(self.model, size)
        self.gradient.zero_()
        pixels = recipe.contrast_pixels
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            if isinstance(stage, JointStage):
                loss, figures = joint_objective(
                    self.model, batch, stage, pixels, progress, generator
                )
            else:
                loss, figures = encoder_objective(self.model, batch, pixels, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        self.step += 1
        self.num_scenes_seen += stage.images
        if rank == 0:
            self.seconds = time.monotonic() - began
            notes.copy_(torch.tensor([self._progress(), float(should_stop())]))
        self.replicas.average(self.gradient, notes)
        norm = float(self.gradient.norm())
        # A step that is not finite is left out; with it every later one would be as well.
        if math.isfinite(norm):
            self.gradient.mul_(min(1.0, recipe.grad_clip / (norm + 1e-6)))
            for group in self.optimizer.param_groups:
                group["lr"] = stage.learning_rate * _schedule(progress)
            self.optimizer.step()
            keep = min(recipe.joint.ema, self.step / (self.step + 10.0))
            torch._foreach_lerp_(list(self.average.values()), self.trained, 1.0 - keep)
        figures["gradient_norm"] = norm
        figures["input_size"] = size
        return figures

    def _progress(self) -> float:
        """Share of the stage that is done, by steps or by the clock, whichever is further."""
        recipe, limit = self.run.recipe, self.run.max_minutes
        progress = self._step_progress(self.step)
        if limit is not None:
            end = 60.0 * limit
            if self.stage == "encoder":
                end *= recipe.encoder.time_share
            span = max(end - self.stage_began, 1e-6)
            progress = max(progress, (self.seconds - self.stage_began) / span)
        return progress

    def _step_progress(self, step: int) -> float:
        return step / self._stage.steps if self._stage.steps else 1.0

    def _size_at(self, progress: float) -> int:
        stage = self._stage
        return stage.size_at(progress) if isinstance(stage, JointStage) else stage.input_size

    @property
    def _stage(self) -> EncoderStage | JointStage:
        return self.run.recipe.joint if self.stage == "joint" else self.run.recipe.encoder

    def _draw(self, step: int, size: int) -> Drawn:
        recipe, rank, stage = self.run.recipe, self.replicas.rank, self._stage
        is_joint = isinstance(stage, JointStage)
        rng = np.random.default_rng([self.run.seed, int(is_joint), step, rank])
        images = len(range(rank, stage.images, self.replicas.count))
        prompts, power = recipe.joint.prompts if is_joint else 0, recipe.joint.area_power
        batch = draw_batch(self.pool, size, images, prompts, rng, power)
        return Drawn(batch, int(rng.integers(2**62)))

    def _begin_stage(self) -> None:
        """Fresh optimiser, gradient and average for the parameters that the stage trains."""
        self.step = 0
        self.stage_began = self.seconds
        self.feed.forget()
        named = {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if self._is_trained(name)
        }
        self.trained: list[Tensor] = [p.detach() for p in named.values()]
        self.average = {name: p.detach().clone() for name, p in named.items()}
        self.gradient = torch.zeros(sum(p.numel() for p in named.values()), device=self.device)
        offset = 0
        for parameter in named.values():
            parameter.grad = self.gradient[offset : offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()
        decayed = [p for name, p in named.items() if _is_decayed(name, p)]
        others = [p for name, p in named.items() if not _is_decayed(name, p)]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.run.recipe.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=0.0,
            betas=(0.9, 0.98),
        )

    def _is_trained(self, name: str) -> bool:
        # Presence is a constant here: every scene holds what is asked for.
        if self.stage == "encoder":
            return name.startswith("image_encoder.")
        return "pred_obj_score_head" not in name

    def _end_encoder_stage(self) -> None:
        self.stage = "joint"
        self._align()
        self._begin_stage()

    def _align(self) -> None:
        recipe = self.run.recipe
        size = recipe.input_size
        set_input_size(self.model, size)
        rng = np.random.default_rng([self.run.seed, 2])
        batch = draw_batch(self.pool, size, 12, 0, rng).to(self.device)
        align_decoder(self.model, batch.pixels, torch.Generator().manual_seed(self.run.seed))

    def _restore(self) -> None:
        state = load_state(self.run.state, self.device)
        asked = {"recipe": self.run.recipe.to_dict(), "seed": self.run.seed,
                 "replicas": self.replicas.count}  # fmt: skip
        for name, value in asked.items():
            if state[name] != value:
                raise CheckpointError(f"the state in {self.run.state} was made with another {name}")
        if state["stage"] != self.stage:
            self.stage = state["stage"]
            self._begin_stage()
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.stage_began = state["stage_began"]
        self.num_scenes_seen = state["num_scenes_seen"]
        self.is_finished = state["is_finished"]
        torch.set_rng_state(state["torch_rng"].cpu())


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a safetensors file strictly, any float type.

    Raises:
        CheckpointError: if the file is missing, damaged or of another shape.
    """
    weights = read_safetensors(path)
    check_fit(path, weights, model.state_dict())
    model.load_state_dict({name: value.float() for name, value in weights.items()})


def run_replica(replicas: Replicas, run: Run) -> None:
    """What every process but rank 0 does."""
    Trainer(run, replicas).train(lambda: False, None)


def _schedule(progress: float) -> float:
    """Factor of the learning rate: a linear rise, then a cosine to a hundredth."""
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.02)
    along = (min(progress, 1.0) - _WARM_UP) / (1 - _WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along))


def _is_decayed(name: str, parameter: Tensor) -> bool:
    is_embedding = any(word in name for word in ("embed", "_token.", "mask_tokens."))
    return parameter.ndim > 1 and not is_embedding
