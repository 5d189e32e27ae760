from suresam.routing.budget import Claim
from suresam.routing.caps import Caps

CLAIM = Claim(gain=0.2, price_ms=90.0, spent_ms=10.0)


def test_each_tenant_has_a_budget_of_its_own_as_long_as_it_is_capped():
    shares = {"a": 0.0, "b": 1.0}
    caps = Caps(shares.get)
    assert caps.of("nobody") is None
    assert not caps.of("a").admits(CLAIM)
    assert caps.of("b").admits(CLAIM)
    assert caps.of("a") is caps.of("a")


def test_a_share_that_changes_holds_from_the_next_request_on():
    shares = {"a": 0.0}
    caps = Caps(shares.get)
    before = caps.of("a")
    shares["a"] = 1.0
    assert caps.of("a") is not before
    assert caps.of("a").admits(CLAIM)
    del shares["a"]
    assert caps.of("a") is None
