"""What is printed: the benchmark first and beside every score, and every caveat a forecast needs."""

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from stock_assets.cli import show


def _console(width: int = 120) -> Console:
    return Console(file=io.StringIO(), width=width)


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _scores(**changes: Any) -> pd.DataFrame:
    models = {"xgboost": (4.40, 0.5), "random_walk": (4.38, np.nan), "sarima": (4.31, 0.0301)}
    rows = [
        {
            "ticker": "AAPL",
            "scheme": "holdout",
            "role": "test",
            "model": model,
            "n": 126,
            "rmse": rmse,
            "rmse_random_walk": 4.38,
            "mae": 2.8,
            "mae_random_walk": 2.79,
            "mape": 0.0123,
            "mase": 1.01,
            "skill_vs_naive": 1 - rmse / 4.38,
            "directional_accuracy": np.nan if model == "random_walk" else 0.52,
            "std_ratio": 0.1,
            "clark_west_p": p_value,
            "dm_hln_p": p_value,
            "coverage_90": 0.91,
            "width_90": 12.0,
        }
        for model, (rmse, p_value) in models.items()
    ]
    return pd.DataFrame(rows).assign(**changes)


def _forecasts(**changes: Any) -> pd.DataFrame:
    rows = [
        {
            "ticker": "AAPL",
            "model": model,
            "as_of_session": pd.Timestamp("2013-03-01"),
            "target_session": pd.Timestamp("2013-03-04"),
            "naive": 430.47,
            "predicted": 430.47 * factor,
            "lower_90": 410.0,
            "upper_90": 450.12,
            "is_champion": model == "sarima",
            "is_live": False,
            "source": "sample",
        }
        for model, factor in (("random_walk", 1.0), ("sarima", 1.01), ("xgboost", 0.99))
    ]
    return pd.DataFrame(rows).assign(**changes)


def _lines_with(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line]


def test_the_random_walk_leads_the_leaderboard_as_benchmark_and_stands_beside_every_model() -> None:
    console = _console()
    show.leaderboard(_scores(), console)
    rows = [line for line in _printed(console).splitlines() if line.startswith(("random_walk", "sarima", "xgboost"))]
    assert [row.split()[0] for row in rows] == ["random_walk", "sarima", "xgboost"]
    assert "benchmark" in rows[0]
    assert all(" 4.380 " in row for row in rows)
    assert "p = 0.03" in rows[1]
    assert "no evidence" in rows[2]


def test_a_table_of_each_ticker_and_role_is_printed_under_its_name() -> None:
    console = _console()
    show.leaderboard(pd.concat([_scores(), _scores(ticker="IBM"), _scores(role="validation")]), console, sample={"IBM"})
    titles = _lines_with(_printed(console), " rows")
    assert [title.split(" — ")[0].strip() for title in titles if "," in title] == [
        "AAPL, holdout test rows",
        "AAPL, holdout validation rows",
        "IBM, holdout test rows",
    ]
    assert len(_lines_with(_printed(console), "IBM, holdout test rows — SAMPLE DATA")) == 1


def test_a_model_that_says_what_the_random_walk_says_is_called_the_same() -> None:
    console = _console()
    show.leaderboard(_scores(std_ratio=0.0, clark_west_p=np.nan), console)
    assert len(_lines_with(_printed(console), "same as it")) == 2


@pytest.mark.parametrize("width", [80, 120])
def test_no_number_is_cut_where_the_window_is_narrow(width: int) -> None:
    console = _console(width)
    show.leaderboard(_scores(), console)
    show.forecasts(_forecasts(), console)
    assert "…" not in _printed(console)


def test_a_forecast_comes_with_its_interval_its_age_and_the_disclaimer() -> None:
    console = _console()
    show.forecasts(_forecasts(source="yahoo"), console, now=datetime(2013, 3, 11, 12, tzinfo=UTC))
    printed = _printed(console)
    (champion,) = _lines_with(printed, "sarima (champion)")
    assert champion.split()[2:] == ["2013-03-01", "430.47", "2013-03-04", "434.77", "+1.00", "%", "410.00", "450.12"]
    assert "Data up to 2013-03-01, 10 days old; not live" in printed
    assert "Not investment advice." in printed
    assert "SAMPLE" not in printed


def test_old_sample_data_says_so_in_years_and_in_the_banner() -> None:
    console = _console()
    show.forecasts(_forecasts(), console, now=datetime(2025, 3, 1, tzinfo=UTC))
    assert "12.0 years old" in _printed(console)
    assert show.SAMPLE_BANNER in _printed(console)


def test_a_live_forecast_says_that_it_counts() -> None:
    console = _console()
    show.forecasts(_forecasts(is_live=True), console, now=datetime(2013, 3, 3, tzinfo=UTC))
    assert "2 days old; made before the session opened" in _printed(console)


def test_of_many_tickers_a_line_each_shows_the_champion_beside_the_random_walk() -> None:
    console = _console()
    many = pd.concat([_forecasts(ticker=f"T{n}", as_of_session=pd.Timestamp(2013, 3, 1 + n)) for n in range(4)])
    show.champions_forecasts(many, console)
    printed = _printed(console)
    lines = _lines_with(printed, "430.47")
    assert [line.split()[:2] for line in lines] == [[f"T{n}", "sarima"] for n in range(4)]
    assert lines[0].split()[3:7] == ["430.47", "2013-03-04", "434.77", "+1.00"]
    assert "The oldest of 4: T0. Data up to 2013-03-01" in printed
    assert "Not investment advice." in printed
    assert show.SAMPLE_BANNER in printed


def test_only_the_newest_decision_is_shown_with_its_reason() -> None:
    decided = pd.to_datetime(["2013-01-01", "2013-02-01"], utc=True)
    frame = pd.DataFrame(
        {
            "ticker": "AAPL",
            "decided_at": decided,
            "model": ["sarima", "random_walk"],
            "reason": ["old", "[no] test rejects"],
        }
    )
    console = _console()
    show.champions(frame, console)
    assert _printed(console) == "AAPL champion: random_walk — [no] test rejects\n"


def test_a_long_reason_is_left_to_the_window_to_break() -> None:
    reason = "no model is better than the random walk on the validation rows " * 5
    decided = pd.to_datetime(["2013-01-01"], utc=True)
    frame = pd.DataFrame({"ticker": "AAPL", "decided_at": decided, "model": "random_walk", "reason": reason.strip()})
    console = _console(60)
    show.champions(frame, console)
    assert _printed(console) == f"AAPL champion: random_walk — {reason.strip()}\n"
