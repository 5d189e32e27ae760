from suresam.engine.quarantine import Quarantine


def test_nobody_is_suspected_at_first():
    quarantine = Quarantine()
    assert not quarantine.is_suspect("a")
    assert not quarantine.is_guilty("a")


def test_all_of_a_launch_are_suspects_and_who_passes_is_cleared():
    quarantine = Quarantine()
    quarantine.blame(["a", "b"])
    assert quarantine.is_suspect("a")
    assert quarantine.is_suspect("b")
    assert not quarantine.is_guilty("a")
    quarantine.clear("a")
    assert not quarantine.is_suspect("a")


def test_who_kills_a_worker_alone_for_the_second_time_is_guilty():
    quarantine = Quarantine()
    quarantine.blame(["a", "b"])
    quarantine.blame(["b"])
    assert quarantine.is_guilty("b")
    assert not quarantine.is_guilty("a")


def test_one_death_alone_may_be_chance():
    quarantine = Quarantine()
    quarantine.blame(["a"])
    assert quarantine.is_suspect("a")
    assert not quarantine.is_guilty("a")


def test_two_deaths_in_company_prove_nothing():
    quarantine = Quarantine()
    quarantine.blame(["a", "b"])
    quarantine.blame(["a", "c"])
    assert not quarantine.is_guilty("a")


def test_the_memory_of_deaths_is_bounded():
    quarantine = Quarantine()
    for i in range(3000):
        quarantine.blame([i])
    assert not quarantine.is_suspect(0)
    assert quarantine.is_suspect(2999)
    assert len(quarantine._is_guilty) == 1024


def test_what_another_knows_is_added_to_what_is_known():
    one, other = Quarantine(), Quarantine()
    one.blame(["a", "b"])
    for _ in range(2):
        other.blame(["c"])
    one.take_over(other)
    assert one.is_suspect("a")
    assert one.is_guilty("c")
    other.take_over(one)
    assert other.is_suspect("b")
    assert not other.is_guilty("b")
    one.blame(["a"])
    one.take_over(other)
    assert one.is_guilty("a")
