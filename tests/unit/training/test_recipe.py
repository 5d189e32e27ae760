import json

import pytest

from suresam.errors import ConfigurationError
from suresam.training.recipe import Recipe, load_recipe


@pytest.mark.parametrize("name", ["demo-small", "demo-large"])
def test_shipped_recipes_load_and_survive_a_round_trip(name):
    recipe = load_recipe(name)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_the_large_model_is_the_small_one_at_a_larger_size():
    small, large = load_recipe("demo-small").architecture, load_recipe("demo-large").architecture
    assert (small.input_size, large.input_size) == (256, 512)
    assert {**small.to_dict(), "input_size": 512} == large.to_dict()


def test_a_file_is_read_like_a_shipped_name(tmp_path, tiny_recipe):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(tiny_recipe.to_dict()))
    assert load_recipe(str(path)) == tiny_recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": 3}, "unknown training fields: speed"),
        ({"joint": {"step": 3}}, r"unknown training fields: joint\.step"),
        ({"architecture": None}, "lacks an architecture"),
        ({"joint": {"sizes": [[0.0, 256]]}}, "must start at progress 0 and end with"),
        ({"scene_size": 64}, "at most scene_size 64 px"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tiny_recipe, change, message):
    with pytest.raises(ConfigurationError, match=message):
        Recipe.from_dict({**tiny_recipe.to_dict(), **change})


def test_a_missing_or_broken_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match="no such training config"):
        load_recipe(str(tmp_path / "absent.json"))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigurationError, match="not JSON"):
        load_recipe(str(tmp_path / "broken.json"))
