"""Which volatility forecast to use: QLIKE of the candidates on the bundled bars. Figures of docs/adr/0022.

    python benchmarks/volatility.py

The choice was made on 2000–2008; 2009–2013 shows what it was worth afterwards. Lower is better.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.metrics import qlike
from stock_assets.forecasting.volatility import FLOOR, forecast_volatility, session_variance
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource

TICKERS = ("AAPL", "IBM", "MSFT", "GOOG")
PERIODS = {"2000–2008": (date(2001, 3, 1), date(2008, 12, 31)), "2009–2013": (date(2009, 1, 1), LAST_SESSION)}
WARM_UP = 250


def ewma(variance: pd.Series, decay: float) -> pd.Series:
    return variance.ewm(alpha=1 - decay).mean()


def parkinson(history: pd.DataFrame) -> pd.Series:
    """Overnight variance plus the variance of the day from high and low (Parkinson 1980)."""
    log = np.log(history[["open", "high", "low", "close"]])
    overnight = history["log_return"] - (log["close"] - log["open"])
    return overnight**2 + (log["high"] - log["low"]) ** 2 / (4 * np.log(2))


def har(variance: pd.Series) -> pd.Series:
    """Day, week, month and year with fixed weights of the size Corsi (2009) reports; the year holds what is left."""
    weights = {1: 0.37, 5: 0.34, 22: 0.22, 250: 0.07}
    return sum(weight * variance.rolling(n, min_periods=1).mean() for n, weight in weights.items())


CANDIDATES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "EWMA 0.94 of squared returns": lambda h: ewma(h["log_return"] ** 2, 0.94),
    "EWMA 0.97 of squared returns": lambda h: ewma(h["log_return"] ** 2, 0.97),
    "EWMA 0.94, half Parkinson": lambda h: (ewma(h["log_return"] ** 2, 0.94) + ewma(parkinson(h), 0.94)) / 2,
    "EWMA 0.94, Parkinson": lambda h: ewma(parkinson(h), 0.94),
    "EWMA 0.94, Garman–Klass": lambda h: ewma(session_variance(h), 0.94),
    "EWMA 0.88, Garman–Klass": lambda h: ewma(session_variance(h), 0.88),
    "HAR, fixed weights, Parkinson": lambda h: har(parkinson(h)),
    "HAR, fixed weights, Garman–Klass": lambda h: har(session_variance(h)),
    "four EWMAs, Garman–Klass (chosen)": lambda h: pd.Series(forecast_volatility(h) ** 2, index=h.index),
}


def main() -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    rows = []
    for ticker in TICKERS:
        bars = SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=now).frame
        history = build_history(bars, pd.DataFrame({"session": bars["session"].iloc[:0]}))
        squared = history["target_log_return"] ** 2
        for name, candidate in CANDIDATES.items():
            volatility = np.sqrt(candidate(history)).clip(lower=FLOOR)
            for period, (start, end) in PERIODS.items():
                inside = history["session"].between(pd.Timestamp(start), pd.Timestamp(end)) & squared.notna()
                inside &= history.index >= WARM_UP
                loss = qlike(squared[inside], volatility[inside])
                rows.append({"candidate": name, "period": period, "ticker": ticker, "qlike": loss})
    table = pd.DataFrame(rows).pivot_table(index="candidate", columns=["period", "ticker"], values="qlike")
    means = table.T.groupby(level="period").mean().T.add_prefix("mean ")
    table.columns = [f"{ticker} {period}" for period, ticker in table.columns]
    print(means.join(table).loc[list(CANDIDATES)].round(4).to_string())


if __name__ == "__main__":
    main()
