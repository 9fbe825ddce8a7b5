"""Small published homes with figures that tests can reckon: two models, one of which knows a little."""

from pathlib import Path

import numpy as np
import pandas as pd

from storage.lake import Lake
from storage.publisher import Publisher
from tests.storage.frames import rows

TICKER = "AAPL"
KNOWING, GUESSING, WALK = "knowing", "guessing", "random_walk"
FOLDS = 3


def publish_backtest(home: Path, *, n: int = 90, walk_forward: bool = True) -> None:
    """A ticker with holdout rows, and rows of a backtest in three folds if `walk_forward`.

    `knowing` says half of each return beforehand, so that its skill is 1/2; `guessing` says the opposite.
    """
    publisher = Publisher(home)
    lake = publisher.lake
    lake.write("tickers", rows("tickers", 1, currency="USD", status="ok", reason=None), ticker=TICKER)
    sessions = pd.bdate_range("2024-01-02", periods=n + 1)
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, n + 1)))
    bars = rows("prices", n + 1, session=sessions, close=close, adj_close=close, source="sample")
    lake.write("prices", bars, ticker=TICKER)
    for model, share in ((KNOWING, 0.5), (GUESSING, -0.5), (WALK, 0.0)):
        forecast = rows("forecasts", 1, model=model, is_champion=model == WALK)
        lake.append("forecasts", forecast)
        _write(lake, model, "holdout", _said(sessions[-31:], close[-31:], share), fold="holdout")
        if walk_forward:
            said = _said(sessions, close, share)
            _write(lake, model, "walk_forward", said, fold=[f"wf_{i * FOLDS // n:02d}" for i in range(n)])
            _write_folds(lake, model, said, n)
    thirds = {"coverage_calm": 0.95, "coverage_middle": 0.9, "coverage_restless": 0.8}
    coverage = [
        rows("calibration", 1, model=model, scheme=scheme, role="test", level=90, **thirds)
        for model in (KNOWING, GUESSING, WALK)
        for scheme in ("holdout", "walk_forward")
    ]
    lake.write("calibration", pd.concat(coverage), ticker=TICKER)
    publisher.publish()


def _said(sessions: pd.DatetimeIndex, close: np.ndarray, share: float) -> pd.DataFrame:
    """Predictions for all sessions but the first: `share` of each log return."""
    actual = np.diff(np.log(close))
    naive = close[:-1]
    return pd.DataFrame(
        {
            "target_session": sessions[1:],
            "session": sessions[:-1],
            "predicted_log_return": share * actual,
            "actual_log_return": actual,
            "predicted": naive * np.exp(share * actual),
            "actual": close[1:],
            "naive": naive,
            "volatility": np.linspace(0.01, 0.02, len(actual)),
            "lower_90": naive * 0.98,
            "upper_90": naive * 1.02,
        }
    )


def _write(lake: Lake, model: str, scheme: str, said: pd.DataFrame, *, fold: object) -> None:
    fixed = {name: said[name].to_numpy() for name in said}
    frame = rows("predictions", len(said), model=model, scheme=scheme, fold=fold, role="test", **fixed)
    lake.write("predictions", frame, ticker=TICKER, model=model, scheme=scheme)


def _write_folds(lake: Lake, model: str, said: pd.DataFrame, n: int) -> None:
    starts = said["session"].iloc[:: n // FOLDS].to_numpy()
    skill = {KNOWING: 0.5, GUESSING: -0.5, WALK: 0.0}[model]
    frame = rows("backtest_folds", FOLDS, model=model, test_start=starts, skill_vs_naive=skill)
    lake.write("backtest_folds", frame.assign(fold=[f"wf_{i:02d}" for i in range(FOLDS)]), ticker=TICKER, model=model)


def publish_health(home: Path, *, n: int = 12) -> None:
    """A ticker whose newest check found 1 of 4 inputs drifted, one audit failed, forecasts behind by a session."""
    publisher = Publisher(home)
    lake = publisher.lake
    lake.write("tickers", rows("tickers", 1, currency="USD", status="ok", reason=None), ticker=TICKER)
    sessions = pd.bdate_range("2024-03-01", periods=n)
    lake.write("prices", rows("prices", n, session=sessions, source="yahoo"), ticker=TICKER)
    lake.write("features", rows("features", n, session=sessions), ticker=TICKER)
    behind = rows("forecasts", 1, as_of_session=sessions[-2], target_session=sessions[-1], is_champion=True)
    lake.append("forecasts", behind)
    lake.write("drift", pd.concat([_check(at, last=at == sessions[-1]) for at in sessions]), ticker=TICKER)
    audit = rows("audit", 3, passed=[True, False, True], name=["first", "second", "third"], subject="splits")
    lake.write("audit", audit, ticker=TICKER)
    decision = rows("retraining", 2, action=["keep", "retrain"], cause=["none", "drift"], reason=["Quiet.", "Moved."])
    lake.append("retraining", decision)
    told = rows("announcements", 25, ticker=[None, TICKER, "MSFT", TICKER, TICKER] * 5, kind="failure")
    lake.append("announcements", told.assign(message="<b>bold</b> & `stock-assets run`"))
    publisher.publish()


def _check(session: pd.Timestamp, *, last: bool) -> pd.DataFrame:
    """Four inputs of one session; two checks, of which the later one counts."""
    statistic = np.array([1.5, 0.5, 0.25, 0.1]) if last else np.full(4, 0.5)
    fixed = {"feature": ["gap", "volume", "volatility", "return"], "threshold": 1.0, "current_end": session}
    checked_at = session.tz_localize("UTC")
    earlier = rows("drift", 4, statistic=9.0, drifted=True, checked_at=checked_at, **fixed)
    later = checked_at + pd.Timedelta(hours=1)
    newest = rows("drift", 4, statistic=statistic, drifted=statistic > 1, checked_at=later, **fixed)
    return pd.concat([earlier, newest])
