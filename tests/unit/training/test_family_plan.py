import json

import pytest

from suresam.errors import ConfigurationError
from suresam.training.family_plan import load_family_plan
from suresam.training.recipe import load_recipe


def _member(name, share, **more):
    return {"name": name, "recipe": "demo-small", "share": share, **more}


def _plan(tmp_path, *members):
    values = {"name": "mine", "description": "", "licence": "MIT", "members": members}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(values))
    return str(path)


def test_the_shipped_plan_names_recipes_that_share_a_width():
    plan = load_family_plan("demo")
    recipes = [load_recipe(member.recipe) for member in plan.members]
    assert [member.name for member in plan.members] == ["demo-small", "demo-large"]
    assert len({recipe.architecture.d_model for recipe in recipes}) == 1
    assert recipes[0].input_size < recipes[1].input_size


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([_member("a", 0.4), _member("b", 0.4)], "shares add up to 0.8, not to 1"),
        ([_member("a", 0.5), _member("a", 0.5)], "member a is named twice"),
        ([_member("a", 0.5, init_from="b"), _member("b", 0.5)], "a starts from b, which is no ear"),
        ([_member("../a", 1.0)], "members.0.name"),
        ([_member("a", 1.0, colour="red")], "members.0.colour: Extra inputs"),
        ([], "members"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(tmp_path, members, message):
    with pytest.raises(ConfigurationError, match=message):
        load_family_plan(_plan(tmp_path, *members))


def test_an_unknown_family_is_named():
    with pytest.raises(ConfigurationError, match="no such family plan: nobody"):
        load_family_plan("nobody")
