"""A home, a real Dagster instance on disk, and the lineage run in this process."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from bokeh_sampledata import stocks

from stock_assets.runs import Options, Outcome, execute, open_instance, plan
from stock_assets.settings import Settings
from storage.lake import Lake

SMALL = ("random_walk", "xgboost")
Writer = Callable[..., Path]


def hear_ctrl_c() -> None:
    """For processes of a test: what started the suite in the background may have told its children to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
        chosen = Options(**({"source": "sample", "fast": True, "models": models} | options))
        return execute(self.instance, self.settings, plan(job, [ticker], chosen)[0])

    def partitions(self, asset: str) -> set[str]:
        """Tickers of which the asset's newest attempt succeeded."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset.split("/"))))


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """A home below `folder`, named in the environment, with its Dagster instance."""
    settings = Settings(home=folder / "home", source="sample")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STOCK_ASSETS_HOME", str(settings.home))
        with open_instance(settings) as instance:
            yield Desk(settings, instance)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty home with its Dagster instance."""
    with open_desk(tmp_path) as desk:
        yield desk


@pytest.fixture(scope="module")
def finished_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A home in which AAPL has been run once. Shared: a test may rerun it, never change it."""
    with open_desk(tmp_path_factory.mktemp("finished")) as desk:
        assert desk.run("AAPL").reason is None
        yield desk


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
