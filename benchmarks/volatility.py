"""Which volatility forecast to use: QLIKE of the candidates on the bundled bars. Figures of docs/adr/0022 and 0073.

    python -m benchmarks.volatility

The choice was made on 2000–2008; 2009–2013 shows what it was worth afterwards. Lower is better. Losses are against
squared returns, and against the range-based variance of the session, which is less noisy.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.metrics import qlike
from stock_assets.forecasting.volatility import FLOOR, session_variance
from stock_assets.forecasting.volatility_methods import METHODS, parkinson_variance
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource

TICKERS = ("AAPL", "IBM", "MSFT", "GOOG")
PERIODS = {"2000–2008": (date(2001, 3, 1), date(2008, 12, 31)), "2009–2013": (date(2009, 1, 1), LAST_SESSION)}
WARM_UP = 252
REFIT_EVERY = 21
"""Sessions between two fits of a GARCH, as for HAR."""


def ewma(variance: pd.Series, decay: float) -> pd.Series:
    return variance.ewm(alpha=1 - decay).mean()


def har(variance: pd.Series) -> pd.Series:
    """Day, week, month and year with fixed weights of the size Corsi (2009) reports; the year holds what is left."""
    weights = {1: 0.37, 5: 0.34, 22: 0.22, 250: 0.07}
    return sum(weight * variance.rolling(n, min_periods=1).mean() for n, weight in weights.items())


def garch(history: pd.DataFrame, **form: Any) -> pd.Series:
    """A GARCH(1,1) of the returns, fitted again every month on all earlier ones."""
    from arch import arch_model

    returns = 100 * history["log_return"].to_numpy()
    forecast = np.full(len(returns), np.nan)
    for row in range(WARM_UP, len(returns), REFIT_EVERY):
        fit = arch_model(returns[1 : row + 1], mean="Zero", rescale=False, **form).fit(disp="off", show_warning=False)
        weights = fit.params
        variance = fit.conditional_volatility[-1] ** 2
        for t in range(row, min(row + REFIT_EVERY, len(returns))):
            shock = weights["alpha[1]"] + (weights["gamma[1]"] if "o" in form and returns[t] < 0 else 0.0)
            # The variance that the fit ends with is that of its last return, which is the first one asked about.
            variance = weights["omega"] + shock * returns[t] ** 2 + weights["beta[1]"] * variance
            forecast[t] = variance / 100**2
    return pd.Series(forecast, index=history.index)


CANDIDATES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "EWMA 0.97 of squared returns": lambda h: ewma(h["log_return"] ** 2, 0.97),
    "EWMA 0.94, half Parkinson": lambda h: (ewma(h["log_return"] ** 2, 0.94) + ewma(parkinson_variance(h), 0.94)) / 2,
    "EWMA 0.94, Garman–Klass": lambda h: ewma(session_variance(h), 0.94),
    "EWMA 0.88, Garman–Klass": lambda h: ewma(session_variance(h), 0.88),
    "HAR, fixed weights, Parkinson": lambda h: har(parkinson_variance(h)),
    "HAR, fixed weights, Garman–Klass": lambda h: har(session_variance(h)),
    "GARCH(1,1)": garch,
    "GARCH(1,1), Student's t": lambda h: garch(h, dist="t"),
    "GJR-GARCH(1,1)": lambda h: garch(h, o=1),
    **{f"{name} (offered)": method for name, method in METHODS.items()},
}


def main() -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    rows = []
    seconds: dict[str, float] = defaultdict(float)
    for ticker in TICKERS:
        bars = SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=now).frame
        history = build_history(bars, pd.DataFrame({"session": bars["session"].iloc[:0]}))
        proxies = {"r²": history["target_log_return"] ** 2, "range": session_variance(history).shift(-1)}
        for name, candidate in CANDIDATES.items():
            started = time.perf_counter()
            volatility = np.sqrt(candidate(history)).clip(lower=FLOOR)
            seconds[name] += time.perf_counter() - started
            for period, (start, end) in PERIODS.items():
                inside = history["session"].between(pd.Timestamp(start), pd.Timestamp(end))
                inside &= history["target_log_return"].notna() & (history.index >= WARM_UP)
                rows += [
                    {
                        "candidate": name,
                        "case": f"{period} {proxy}",
                        "qlike": qlike(values[inside], volatility[inside]),
                    }
                    for proxy, values in proxies.items()
                ]
    table = pd.DataFrame(rows).pivot_table(index="candidate", columns="case", values="qlike")
    print(table.loc[list(CANDIDATES)].assign(seconds=pd.Series(seconds)).round(4).to_markdown())


if __name__ == "__main__":
    main()
