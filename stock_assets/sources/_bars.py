"""What every source does with the bars it was given before it hands them on."""

from datetime import date, datetime

import pandas as pd

from stock_assets.forecasting.bars import first_invalid_bar
from stock_assets.forecasting.sessions import closing_times
from stock_assets.sources.base import BAR_COLUMNS, MalformedData, NoDataInRange

COMPLETE_AFTER = pd.Timedelta(minutes=20)
"""How long after the close a session's bar counts as complete: Yahoo's quotes come some 15 minutes late, so a bar seen
before is that of an earlier moment and lacks the closing auction."""


def finish_bars(frame: pd.DataFrame, *, where: str, cure: str) -> pd.DataFrame:
    """Columns and types of the contract, in order; `MalformedData` (from `where`) for a bar that cannot be true."""
    bars = frame.loc[:, list(BAR_COLUMNS)].astype(dict.fromkeys(BAR_COLUMNS[1:], "float64"))
    bars = bars.assign(session=bars["session"].astype("datetime64[ns]")).sort_values("session", ignore_index=True)
    invalid = first_invalid_bar(bars)
    if invalid is not None:
        raise MalformedData(f"{where}, {invalid.column}: {invalid.problem}", cure=cure)
    return bars


def completed(bars: pd.DataFrame, calendar: str, now: datetime) -> tuple[pd.DataFrame, dict[date, str]]:
    """Bars of sessions that closed `COMPLETE_AFTER` or longer before `now`, and the others' dates with the reason."""
    closes = closing_times(calendar, bars["session"])
    partial = closes + COMPLETE_AFTER > pd.Timestamp(now)
    dropped = {
        session.date(): f"the session closes at {close:%H:%M} UTC; its bar is partial until {settled:%H:%M}"
        for session, close, settled in zip(
            bars.loc[partial, "session"], closes[partial], closes[partial] + COMPLETE_AFTER, strict=True
        )
    }
    return bars[~partial].reset_index(drop=True), dropped


def within(
    bars: pd.DataFrame, start: date, end: date, *, ticker: str, source: str, partial: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Rows of complete, ascending bars whose sessions are in [start, end].

    `NoDataInRange` where there is none, with the range that the source has: bars that are not complete (`partial`) too.
    """
    inside = bars[bars["session"].between(pd.Timestamp(start), pd.Timestamp(end))]
    if inside.empty:
        extent, cure = _what_there_is(bars, bars if partial is None else partial, end)
        problem = f"{source} has no complete bar of {ticker} from {start:%Y-%m-%d} to {end:%Y-%m-%d}; {extent}"
        raise NoDataInRange(problem, cure=cure)
    return inside.reset_index(drop=True)


def _what_there_is(bars: pd.DataFrame, given: pd.DataFrame, end: date) -> tuple[str, str]:
    other_range = "ask for a range in which it traded (--lookback)"
    if given.empty:
        return "it has none at all", other_range
    extent = f"its bars are from {given['session'].iloc[0]:%Y-%m-%d} to {given['session'].iloc[-1]:%Y-%m-%d}"
    if given["session"].iloc[0] > pd.Timestamp(end):
        return f"{extent}, all after that", "fetch again when these sessions have closed, or correct the dates"
    if bars.empty:
        return f"{extent}, none complete yet", "fetch again when these sessions have closed, or correct the dates"
    return extent, other_range
