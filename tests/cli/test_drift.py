"""The command `drift`: the newest check and the decisions in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stock_assets.cli import run
from stock_assets.cli.examining import describe_check, describe_decisions
from stock_assets.forecasting.features import FEATURES
from storage.lake import Lake
from tests.storage.frames import rows

NAMES = [feature.name for feature in FEATURES]


def checks(n_drifted: list[int]) -> pd.DataFrame:
    """A check of every feature in each of some sessions; so many of them had drifted."""
    sessions = pd.bdate_range("2024-03-01", periods=len(n_drifted))
    n = len(NAMES)
    return rows("drift", n * len(sessions)).assign(
        ticker="AAPL",
        feature=NAMES * len(sessions),
        current_end=np.repeat(sessions, n),
        checked_at=np.repeat(sessions.tz_localize("UTC"), n),
        drifted=[number < few for few in n_drifted for number in range(n)],
        statistic=np.tile(np.linspace(0.9, 0.1, n), len(sessions)),
        threshold=0.5,
    )


def test_a_check_names_the_inputs_that_drifted_the_furthest_first_and_counts_the_sessions() -> None:
    title, how_many, *inputs, sessions = describe_check("AAPL", checks([0, len(NAMES), 4]))
    assert title == "AAPL: the inputs have drifted"
    assert how_many.startswith(f"4 of {len(NAMES)} inputs are further from ")
    assert "25% of them count as drift" in how_many
    assert inputs[0] == f"  {NAMES[0]}: distance 0.90 standard deviations, threshold 0.50"
    assert [line.split(":")[0].strip() for line in inputs] == NAMES[:4]
    assert sessions == "drifted in 2 of the newest 3 sessions checked; 8 of 10 lead to a retraining"


def test_without_drift_no_input_is_named() -> None:
    title, how_many, sessions = describe_check("AAPL", checks([0]))
    assert title == "AAPL: the inputs have not drifted"
    assert how_many.startswith(f"0 of {len(NAMES)} inputs")
    assert sessions.startswith("drifted in 0 of the newest 1 sessions checked")


def test_too_short_a_history_is_said() -> None:
    [line] = describe_check("AAPL", checks([]))
    assert line == "AAPL: nothing to compare: that takes 290 sessions of features"


def test_decisions_come_the_newest_first_with_their_reason() -> None:
    frame = rows("retraining", 2, action=["keep", "retrain"], cause=["none", "drift"], reason=["Calm.", "Restless."])
    newest, oldest = describe_decisions(frame)
    assert newest.endswith("retrain (drift): Restless.")
    assert oldest.endswith("keep (none): Calm.")
    assert describe_decisions(frame.iloc[:0])[0].startswith("no decision on retraining yet")


def test_an_untrained_ticker_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path))
    Lake(tmp_path / "lake").write("tickers", rows("tickers", 1, status="added"), ticker="AAPL")
    assert run(["drift"]) == 1
    assert "it was never trained" in capsys.readouterr().err
