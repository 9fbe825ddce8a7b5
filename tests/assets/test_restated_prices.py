"""How many sessions an update restated is told with the prices, for the sensor that marks the models."""

from pathlib import Path

import dagster as dg
import pandas as pd

from tests.assets.conftest import Desk, Writer


def _told(desk: Desk) -> object:
    [newest] = desk.instance.fetch_materializations(dg.AssetKey("prices"), limit=1).records
    assert newest.asset_materialization is not None
    return newest.asset_materialization.metadata["restated_sessions"].value


def test_a_dividend_restates_every_session_before_it_and_a_new_bar_none(
    desk: Desk, write_csv: Writer, csv_dir: Path
) -> None:
    file = write_csv("IBM", rows=300)
    history = pd.read_csv(file)
    history.iloc[:-2].to_csv(file, index=False)
    assert desk.run("IBM", job="fetch", source="csv", csv_dir=str(csv_dir)).reason is None
    assert _told(desk) == 0
    history.iloc[:-1].to_csv(file, index=False)
    assert desk.run("IBM", job="fetch", source="csv", csv_dir=str(csv_dir)).reason is None
    assert _told(desk) == 0
    paid = history.copy()
    paid.loc[paid.index[:-1], "Adj Close"] *= 0.99
    paid.to_csv(file, index=False)
    assert desk.run("IBM", job="fetch", source="csv", csv_dir=str(csv_dir)).reason is None
    assert _told(desk) == 299
