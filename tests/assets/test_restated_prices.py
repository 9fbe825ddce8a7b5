"""How many sessions an update restated is told with the prices, for the sensor that marks the models."""

from pathlib import Path

import pandas as pd

from tests.assets.conftest import Desk, Writer


def test_a_dividend_restates_every_session_before_it_and_a_new_bar_none(
    desk: Desk, write_csv: Writer, csv_dir: Path
) -> None:
    write_csv("MSFT", rows=300)
    file = write_csv("IBM", rows=300)
    history = pd.read_csv(file)
    paid = history.copy()
    paid.loc[paid.index[:-1], "Adj Close"] *= 0.99
    for bars, restated in ((history.iloc[:-2], None), (history.iloc[:-1], None), (paid, {"IBM": 299})):
        bars.to_csv(file, index=False)
        assert desk.run("IBM", "MSFT", job="fetch", source="csv", csv_dir=str(csv_dir)).failed == {}
        assert desk.metadata("prices").get("restated_sessions") == restated
