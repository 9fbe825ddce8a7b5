"""Sentences and numbers as people read them. Pure functions of values; nothing here knows Panel."""

from datetime import date
from typing import Any

from dashboard.theme import BENCHMARK

MISSING = "—"
NOT_ADVICE = "Not investment advice."
SAMPLE = "Sample data: real bars of 2000–2013 that come with the program. Nothing here is about today's market."
_ALPHA = 0.05
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_STALE_AFTER = 5  # calendar days: a weekend with a holiday on either side


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN or NaT."""
    return value is None or value != value


def money(value: Any, currency: str | None) -> str:
    """A price: `$430.47`, `430.47 SEK`."""
    if is_missing(value):
        return MISSING
    amount = f"{value:,.{2 if abs(value) >= 1 else 4}f}"
    sign = _SIGNS.get(currency or "")
    return f"{sign}{amount}" if sign else f"{amount} {currency or ''}".rstrip()


def percent(fraction: Any, decimals: int = 1, *, signed: bool = False) -> str:
    """A fraction in per cent: `+0.17 %`."""
    return MISSING if is_missing(fraction) else f"{100 * fraction:{'+' if signed else ''}.{decimals}f} %"


def name(model: str) -> str:
    """A model's name in running text."""
    return "the random walk" if model == BENCHMARK else model


def age(as_of: date, today: date) -> str:
    """How old the newest bar is: `3 days old`."""
    days = (today - as_of).days
    if days <= 0:
        return "of today"
    if days < 60:
        return f"{days} day{'s' if days > 1 else ''} old"
    if days < 730:
        return f"{days // 30} months old"
    return f"{days // 365} years old"


def moment(at: Any) -> str:
    """A time in UTC, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def is_stale(as_of: date, today: date) -> bool:
    """Whether the newest bar is older than weekends and holidays explain."""
    return (today - as_of).days > _STALE_AFTER


def verdict(model: str, clark_west_p: Any, std_ratio: Any) -> str:
    """Whether a model beats the random walk, in words, by the one-sided Clark–West test at 5 %."""
    if model == BENCHMARK:
        return "benchmark"
    if not is_missing(std_ratio) and std_ratio == 0:
        return "same as the random walk"
    if is_missing(clark_west_p):
        return "cannot be tested"
    if clark_west_p < _ALPHA:
        return f"better (p = {clark_west_p:.3f}, this test alone)"
    return f"no evidence (p = {clark_west_p:.2f})"


def forecast_sentence(ticker: str, champion: Any, currency: str | None) -> str:
    """What the desk believes, in one sentence. Takes the champion's row of `latest_forecasts` and an ISO code."""
    low, high = money(champion.lower_90, currency), money(champion.upper_90, currency)
    between = f"90 % of next sessions should close between {low} and {high}"
    if champion.model == BENCHMARK:
        return f"No model has beaten “same as today” for {ticker}; {between}."
    change = percent(champion.predicted / champion.naive - 1, 2, signed=True)
    expected = money(champion.predicted, currency)
    return f"{champion.model} has beaten “same as today” for {ticker} and expects {expected} ({change}); {between}."


def failure(ticker: Any) -> str:
    """Why a ticker failed and what to do, in one sentence: `raw_prices: no bars of ZZZZ — choose another`.

    Takes its row of `tickers`. One that failed under an older version says all of it in `reason`.
    """
    said = ticker.reason if is_missing(ticker.stage) else f"{ticker.stage}: {ticker.reason}"
    return said if is_missing(ticker.cure) else f"{said} — {ticker.cure}"


def data_warning(source: str, as_of: date, today: date) -> str:
    """What must be said above everything else about a ticker's bars; empty where they are real and current."""
    if source == "sample":
        return SAMPLE
    if is_stale(as_of, today):
        return f"The newest bar is of {as_of:%Y-%m-%d}, {age(as_of, today)}: `stock-assets forecast` brings newer ones."
    return ""


def sentence_case(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]
