"""Padding, buckets and falling back, with a backend that traces as inductor does and compiles
nothing; `tests/parity/test_compiled_models.py` compiles."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from suresam.domain import ImageSize, Prompt
from suresam.engine.golden import check_golden
from suresam.errors import ConfigurationError
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.compiled import CompiledRows
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone

SIZE = ImageSize(64, 48)


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    """The numbers of rows of what ran traced, after whom nothing may be traced any more."""
    rows = []
    compile_, set_stance = torch.compile, torch.compiler.set_stance

    def compiled(run, **options):
        traced_run = compile_(run, backend="aot_eager", **options)

        def counted(*tensors):
            rows.append(len(tensors[0]))
            return traced_run(*tensors)

        return counted

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(torch.compiler, "set_stance", lambda _: set_stance("fail_on_recompile"))
    return rows


def doubled(numbers, words):
    return numbers * 2, words.sum(1)


@pytest.fixture
def rows_1_and_4():
    run = CompiledRows("twice", doubled, any_length=1)
    with run.compiling():
        for rows in (1, 4):
            run(torch.ones(rows, 3), torch.ones(rows, 2))
    return run


@pytest.mark.parametrize(
    ("rows", "launched"), [(1, [1]), (2, [4]), (3, [4]), (4, [4]), (5, []), (0, [])]
)
@pytest.mark.parametrize("length", [2, 7])
def test_rows_are_padded_to_what_was_compiled_or_run_eagerly(
    rows_1_and_4, traced, rows, launched, length
):
    traced.clear()
    numbers, words = torch.randn(rows, 3), torch.randn(rows, length)
    for output, wanted in zip(rows_1_and_4(numbers, words), doubled(numbers, words), strict=True):
        torch.testing.assert_close(output, wanted)
    assert traced == launched
    assert rows_1_and_4.padded(rows) == (launched or [rows])[0]


def test_a_batch_is_not_padded_to_more_than_twice_its_rows(traced):
    run = CompiledRows("twice", doubled)
    with run.compiling():
        run(torch.ones(8, 3), torch.ones(8, 2))
    traced.clear()
    for rows in (3, 4):
        run(torch.ones(rows, 3), torch.ones(rows, 2))
    assert traced == [8]


def test_what_cannot_be_compiled_is_a_fault_of_the_configuration():
    def unfit(numbers):
        return (numbers * float(numbers.sum().item() > 0 and np.random.rand()),)

    run = CompiledRows("demo: decode", unfit)
    with run.compiling(), pytest.raises(ConfigurationError, match="compile: demo: decode: "):
        run(torch.ones(2, 3))


@pytest.fixture(scope="module")
def model():
    return load_model(load_family("demo").member("demo-small"))


def test_a_compiled_model_answers_prompts_of_any_length_and_number(model, traced):
    compiled = Sam2Backbone("demo-small", model, "cpu", is_compiled=True)
    eager = compiled.reference
    images = [np.full((48, 64, 3), red, np.uint8) for red in (10, 250)]
    with compiled.compiling():
        embeddings = compiled.encode(images)
        for rows in (1, 2):
            row = prompt_row(Prompt(points=[(20, 30)]), SIZE, embeddings[0], compiled)
            compiled.decode([row] * rows)
    traced.clear()
    compiled.encode(images)
    prompts = [
        Prompt(points=[(20, 30)]),
        Prompt(points=[(3, 4), (50, 9), (7, 40)], labels=(1, 0, 0)),
        Prompt(points=[(5, 6)], mask_input=np.full((64, 64), 3, np.float16)),
    ]
    for prompt in prompts:
        for own in (embeddings[:1], embeddings):
            rows = [prompt_row(prompt, SIZE, embedding, compiled) for embedding in own]
            told, wanted = compiled.decode(rows), eager.decode(rows)
            for name in told.__slots__:
                torch.testing.assert_close(getattr(told, name), getattr(wanted, name))
    assert traced == [2, *[1, 2] * len(prompts)]


def test_the_golden_check_asks_what_will_serve(model, traced):
    compiled = Sam2Backbone("demo-small", model, "cpu", dtype="bfloat16", is_compiled=True)
    images = [np.zeros((48, 64, 3), np.uint8)]
    with compiled.compiling():
        [embedding] = compiled.encode(images)
        compiled.decode([prompt_row(Prompt(points=[(20, 30)]), SIZE, embedding, compiled)])
    traced.clear()
    told = check_golden(compiled, {"encode": [1], "decode": [1]}, lambda stage: None)
    assert set(traced) == {1}
    assert 0.99 <= min(told.values()) < 1


def test_what_one_thread_compiled_another_may_run(rows_1_and_4, traced):
    """The device's worker is replaced by a new thread when it dies."""
    traced.clear()
    with ThreadPoolExecutor(1) as pool:
        numbers, _ = pool.submit(rows_1_and_4, torch.ones(4, 3), torch.ones(4, 5)).result()
    assert traced == [4]
    assert (numbers == 2).all()
