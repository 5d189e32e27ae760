from suresam.routing.shadow.sampler import Sampler

CLICK, BOX = "one_click", "box"


def test_a_share_of_the_prompts_is_drawn():
    sampler = Sampler(0.1)
    drawn = sum(len(sampler.choose(None, [CLICK])) for _ in range(5000))
    assert 420 < drawn < 580


def test_a_seed_draws_the_same_prompts():
    def drawn(seed):
        sampler = Sampler(0.5, seed)
        return [sampler.choose(None, [CLICK]) for _ in range(50)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_one_click_and_one_other_prompt_are_drawn_of_a_request():
    sampler = Sampler(1.0)
    assert sampler.choose(None, [CLICK]) == (0,)
    assert sampler.choose(None, []) == ()
    seen = set()
    for _ in range(100):
        one, other = sampler.choose(None, [CLICK, CLICK, BOX, "clicks", "mask_input"])
        assert one in (0, 1)
        assert other in (2, 3, 4)
        seen |= {one, other}
    assert seen == {0, 1, 2, 3, 4}


def test_a_picture_gives_one_of_each_until_it_is_released():
    sampler = Sampler(1.0)
    assert sampler.take("cup", CLICK)
    assert not sampler.take("cup", CLICK)
    assert sampler.choose("cup", [CLICK]) == ()
    assert sampler.choose("cup", [CLICK, BOX]) == (1,)
    assert sampler.choose("plate", [CLICK]) == (0,)
    sampler.release("cup", CLICK)
    assert sampler.choose("cup", [CLICK]) == (0,)
    assert sampler.take("cup", "clicks")
    assert not sampler.take("cup", BOX)


def test_a_picture_without_a_name_is_always_new():
    sampler = Sampler(1.0)
    assert sampler.take(None, CLICK)
    assert sampler.take(None, CLICK)


def test_the_oldest_pictures_are_forgotten(monkeypatch):
    monkeypatch.setattr("suresam.routing.shadow.sampler._MOST_REMEMBERED", 2)
    sampler = Sampler(1.0)
    for picture in "abc":
        assert sampler.take(picture, CLICK)
    assert sampler.take("a", CLICK)
    assert not sampler.take("c", CLICK)
