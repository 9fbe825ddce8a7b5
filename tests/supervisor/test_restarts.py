"""When a dead service is started again."""

from stock_assets.supervisor.watch import Deaths, Limits


def test_each_restart_waits_twice_as_long_as_the_one_before_until_it_is_given_up() -> None:
    deaths = Deaths(Limits(restarts=5, within=600, first_wait=1))
    assert [deaths.wait_after(now) for now in range(6)] == [1, 2, 4, 8, 16, None]


def test_a_death_long_ago_does_not_count() -> None:
    deaths = Deaths(Limits(restarts=2, within=600, first_wait=1))
    assert [deaths.wait_after(now) for now in (0, 1, 601, 1300, 1301, 1302)] == [1, 2, 1, 1, 2, None]
