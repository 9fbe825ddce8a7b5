"""What a person does in a real browser: compare models, take a file along, ask in SQL, have a ticker updated."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from bokeh_sampledata import stocks
from playwright.sync_api import Browser, expect

from tests.dagster_dev import dagster_dev
from tests.dashboard.browser import PATIENCE_MS, tab
from tests.dashboard.servers import serving
from tests.dashboard.test_browser import SCREENS, open_page
from tests.project.sources import ROOT

pytestmark = pytest.mark.slow
RUN_PATIENCE_MS = 300_000
RUN = [sys.executable, "-m", "stock_assets", "run"]
FORBIDDEN = "FROM read_text('/etc/hostname')"


def test_other_models_change_the_charts_and_the_address(browser: Browser, served: str) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{served}/backtest?ticker=AAPL&model=sarima")
        chart = page.locator("[role=img]").first
        expect(chart).to_have_attribute("aria-label", re.compile("sarima"))
        page.get_by_label("Models").first.click()
        page.get_by_role("menuitem", name="xgboost").or_(page.get_by_role("option", name="xgboost")).first.click()
        page.wait_for_url(re.compile("model=sarima,xgboost"))
        expect(chart).to_have_attribute("aria-label", re.compile("xgboost"))
        assert opened.errors == []


def test_the_leaderboard_is_taken_along_as_csv_with_the_random_walk_in_it(
    browser: Browser, served: str, tmp_path: Path
) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{served}/leaderboard?ticker=AAPL")
        with page.expect_download() as started:
            page.get_by_text(re.compile("CSV")).first.click()
        started.value.save_as(tmp_path / "taken.csv")
    taken = pd.read_csv(tmp_path / "taken.csv")
    assert taken["model"].iloc[0] == "random_walk"
    assert {"rmse", "skill_vs_naive", "skill_lower", "skill_upper", "verdict"} <= set(taken.columns)
    assert len(taken) > 1


def test_sql_answers_and_refuses(browser: Browser, served: str) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{served}/sql?sql=FROM (VALUES (6 * 7)) t(answer)")
        page.get_by_role("button", name=re.compile("^Run")).first.click()
        expect(page.locator(".tabulator-cell", has_text="42").first).to_be_visible()
        open_page(opened, f"{served}/sql?sql={FORBIDDEN}")
        page.get_by_role("button", name=re.compile("^Run")).first.click()
        expect(page.locator("[role=alert]").first).to_contain_text(re.compile("out of reach|only reading|refused"))
        assert opened.errors == []


@dataclass(frozen=True)
class Working:
    """A dashboard and a Dagster of one home, and the file its ticker's bars come from."""

    dashboard: str
    bars: Path


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Working]:
    home, bars = tmp_path / "home", tmp_path / "csv" / "ACME.csv"
    bars.parent.mkdir()
    _write(bars, 699)
    environment = {"STOCK_ASSETS_CSV_DIR": str(bars.parent), "STOCK_ASSETS_MLFLOW_URI": "off"}
    subprocess.run(
        [*RUN, "--ticker", "ACME", "--source", "csv", "--fast", "--models", "xgboost"],
        cwd=ROOT,
        env={**os.environ, **environment, "STOCK_ASSETS_HOME": str(home)},
        check=True,
        capture_output=True,
        timeout=500,
    )
    with (
        dagster_dev(home, tmp_path / "log", **environment) as dagster,
        serving(home, **environment, STOCK_ASSETS_DAGSTER_API_URL=dagster.url) as dashboard,
    ):
        yield Working(dashboard, bars)


def _write(bars: Path, rows: int) -> None:
    """The first `rows` of 700 real bars in Yahoo's download format."""
    frame = pd.DataFrame(stocks.IBM).tail(700).head(rows)
    frame.columns = ["Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
    frame.to_csv(bars, index=False)


def test_a_refresh_started_from_the_page_is_seen_to_finish_and_the_forecast_page_shows_the_new_session(
    browser: Browser, working: Working
) -> None:
    last, new = pd.DataFrame(stocks.IBM).tail(2)["date"]
    with tab(browser) as looking, tab(browser) as acting:
        forecast = open_page(looking, f"{working.dashboard}/forecast?ticker=ACME")
        expect(forecast.get_by_text(f"Newest bar of ACME: {last}")).to_be_visible()
        _write(working.bars, 700)
        universe = open_page(acting, f"{working.dashboard}/universe?ticker=ACME")
        button = universe.get_by_role("button", name="Refresh now")
        expect(button).to_be_enabled(timeout=RUN_PATIENCE_MS)
        button.click()
        # The pipeline works; the other page goes on answering meanwhile.
        open_page(looking, f"{working.dashboard}/forecast?ticker=ACME")
        expect(forecast.get_by_text(f"Newest bar of ACME: {new}")).to_be_visible(timeout=RUN_PATIENCE_MS)
        expect(universe.get_by_text(re.compile("done|succeeded|finished", re.IGNORECASE)).first).to_be_visible(
            timeout=RUN_PATIENCE_MS
        )
        SCREENS.mkdir(parents=True, exist_ok=True)
        universe.screenshot(path=SCREENS / "universe-refreshed.png", timeout=PATIENCE_MS)
        assert looking.errors == []
        assert acting.errors == []
