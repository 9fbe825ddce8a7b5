"""The check of features: what it finds, and that no formula which sees later sessions passes it."""

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import features as module
from stock_assets.forecasting.features import FEATURES, WARM_UP, Feature, compute_features
from stock_assets.forecasting.features_check import check_features
from stock_assets.forecasting.findings import Finding
from tests.synthetic import garch_bars


def check(features: pd.DataFrame, prices: pd.DataFrame) -> list[Finding]:
    """Of the one ticker that is checked."""
    (findings,) = check_features(features, prices).values()
    return findings


def test_sound_features_pass_their_check(garch_prices: pd.DataFrame) -> None:
    assert check(compute_features(garch_prices), garch_prices) == []


def test_a_value_that_is_not_finite_is_found(garch_prices: pd.DataFrame) -> None:
    features = compute_features(garch_prices)
    features.loc[10, "gap"] = np.inf
    findings = check(features, garch_prices)
    assert findings[0].name == "features_finite"
    assert findings[0].sessions == (features["session"][10].date(),)


def test_a_missing_an_unknown_and_a_double_session_are_found(garch_prices: pd.DataFrame) -> None:
    features = compute_features(garch_prices)
    unknown = features.iloc[[5]].assign(session=pd.Timestamp("1999-01-04"))
    wrong = pd.concat([features.drop(index=3), unknown, features.iloc[[7]]])
    (finding,) = [found for found in check(wrong, garch_prices) if found.name == "features_complete"]
    assert finding.sessions == (pd.Timestamp("1999-01-04").date(), *features["session"][[3, 7]].dt.date)


def test_a_feature_that_looks_ahead_is_found(garch_prices: pd.DataFrame) -> None:
    features = compute_features(garch_prices)
    leaking = features.assign(log_return_1=features["target_log_return"].fillna(0.0))
    assert "features_causal" in {found.name for found in check(leaking, garch_prices)}


@pytest.mark.parametrize(
    "formula",
    [
        "(close - min(close) OVER ()) / (max(close) OVER () - min(close) OVER ())",
        "last_value(close) OVER (ORDER BY session ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        "close / (SELECT max(close) FROM prices)",
        "avg(close) OVER (PARTITION BY ticker)",
        "lead(close) OVER sessions",
    ],
)
def test_a_formula_that_sees_later_sessions_is_found(
    garch_prices: pd.DataFrame, formula: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = garch_prices.assign(close=np.linspace(50.0, 150.0, len(garch_prices)))
    monkeypatch.setattr(module, "FEATURES", (*FEATURES, Feature("leak", formula, 0, "ratio", "sees what comes")))
    features = compute_features(rising).fillna({"leak": 0.0})
    (finding,) = check(features, rising)
    assert finding.name == "features_causal"
    # The last one has nothing after it, so that any formula is right there.
    assert len(finding.sessions) >= 4


@pytest.mark.parametrize("position", [0, 2, -1])
def test_the_finding_names_the_session_whose_value_is_another(garch_prices: pd.DataFrame, position: int) -> None:
    features = compute_features(garch_prices)
    rows = np.linspace(0, len(features) - 1, 5).astype(int)
    changed = int(rows[position])
    features.loc[changed, "gap"] += 1e-12
    (finding,) = check(features, garch_prices)
    assert finding.sessions == (features["session"][changed].date(),)


def test_without_features_the_check_says_what_is_missing(garch_prices: pd.DataFrame) -> None:
    (finding,) = check(compute_features(garch_prices).iloc[:0], garch_prices)
    assert len(finding.sessions) == len(garch_prices) - WARM_UP


@pytest.fixture(scope="module")
def several() -> pd.DataFrame:
    """Three tickers of different lengths, and one that is too short to have features."""
    lengths = {"AAA": 400, "BBB": 300, "CCC": 250, "SHORT": 40}
    parts = [garch_bars(name, n, seed=number) for number, (name, n) in enumerate(lengths.items())]
    rising = [part.assign(close=np.linspace(50.0, 150.0, len(part))) for part in parts]
    return pd.concat(rising, ignore_index=True)


def test_sound_features_of_several_tickers_pass(several: pd.DataFrame) -> None:
    assert check_features(compute_features(several), several) == {"AAA": [], "BBB": [], "CCC": [], "SHORT": []}


def test_what_is_wrong_with_one_ticker_is_found_there_alone(several: pd.DataFrame) -> None:
    features = compute_features(several)
    mine = features.index[features["ticker"] == "BBB"]
    features.loc[mine[0], "gap"] += 1e-12
    features = features.drop(index=mine[7])
    found = check_features(features, several)
    assert [finding.name for finding in found["BBB"]] == ["features_complete", "features_causal"]
    assert found["AAA"] == found["CCC"] == []


@pytest.mark.parametrize(
    "formula",
    [
        "close / max(close) OVER ()",
        "(close - min(close) OVER ()) / (max(close) OVER () - min(close) OVER ())",
        "close / (SELECT max(close) FROM prices)",
        "avg(close) OVER (PARTITION BY ticker)",
        "avg(close) OVER (ORDER BY session)",
        "row_number() OVER (ORDER BY session, ticker)",
    ],
)
def test_a_formula_that_sees_later_sessions_or_other_tickers_is_found_among_several(
    several: pd.DataFrame, formula: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEATURES", (*FEATURES, Feature("leak", formula, 0, "ratio", "sees too much")))
    found = check_features(compute_features(several), several)
    assert "features_causal" in {finding.name for findings in found.values() for finding in findings}
