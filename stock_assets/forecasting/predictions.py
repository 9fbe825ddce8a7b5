"""Predictions: what stored models say about sessions they never learned from, beside what happened.

Prices are in the money of the as-of session's *close*: predicted = close · exp(r), and actual = close times the ratio
of adjusted closes of one vintage, so that a later dividend changes no old row.
"""

from datetime import date

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.features import features_version
from stock_assets.forecasting.findings import Finding, Severity, as_dates
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.manifest import bars_versions
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.sessions import next_session
from stock_assets.forecasting.splits import HOLDOUT, LIVE, roles, scheme_of
from stock_assets.forecasting.stored_model import Answered, StoredModel, Trained
from stock_assets.forecasting.volatility import forecast_volatility

_SCORED = ("validation", "test")


def predict_all(
    trained: Trained,
    history: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    ticker: str,
    calendar: str,
    answered: Answered | None = None,
) -> pd.DataFrame:
    """Everything one model's fits in use have to say about one ticker's whole history: rows of table `predictions`.

    Validation and test are said by the evaluated fit, and every session since the final fit's last label as fold `live`
    by the final fit. Where the ticker's `splits` have moved since the evaluated fit was made there is no scored row: it
    may have learned from what is validation or test now. What each fit says of every row of `history` is `answered`
    where it is known already; else they are asked. The exchange's calendar knows the session after the last bar.

    Raises:
        ArtifactMismatch: the feature formulas have changed since the fits were made.
    """
    for model in (trained.evaluated, trained.final):
        require_same_features(model)
    following = next_session(calendar, history["session"].iloc[-1].date())
    asked = scored_roles(trained.evaluated, splits, HOLDOUT)
    evaluated, final = (
        fit.publish(answered[fit.manifest.kind]) if answered else None for fit in (trained.evaluated, trained.final)
    )
    scored = predict_sessions(
        trained.evaluated, history, asked, ticker=ticker, fold=HOLDOUT, following=following, published=evaluated
    )
    live = predict_live(trained.final, history, ticker=ticker, following=following, published=final)
    return pd.concat([scored, live], ignore_index=True)


def predict_live(
    final: StoredModel, history: pd.DataFrame, *, ticker: str, following: date, published: Floats | None = None
) -> pd.DataFrame:
    """Predict from every session since the final fit's last label; arguments as for `predict_sessions`, fold `live`."""
    since = history["session"][history["session"] > pd.Timestamp(final.manifest.train_end)]
    asked = pd.Series(LIVE, index=since)
    return predict_sessions(final, history, asked, ticker=ticker, fold=LIVE, following=following, published=published)


def scored_roles(evaluated: StoredModel, splits: pd.DataFrame, fold: str) -> "pd.Series[str]":
    """Role of each session of validation and test, by session; none where the splits have moved since the fit."""
    role, manifest = roles(splits, fold), evaluated.manifest
    train = role.index[role == "train"]
    learned_from = f"{train.min():%Y-%m-%d}", f"{train.max():%Y-%m-%d}"
    return role[role.isin(_SCORED)] if learned_from == (manifest.train_start, manifest.train_end) else role.iloc[:0]


def require_same_features(model: StoredModel) -> None:
    """Refuse a fit that was made on other feature formulas than today's: `ArtifactMismatch`, which names both."""
    manifest, today = model.manifest, features_version()
    if manifest.features_version not in (None, today):
        raise ArtifactMismatch(
            f"{manifest.model} {manifest.version} was fitted on feature formulas {manifest.features_version}, and "
            f"today's are {today}",
            cure="train the model again (stock-assets train)",
        )


def predict_sessions(
    model: StoredModel,
    history: pd.DataFrame,
    roles: "pd.Series[str]",
    *,
    ticker: str,
    fold: str,
    following: date,
    published: Floats | None = None,
) -> pd.DataFrame:
    """Predict the session after each of the sessions asked for: rows of table `predictions` in ascending order.

    A session that the model cannot predict (too little context) has no row, which `check_predictions` finds. A row
    depends on nothing after its as-of session: its intervals are corrected by the outcomes that were known at that
    close.

    Args:
        history: the ticker's whole history.
        roles: role of each as-of session to predict from, indexed by session.
        following: the exchange's session after the last one of `history`.
        published: what the fit publishes of every row of `history`, where that is known already; else it is asked.
    """
    close = history["close"]
    volatility = forecast_volatility(history)
    predicted = model.predict(history) if published is None else published
    actual = history["target_log_return"]
    frame = pd.DataFrame(
        {
            "ticker": ticker,
            "model": model.manifest.model,
            "scheme": scheme_of(fold),
            "fold": fold,
            "target_session": history["session"].shift(-1, fill_value=pd.Timestamp(following)),
            "session": history["session"],
            "role": history["session"].map(roles),
            "predicted_log_return": predicted,
            "actual_log_return": actual,
            "volatility": volatility,
            "predicted": close * np.exp(predicted),
            "actual": close * np.exp(actual),
            "naive": close,
        }
    )
    # Every session after the last one learned from shows how the fit does, whether it is asked for or not. Its score is
    # in the row it was made from, and corrects the rows below: their close is when it was known.
    is_later = history["session"] > pd.Timestamp(model.manifest.train_end)
    scores = (np.abs(actual - predicted) / volatility).where(is_later)
    half_widths, capped = model.calibration.half_widths(scores.to_numpy(dtype=float))
    for level, half in zip(LEVELS, half_widths.T, strict=True):
        frame[f"lower_{level}"] = close * np.exp(predicted - half * volatility)
        frame[f"upper_{level}"] = close * np.exp(predicted + half * volatility)
    frame["capped"] = capped
    frame["model_version"] = model.manifest.version
    frame["bars_version"] = bars_versions(history)
    is_wanted = frame["role"].notna() & np.isfinite(predicted) & np.isfinite(volatility)
    return frame[is_wanted].reset_index(drop=True)


def check_predictions(predictions: pd.DataFrame, splits: pd.DataFrame, features: pd.DataFrame) -> list[Finding]:
    """Check one model's predictions of one ticker: one per session, complete, and intervals that contain each other.

    Takes rows of the tables of those names. A session that has left the history since the splits were made (a restated
    history may lack one) is a warning, and so are splits that have moved since the fit: the model still forecasts.
    """
    missing = _missing(predictions, splits)
    is_known = missing.isin(features["session"])
    twice = predictions["session"][predictions.duplicated(["fold", "session"])]
    faults = (
        ("predictions_unique", "sessions predicted twice in one fold", twice),
        ("predictions_complete", "sessions that should be predicted and are not", missing[is_known]),
        ("predictions_ordered", "sessions whose interval bounds are not in order", _not_ordered(predictions)),
    )
    errors = [_finding(rule, "error", message, sessions) for rule, message, sessions in faults if len(sessions)]
    warnings = []
    if (~is_known).any():
        left = "sessions have left the history since the splits were made"
        warnings.append(_finding("predictions_complete", "warn", left, missing[~is_known]))
    if not (predictions["fold"] != LIVE).any():
        moved = "the splits have moved since this model was fitted; it is not scored until it is trained again"
        warnings.append(Finding("predictions_scored", "warn", moved))
    return [*errors, *warnings]


def _finding(rule: str, severity: Severity, message: str, sessions: pd.Series) -> Finding:
    return Finding(rule, severity, f"{message}: {len(sessions)}", as_dates(sessions))


def _missing(predictions: pd.DataFrame, splits: pd.DataFrame) -> pd.Series:
    is_asked = splits["role"].isin(_SCORED) & splits["fold"].isin(predictions["fold"])
    # Sessions that were live when the splits were made are predicted under the fold `live`, unless the final fit is
    # newer than the splits and has learned from them.
    first_live = predictions["session"][predictions["fold"] == LIVE].min()
    is_live = (splits["role"] == LIVE) & ~(splits["session"] < first_live)
    asked: pd.DataFrame = splits[is_asked | is_live]
    wanted = pd.MultiIndex.from_arrays([asked["fold"].where(asked["role"] != LIVE, LIVE), asked["session"]])
    have = pd.MultiIndex.from_frame(predictions[["fold", "session"]])
    return asked.iloc[np.flatnonzero(~wanted.isin(have))]["session"]


def _not_ordered(predictions: pd.DataFrame) -> pd.Series:
    upward = sorted(LEVELS)
    columns = [*(f"lower_{level}" for level in reversed(upward)), "predicted", *(f"upper_{level}" for level in upward)]
    steps = np.diff(predictions[columns].to_numpy(dtype=float), axis=1)
    return predictions["session"].iloc[np.flatnonzero(~(steps >= 0).all(axis=1))]
