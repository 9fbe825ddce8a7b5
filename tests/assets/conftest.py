"""A home, a real Dagster instance on disk, and the lineage run in this process.

What takes long is made once a session, and copied.
"""

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from bokeh_sampledata import stocks

from stock_assets.instance import open_instance
from stock_assets.runs import Options, Outcome, Work, execute, plan
from stock_assets.settings import Settings
from storage.lake import Lake
from tests.once import made_once

SMALL = ("random_walk", "xgboost")
Writer = Callable[..., Path]


def hear_ctrl_c() -> None:
    """For processes of a test: what started the suite in the background may have told its children to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Ended(Outcome):
    """How a run of the desk ended."""

    @property
    def reason(self) -> str | None:
        """Why the run is not complete: the line of its one failed ticker; None where none failed."""
        if not self.failed:
            return None
        (only,) = self.failed.values()
        return only


class Desk:
    """A home with its instance; `run` materialises a job's assets for the tickers of one market."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.instance = instance

    @property
    def lake(self) -> Lake:
        """The truth."""
        return Lake(self.settings.lake_dir)

    def run(self, *tickers: str, job: str = "lineage", models: Sequence[str] = SMALL, **options: Any) -> Ended:
        """One real run, in this process, with small settings."""
        return self.execute(self.plan(*tickers, job=job, models=models, **options))

    def plan(self, *tickers: str, job: str = "lineage", models: Sequence[str] = SMALL, **options: Any) -> Work:
        """That run, not begun."""
        chosen = Options(**({"source": "sample", "fast": True, "models": models} | options))
        (work,) = plan(job, tickers, chosen, self.lake)
        return work

    def execute(self, work: Work) -> Ended:
        """A run that was planned, perhaps with other configuration or other assets."""
        ended = execute(self.instance, self.settings, work)
        return Ended(ended.tickers, ended.failed, ended.is_interrupted)

    def made(self, asset: str) -> set[str]:
        """Tickers whose rows the asset's newest materialisation made."""
        return set(self.metadata(asset).get("tickers", ()))

    def metadata(self, asset: str) -> dict[str, Any]:
        """What the asset's newest materialisation tells; nothing where it was never made."""
        found = self.instance.fetch_materializations(dg.AssetKey(asset.split("/")), limit=1).records
        event = found[0].asset_materialization if found else None
        return {name: value.value for name, value in event.metadata.items()} if event is not None else {}

    def checks(self, asset: str) -> dict[str, dg.AssetCheckEvaluation]:
        """The newest result of each of the asset's checks, by name."""
        keys = [key for key in _graph().asset_check_keys if key.asset_key == dg.AssetKey(asset.split("/"))]
        records = self.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        return {key.name: _evaluation(record) for key, record in records.items()}

    def statuses(self) -> dict[str, str]:
        """Ticker → status."""
        rows = self.lake.read("tickers")
        return dict(zip(rows["ticker"], rows["status"], strict=True))


def _graph() -> Any:
    from stock_assets.definitions import defs

    return defs.resolve_asset_graph()


def _evaluation(record: Any) -> dg.AssetCheckEvaluation:
    evaluation = record.event.dagster_event.event_specific_data
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    return evaluation


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """A home below `folder`, named in the environment, with its Dagster instance."""
    settings = Settings(home=folder / "home", source="sample")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STOCK_ASSETS_HOME", str(settings.home))
        with open_instance(settings) as instance:
            yield Desk(settings, instance)


@contextmanager
def open_copy(original: Path, folder: Path) -> Iterator[Desk]:
    """A copy, below `folder`, of the home below `original`, opened."""
    shutil.copytree(original / "home", folder / "home")
    with open_desk(folder) as desk:
        yield desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty home with its Dagster instance."""
    with open_desk(tmp_path) as desk:
        yield desk


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home in which AAPL has been run once. For copies of it."""

    def make(folder: Path) -> None:
        with open_desk(folder) as desk:
            assert desk.run("AAPL").failed == {}

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="module")
def finished_desk(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A home in which AAPL has been run once. Shared: a test may rerun it, never change it."""
    with open_copy(finished, tmp_path_factory.mktemp("copied")) as desk:
        yield desk


@pytest.fixture
def own_desk(finished: Path, tmp_path: Path) -> Iterator[Desk]:
    """A home in which AAPL has been run once, to be changed."""
    with open_copy(finished, tmp_path) as desk:
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
