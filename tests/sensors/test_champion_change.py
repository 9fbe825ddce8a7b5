from collections.abc import Callable

import pandas as pd

from stock_assets.sensors.champion_change import champion_change
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask, tell_made
from tests.storage.frames import rows


def _decide(desk: Desk, model: str, day: str) -> None:
    decided_at = pd.to_datetime([f"2024-{day} 22:00"], utc=True)
    row = rows("champion", 1, model=model, decided_at=decided_at, reason=f"{model} was chosen.")
    desk.lake.append("champion", row)
    tell_made(desk, "champion", "AAPL")


def test_only_a_change_of_champion_is_announced_and_only_once(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-04")
    start = ask(champion_change).cursor
    _decide(desk, "random_walk", "01-31")
    first = ask(champion_change, cursor=start)
    assert desk.lake.read("announcements").empty
    _decide(desk, "sarima", "02-29")
    second = ask(champion_change, cursor=first.cursor)
    ask(champion_change, cursor=first.cursor)  # a tick that is repeated
    told = desk.lake.read("announcements")
    assert told["message"].tolist() == ["AAPL: sarima replaces random_walk as champion. sarima was chosen."]
    assert (told["kind"].iloc[0], told["ticker"].iloc[0]) == ("champion", "AAPL")
    assert second.cursor > first.cursor
    assert ask(champion_change, cursor=second.cursor).skip_reason.skip_message.startswith("0 decisions")


def test_many_tickers_and_markets_between_two_ticks_are_all_seen(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    start = ask(champion_change).cursor
    for number, model in enumerate(("random_walk", "xgboost")):
        decided_at = pd.to_datetime([f"2024-0{number + 1}-01 22:00"], utc=True)
        for ticker in ("AAPL", "IBM", "MSFT", "7203.T"):
            desk.lake.append("champion", rows("champion", 1, ticker=ticker, model=model, decided_at=decided_at))
        tell_made(desk, "champion", "AAPL", "IBM", "MSFT")
        tell_made(desk, "champion", "7203.T", market="XTKS")
    ask(champion_change, cursor=start)
    assert sorted(desk.lake.read("announcements")["ticker"]) == ["7203.T", "AAPL", "IBM", "MSFT"]
