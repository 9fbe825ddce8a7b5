"""A home, a real Dagster instance on disk, and the lineage run in this process."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from bokeh_sampledata import stocks

from stock_assets.runs import Options, Outcome, execute, open_instance, select
from stock_assets.settings import Settings
from storage.lake import Lake

SMALL = ("random_walk", "xgboost")
Writer = Callable[..., Path]


class Desk:
    """A home with its instance; `run` materialises a job's assets for one ticker."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.instance = instance

    @property
    def lake(self) -> Lake:
        """The truth."""
        return Lake(self.settings.lake_dir)

    def run(self, ticker: str, job: str = "lineage", models: Sequence[str] = SMALL, **options: Any) -> Outcome:
        """One real run, in this process, with small settings."""
        chosen = Options(**({"source": "sample", "fast": True} | options))
        return execute(self.instance, ticker, select(job, models), chosen)

    def partitions(self, asset: str) -> set[str]:
        """Tickers of which the asset's newest attempt succeeded."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset.split("/"))))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty home, in the environment too."""
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path / "home"))
    return Settings(home=tmp_path / "home", source="sample")


@pytest.fixture
def desk(home: Settings) -> Iterator[Desk]:
    """An empty home with its Dagster instance."""
    with open_instance(home) as instance:
        yield Desk(home, instance)


@pytest.fixture
def csv_dir(tmp_path: Path) -> Path:
    """An empty folder for `TICKER.csv` files."""
    folder = tmp_path / "csv"
    folder.mkdir()
    return folder


@pytest.fixture
def write_csv(csv_dir: Path) -> Writer:
    """Write bundled bars in Yahoo's download format."""

    def write(ticker: str, bars_of: str = "IBM", rows: int = 700, **changes: Any) -> Path:
        frame = pd.DataFrame(getattr(stocks, bars_of)).tail(rows)
        frame.columns = ["Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
        frame = frame.assign(**changes)
        file = csv_dir / f"{ticker}.csv"
        frame.to_csv(file, index=False)
        return file

    return write
