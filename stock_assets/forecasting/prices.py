"""Prices: from fetches to one consistent history per ticker, and the checks on it. Decisions: docs/adr/0010.

Words: a *vintage* is one full fetch of a ticker's history plus the later bars that extend it consistently. A *restated*
bar has another price than the stored one (every dividend and split restates adj_close all the way back); a *revised*
bar has the same prices and another volume, dividend or split.
"""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.bars import BARS, OTHER_COLUMNS, PRICE_COLUMNS, first_invalid_bar
from stock_assets.forecasting.errors import IncompleteHistory, InvalidBars, MixedSources
from stock_assets.forecasting.findings import Finding
from stock_assets.forecasting.sessions import are_sessions, closing_times, sessions_between

RAW_COLUMNS = ["ticker", "session", "fetched_at", "vintage", *BARS, "source"]
COLUMNS = ["ticker", "session", *BARS, "source", "is_final"]

SAME_PRICE = 1e-6
"""Relative difference below which two fetches of a price are one price: Yahoo's adj_close has single precision."""

MIN_RETAINED = 0.9
"""A fetch replaces a history only if it holds at least this share of its sessions."""

FINAL_AFTER = pd.Timedelta(hours=48)
"""Yahoo revises volume for about this long after the close."""

_NEW_HOME = "STOCK_ASSETS_HOME=<another folder>"
"""Bars are never deleted, so the only way to begin a ticker's history anew is another home."""


@dataclass(frozen=True)
class Reconciled:
    """What a fetch adds to `raw_prices`.

    Attributes:
        rows: rows to append, in the table's columns; empty where the fetch brings nothing new.
        n_restated: stored sessions whose prices differ; if there is any, `rows` is a whole new vintage.
        n_revised: stored sessions that differ in volume, dividend or split only.
        n_carried: stored sessions that a restating fetch lacks and that were carried into the new vintage.
        missing: stored sessions that a restating fetch lacks and that could not be carried over.
    """

    rows: pd.DataFrame
    vintage: datetime
    n_new: int
    n_restated: int
    n_revised: int
    n_carried: int = 0
    missing: tuple[date, ...] = ()


def reconcile(
    stored: pd.DataFrame, fetched: pd.DataFrame, *, ticker: str, source: str, fetched_at: datetime
) -> Reconciled:
    """Compare a fetch with what is stored and say which rows to append. Neither frame is changed.

    Args:
        stored: the ticker's rows of `raw_prices`, possibly none.
        fetched: `Bars.frame` of the source: `session` and `BARS`, one row per session.
        fetched_at: when it was asked (aware); later than every stored `fetched_at`.

    Raises:
        MixedSources: where the ticker's stored bars come from another source.
        InvalidBars: where a fetched bar cannot be true.
        IncompleteHistory: where prices are restated (or no session is shared) and the fetch lacks more than a tenth of
            what is stored.
    """
    _refuse_mixed(stored, ticker, source)
    invalid = first_invalid_bar(fetched)
    if invalid is not None:
        problem = f"bars of {ticker} from {source}, {invalid.column}: {invalid.problem}"
        raise InvalidBars(problem, cure="fetch again later, or correct the source")
    now = pd.Timestamp(fetched_at).tz_convert("UTC").as_unit("ns")
    new = fetched.set_index("session")[BARS].sort_index()
    if stored.empty:
        return Reconciled(_as_rows(new, ticker, source, now, vintage=now), fetched_at, len(new), 0, 0)

    latest = latest_vintage(stored)
    old = latest.set_index("session")[BARS]
    shared = old.index.intersection(new.index)
    unseen = new.index.difference(old.index)
    restated = _differs(old.loc[shared, PRICE_COLUMNS], new.loc[shared, PRICE_COLUMNS], rtol=SAME_PRICE)
    if restated.any() or shared.empty:
        _refuse_incomplete(old, new, ticker, source)
        carried = _carried(old, new)
        rows = _as_rows(pd.concat([new, carried]), ticker, source, now, vintage=now)
        lost = old.index.difference(pd.Index(rows["session"]))
        missing = tuple(stamp.date() for stamp in lost)
        return Reconciled(rows, fetched_at, len(unseen), int(restated.sum()), 0, len(carried), missing)

    revised = _differs(old.loc[shared, OTHER_COLUMNS], new.loc[shared, OTHER_COLUMNS], rtol=0.0)
    vintage = latest["vintage"].iloc[0]
    rows = _as_rows(new.loc[unseen.union(shared[revised])], ticker, source, now, vintage=vintage)
    return Reconciled(rows, vintage.to_pydatetime(), len(unseen), 0, int(revised.sum()))


def build_prices(raw: pd.DataFrame, *, calendar: str) -> pd.DataFrame:
    """Table `prices` of one ticker: of its latest vintage, the newest fetch of each session, in ascending order.

    A stored bar on a day that is no session is left out: stored bars are never deleted, so it would stand in the way
    even after the source dropped it.

    A bar is final if the vintage was confirmed 48 hours or more after the session's close: every fetch asks for the
    whole history, so one that appended rows has confirmed the others.

    Raises:
        UnknownCalendar, OutsideCalendar: from `sessions`.
    """
    latest = latest_vintage(raw)
    confirmed_at = latest["fetched_at"].max()
    latest = latest[are_sessions(calendar, latest["session"])].reset_index(drop=True)
    is_final = confirmed_at >= closing_times(calendar, latest["session"]) + FINAL_AFTER
    return latest.assign(is_final=is_final.astype(bool))[COLUMNS]


def count_restated(before: pd.DataFrame, after: pd.DataFrame) -> int:
    """Sessions whose adjusted close differs between two states of one ticker's table `prices`."""
    old, new = (bars.set_index("session")[["adj_close"]] for bars in (before, after))
    shared = old.index.intersection(new.index)
    return int(_differs(old.loc[shared], new.loc[shared], rtol=SAME_PRICE).sum())


def _refuse_mixed(stored: pd.DataFrame, ticker: str, source: str) -> None:
    others = sorted(set(stored["source"].unique()) - {source})
    if others:
        raise MixedSources(
            f"{ticker} holds bars from {', '.join(others)} and was fetched from {source}; expected one source a ticker",
            cure=f"go on with --source {others[0]}, or give {source} a home of its own: {_NEW_HOME}",
        )


def _refuse_incomplete(old: pd.DataFrame, new: pd.DataFrame, ticker: str, source: str) -> None:
    retained = len(old.index.intersection(new.index)) / len(old)
    if retained < MIN_RETAINED:
        raise IncompleteHistory(
            f"{source} restates {ticker} with bars from {new.index.min():%Y-%m-%d} to {new.index.max():%Y-%m-%d}, "
            f"{retained:.0%} of the {len(old)} stored sessions; expected at least {MIN_RETAINED:.0%}",
            cure=f"fetch or provide the whole history from {old.index[0]:%Y-%m-%d} on (a longer --lookback, a complete "
            f"file), or start in a home of its own: {_NEW_HOME}",
        )


def _as_rows(
    bars: pd.DataFrame, ticker: str, source: str, fetched_at: pd.Timestamp, *, vintage: pd.Timestamp
) -> pd.DataFrame:
    rows = bars.sort_index().reset_index()
    return rows.assign(ticker=ticker, source=source, fetched_at=fetched_at, vintage=vintage)[RAW_COLUMNS]


def latest_vintage(raw: pd.DataFrame) -> pd.DataFrame:
    """Of the latest vintage of one ticker's `raw_prices`, the newest fetch of each session, in ascending order."""
    of_vintage = raw[raw["vintage"] == raw["vintage"].max()]
    newest: pd.DataFrame = of_vintage.sort_values(["session", "fetched_at"], kind="stable").drop_duplicates(
        "session", keep="last"
    )
    return newest.reset_index(drop=True)


def _differs(old: pd.DataFrame, new: pd.DataFrame, *, rtol: float) -> NDArray[np.bool_]:
    """Whether any column of a row differs, shape (rows,). NaN equals NaN."""
    same = np.isclose(new.to_numpy(), old.to_numpy(), rtol=rtol, atol=0.0, equal_nan=True)
    differs: NDArray[np.bool_] = ~same.all(axis=1)
    return differs


def _carried(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Stored bars that the new fetch lacks, in the basis of the new fetch.

    Between two sessions that were restated by one and the same factor lies no dividend and no split, so the bars
    between them have that factor too. Where the factors differ, or at either end, the right one is not known.
    """
    lacking = old.index.difference(new.index)
    shared = old.index.intersection(new.index)
    factors = new.loc[shared, PRICE_COLUMNS] / old.loc[shared, PRICE_COLUMNS]
    after = shared.searchsorted(lacking)
    inside = (after > 0) & (after < len(shared))
    lacking, after = lacking[inside], after[inside]
    left, right = factors.iloc[after - 1], factors.iloc[after]
    agree = np.isclose(left.to_numpy(), right.to_numpy(), rtol=2 * SAME_PRICE, atol=0.0).all(axis=1)
    lacking, factor = lacking[agree], right[agree].set_axis(lacking[agree])
    bars: pd.DataFrame = old.loc[lacking]
    return bars.assign(**(bars[PRICE_COLUMNS] * factor), volume=bars["volume"] / factor["close"])


_ROUNDING = 1e-4
"""Relative tolerance of the order of open, high, low and close: published prices are rounded, also after adjustment."""

_RECENT = 5
"""Sessions at the end of the history in which a missing one may still arrive."""

_UNUSUAL = 5.0
"""Robust standard deviations beyond which a log return is unusual."""


def check_prices(prices: pd.DataFrame, calendar: str) -> list[Finding]:
    """Check one ticker's table `prices`.

    Errors: a high below open, close or low, or a low above one (beyond rounding); a price that is not positive; a
    session twice; a bar on a day without trading; a missing session; an unadjusted split. A missing session among the
    last five is a warning. A large move alone is no finding: AAPL truly fell 51.9 % on 2000-09-29.

    Raises:
        UnknownCalendar, OutsideCalendar: from `sessions`.
    """
    if prices.empty:
        return [Finding("no_prices", "error", "there is no bar; expected at least one")]
    bars = prices.sort_values("session", ignore_index=True)
    is_positive = ((bars[PRICE_COLUMNS] > 0) & np.isfinite(bars[PRICE_COLUMNS])).all(axis=1)
    return [
        *_find(bars, ~is_positive, "price_not_positive", "have a price that is not a positive number"),
        *_find(
            bars, _out_of_order(bars), "high_low_order", "have a high or a low inside the range of their other prices"
        ),
        *_find(bars, bars["session"].duplicated(), "duplicate_session", "are there twice"),
        *_find(
            bars, _unadjusted_split(bars), "unadjusted_split", "move by their recorded split, which was not adjusted"
        ),
        *_check_sessions(bars, calendar),
    ]


def _out_of_order(bars: pd.DataFrame) -> pd.Series:
    others = bars[["open", "close"]]
    too_low = bars["high"] < others.assign(low=bars["low"]).max(axis=1) * (1 - _ROUNDING)
    too_high: pd.Series = bars["low"] > others.min(axis=1) * (1 + _ROUNDING)
    return too_low | too_high


def _unadjusted_split(bars: pd.DataFrame) -> pd.Series:
    """Where the move is nearer to the one an unadjusted split makes than to none, and no ordinary one for this ticker.

    An unadjusted split of n:1 makes a log return of −ln n: forward ones only fall, reverse ones only rise.
    Robust standard deviation: 1.4826 × median absolute deviation (Rousseeuw & Croux 1993).
    """
    log_return = np.log(bars["adj_close"].where(bars["adj_close"] > 0)).diff()
    spread = 1.4826 * (log_return - log_return.median()).abs().median()
    ratio = bars["stock_splits"].where(bars["stock_splits"] > 0)
    of_split = -np.log(ratio)
    is_near = (log_return - of_split).abs() < of_split.abs() / 2
    explained: pd.Series = is_near & (log_return.abs() > _UNUSUAL * spread)
    return explained


def _check_sessions(bars: pd.DataFrame, calendar: str) -> list[Finding]:
    expected = sessions_between(calendar, bars["session"].iloc[0].date(), bars["session"].iloc[-1].date())
    there = pd.DatetimeIndex(bars["session"])
    missing = expected.difference(there)
    recent = missing.isin(expected[-_RECENT:])
    extra = ~bars["session"].isin(expected)
    inside, lately = (tuple(stamp.date() for stamp in missing[which]) for which in (~recent, recent))
    found = _find(bars, extra, "not_a_session", f"are no trading day of {calendar}")
    if inside:
        found.append(Finding("missing_session", "error", _message(inside, f"of {calendar} are missing"), inside))
    if lately:
        found.append(Finding("missing_session", "warn", _message(lately, "are missing and may still come"), lately))
    return found


def _find(bars: pd.DataFrame, wrong: pd.Series, name: str, what: str) -> list[Finding]:
    if not wrong.any():
        return []
    sessions = tuple(stamp.date() for stamp in bars.loc[wrong, "session"].unique())
    return [Finding(name, "error", _message(sessions, what), sessions)]


def _message(sessions: tuple[date, ...], what: str) -> str:
    named = ", ".join(f"{day:%Y-%m-%d}" for day in sessions[:3])
    more = f" and {len(sessions) - 3} more" if len(sessions) > 3 else ""
    return f"{len(sessions)} sessions {what}: {named}{more}"
