from dataclasses import replace

import pytest
import torch

from suresam.errors import CheckpointError
from suresam.training.loop import Run, Trainer, run_replica
from suresam.training.replicas import Replicas, StartedReplicas

ALONE = Replicas(rank=0, count=1, meeting_place="")


@pytest.fixture
def run(tiny_recipe, tiny_pool, tmp_path):
    return Run(
        recipe=tiny_recipe,
        pool=tiny_pool,
        state=tmp_path,
        seed=0,
        device="cpu",
        max_minutes=None,
        init_from=None,
        resume=False,
    )


def stop_after(steps: int):
    asked = []

    def should_stop() -> bool:
        asked.append(None)
        return len(asked) >= steps

    return should_stop


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {
        **trainer.averaged_weights(),
        **{f"raw.{k}": v for k, v in trainer.model.state_dict().items()},
    }


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_two_sittings_give_bit_for_bit_what_one_gives(run, tmp_path, steps):
    whole = Trainer(run, ALONE)
    assert whole.train(lambda: False, None)
    folder = tmp_path / "again"
    folder.mkdir()
    again = replace(run, state=folder)
    first = Trainer(again, ALONE)
    assert not first.train(stop_after(steps), None)
    second = Trainer(replace(again, resume=True), ALONE)
    assert second.train(lambda: False, None)
    expected, found = weights(whole), weights(second)
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.equal(expected[name], found[name]), name


def test_training_changes_every_part_but_presence(run):
    trainer = Trainer(run, ALONE)
    trainer.train(lambda: False, None)
    before = trainer.run.recipe.architecture.build().state_dict()
    after = trainer.model.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    assert not torch.equal(
        before["image_encoder.trunk.blocks.0.attn.qkv.weight"],
        after["image_encoder.trunk.blocks.0.attn.qkv.weight"],
    )
    assert after["sam_mask_decoder.pred_obj_score_head.layers.2.bias"].item() == 5.0


def test_the_clock_ends_both_stages(run):
    trainer = Trainer(replace(run, max_minutes=1e-9), ALONE)
    assert trainer.train(lambda: False, None)
    assert trainer.stage == "joint"


def test_a_state_of_another_seed_is_refused(run):
    Trainer(run, ALONE).train(stop_after(1), None)
    with pytest.raises(CheckpointError, match="another seed"):
        Trainer(replace(run, seed=1, resume=True), ALONE)


def test_two_replicas_average_their_gradients(run):
    with StartedReplicas(2, run_replica, (run,)) as replicas:
        trainer = Trainer(run, replicas)
        assert trainer.train(lambda: False, None)
    assert all(torch.isfinite(value).all() for value in trainer.averaged_weights().values())
