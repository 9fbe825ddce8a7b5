"""Runs started over HTTP in a real Dagster: followed to their end, stopped, refused."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from dashboard import actions
from dashboard.dagster_api import NotOurDagster
from dashboard.pipeline import Pipeline, RunUnderWay, UnknownPartition
from dashboard.pipeline_runs import Run
from stock_assets.settings import Settings
from storage.errors import InvalidTicker
from storage.lake import Lake
from tests.assets.conftest import open_desk
from tests.dagster_dev import dagster_dev

PATIENCE_S = 600


@dataclass(frozen=True)
class Platform:
    """A home in which small models of AAPL are trained, and the Dagster that works for it."""

    settings: Settings
    pipeline: Pipeline

    @property
    def lake(self) -> Lake:
        """The truth of the home."""
        return Lake(self.settings.lake_dir)

    def await_first_run(self, ticker: str, *, after: int = 0) -> Run:
        """The run that the sensor starts for a new ticker, which had `after` runs before."""
        deadline = time.monotonic() + PATIENCE_S
        while len(found := [run for run in self.pipeline.runs.newest() if run.tickers == (ticker,)]) <= after:
            assert time.monotonic() < deadline
            time.sleep(1)
        return found[0]

    def under_way(self, ticker: str) -> list[Run]:
        """Unfinished runs of a ticker of New York."""
        return [run for run in self.pipeline.runs.under_way() if run.is_about(ticker, "XNYS")]

    def follow(self, run_id: str) -> list[Run]:
        """What is told of a run until it is over."""
        told = [self.pipeline.runs.one(run_id)]
        deadline = time.monotonic() + PATIENCE_S
        while not told[-1].is_over:
            assert time.monotonic() < deadline, told[-1]
            time.sleep(0.3)
            told.append(self.pipeline.runs.one(run_id))
        return told


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    with open_desk(folder) as desk:
        assert desk.run("AAPL").reason is None
        settings = desk.settings
    with dagster_dev(settings.home, folder / "log") as ui:
        settings = replace(settings, dagster_ui="http://localhost:1", dagster_api=ui.url)
        yield Platform(settings, Pipeline(settings))


@pytest.mark.slow
def test_a_daily_update_is_followed_from_the_queue_to_its_end(platform: Platform) -> None:
    before = platform.lake.read("tickers", ticker="AAPL")["updated_at"].iloc[0]
    assert platform.pipeline.sleeping() == []
    run_id = platform.pipeline.launch("forecast", "AAPL", "XNYS")
    told = platform.follow(run_id)
    shares = [run.share_done for run in told]
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
    last = told[-1]
    assert (last.job, last.status, last.reason) == ("forecast", "SUCCESS", None)
    assert (last.market, last.tickers) == ("XNYS", ("AAPL",))
    assert last.steps_done == last.steps > 10
    assert last.requested_at <= last.started_at <= last.ended_at  # type: ignore[operator]
    assert last.url == f"http://localhost:1/runs/{run_id}"
    assert platform.lake.read("tickers", ticker="AAPL")["updated_at"].iloc[0] > before


@pytest.mark.slow
def test_a_training_is_seen_by_all_refuses_a_second_run_and_can_be_stopped(platform: Platform) -> None:
    run_id = platform.pipeline.launch("train", "AAPL", "XNYS")
    assert [run.run_id for run in platform.under_way("AAPL")] == [run_id]
    assert run_id in [run.run_id for run in platform.pipeline.runs.under_way()]
    assert platform.under_way("IBM") == []
    with pytest.raises(RunUnderWay, match=r"^AAPL has a run already: train — wait until it is over, or stop it$"):
        platform.pipeline.launch("forecast", "AAPL", "XNYS")
    with pytest.raises(RunUnderWay, match=r"^AAPL has a run already: train"):
        actions.remove(platform.settings, platform.pipeline, "AAPL")
    assert len(platform.lake.read("tickers", ticker="AAPL")) == 1
    deadline = time.monotonic() + PATIENCE_S
    while not platform.pipeline.runs.one(run_id).running:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    platform.pipeline.terminate(run_id)
    assert platform.follow(run_id)[-1].status == "CANCELED"
    assert platform.under_way("AAPL") == []


@pytest.mark.slow
def test_a_ticker_its_source_does_not_have_fails_with_the_reason_and_can_be_removed(platform: Platform) -> None:
    pipeline = platform.pipeline
    with pytest.raises(UnknownPartition, match=r"^Dagster knows no market XLON — ask again on the page Universe"):
        pipeline.launch("lineage", "ZZZZ", "XLON")
    pipeline.add_partition("XLON")
    pipeline.add_partition("XLON")  # known already
    run_id = pipeline.launch("lineage", "ZZZZ", "XLON")
    last = platform.follow(run_id)[-1]
    assert last.status == "FAILURE"
    assert last.reason is not None
    assert last.reason.startswith("ZZZZ: raw_prices: the sample bars have no 'ZZZZ'")
    assert "\n" not in last.reason
    [failed] = pipeline.runs.newest(5, failed_only=True)
    assert (failed.run_id, failed.reason) == (run_id, last.reason)
    assert run_id in [run.run_id for run in pipeline.runs.newest()]
    actions.remove(platform.settings, pipeline, "ZZZZ")
    assert platform.lake.read("tickers", ticker="ZZZZ").empty
    for act in (actions.remove, partial(actions.launch, job="lineage")):
        with pytest.raises(InvalidTicker, match=r"^ZZZZ is not in the universe — add it"):
            act(platform.settings, pipeline, ticker="ZZZZ")


@pytest.mark.slow
def test_an_added_ticker_gets_its_first_run_by_itself_and_another_one_when_it_is_asked_for(platform: Platform) -> None:
    actions.add(platform.settings, "QQQQ", "sample")
    first = platform.await_first_run("QQQQ")
    assert first.job == "lineage"
    assert platform.follow(first.run_id)[-1].status == "FAILURE"  # the sample has no such bars
    said = actions.launch(platform.settings, platform.pipeline, "lineage", "QQQQ")
    assert said == "QQQQ was not fetched yet. Dagster starts its first run within half a minute, where it runs."
    [row] = platform.lake.read("tickers", ticker="QQQQ").to_dict("records")
    assert (row["status"], row["source"], row["reason"]) == ("added", "sample", None)
    again = platform.await_first_run("QQQQ", after=1)
    assert again.run_id != first.run_id
    assert platform.follow(again.run_id)[-1].status == "FAILURE"


@pytest.mark.slow
def test_a_hostile_name_starts_nothing(platform: Platform) -> None:
    for act in (actions.remove, partial(actions.launch, job="lineage")):
        with pytest.raises(InvalidTicker):
            act(platform.settings, platform.pipeline, ticker="../x")
    with pytest.raises(InvalidTicker):
        platform.pipeline.require_free("../x", None)
    with pytest.raises(InvalidTicker):
        platform.pipeline.launch("lineage", "A,B", "XNYS")


@pytest.mark.slow
def test_a_dagster_of_another_home_is_not_used(platform: Platform, tmp_path: Path) -> None:
    other = Pipeline(replace(platform.settings, home=tmp_path))
    with pytest.raises(NotOurDagster) as refused:
        other.launch("forecast", "AAPL", "XNYS")
    assert f"works for {platform.settings.home}, this dashboard shows {tmp_path}" in str(refused.value)
