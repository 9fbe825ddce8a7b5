"""How often is a worthless model ever promoted, and a real one found and kept? Reviews of simulated tickers.

The platform's own rule (`champion.decide`) on the closes of GARCH(1,1) walks: a first look at 500 walk-forward rows,
then two years of further looks. Forecasts are simulated, not fitted: worthless ones are independent of the returns and
of each other, which is the hardest case for the rule; a real one knows the coefficient of an AR(1). Every interval is
honest and every audit clean, so that statistics alone decide. Figures of docs/adr/0075.

    python -m benchmarks.reviews [--tickers 1000] [--signals 100]

    --tickers N     tickers whose models are all worthless; 0 for none
    --signals N     tickers with one real model, of each strength; 0 for none
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.champion import decide, is_news
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.metrics import rmse
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.reviews import COVERAGE, LEVEL, MIN_ROWS
from stock_assets.forecasting.significance import clark_west
from stock_assets.forecasting.splits import WALK_FORWARD
from storage.tables import CHAMPION
from tests.synthetic import ar1_garch_bars

Floats = NDArray[np.float64]

MONTH = 21
LOOKS = 25
"""Monthly ones: the first and two years of more."""
ROWS = MIN_ROWS + (LOOKS - 1) * MONTH
SPREAD = 0.05
"""Standard deviation of a worthless forecast over that of the returns, as fitted models have it: so small that the
condition on the RMSE hardly adds to the test."""
SIGNALS = (0.05, 0.02)
"""R² of the real model."""
MODELS = tuple(name for name in model_names() if name != BENCHMARK)
REAL = MODELS[0]
_NEAR = 2 * LEVEL  # an adjusted p-value above which no rule promotes anybody
_FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Simulated:
    """One ticker's walk-forward rows; arrays of shape (ROWS,).

    Attributes:
        close: as-of close.
        actual: next log return.
        predicted: by model, log returns.
    """

    close: Floats
    actual: Floats
    predicted: Mapping[str, Floats]


def simulate(number: int, r_squared: float) -> Simulated:
    """One ticker by its number; with R² 0 every model is worthless, otherwise the first one knows the truth."""
    bars = ar1_garch_bars("SIM", ROWS + 2, seed=500_000 + number, r_squared=r_squared)
    close = bars["close"].to_numpy(dtype=float)
    returns = np.diff(np.log(close))
    noise = SPREAD * returns.std() * np.random.default_rng(number).standard_normal((len(MODELS), ROWS))
    predicted = dict(zip(MODELS, noise, strict=True))
    if r_squared:
        predicted[REAL] = np.sqrt(r_squared) * returns[:-1]
    return Simulated(close[1:-1], returns[1:], predicted)


def champions(ticker: Simulated, *, every: int, until_promotion: bool = False) -> list[tuple[str, int]]:
    """Champion after each look, and the reviews it has failed in a row; looks are `every` sessions apart.

    Each look is in a calendar month of its own, since the rule makes one review a month. With `until_promotion` looking
    ends with the first one.
    """
    history = pd.DataFrame(columns=list(CHAMPION.column_names))
    champion, failed, found = BENCHMARK, 0, []
    may_pass, predictions = _may_pass(ticker), _predictions(ticker)
    for look, n in enumerate(range(MIN_ROWS, ROWS + 1, every)):
        if champion != BENCHMARK or may_pass[n - 1]:
            row = decide(
                _evaluation(ticker, n, look),
                _CALIBRATION,
                _AUDIT,
                history,
                predictions=predictions.iloc[: n * len(MODELS)],
                ticker="SIM",
                versions=dict.fromkeys((BENCHMARK, *MODELS), "final"),
                promotable=(BENCHMARK, *MODELS),
                decided_at=_FIRST_DAY + timedelta(days=look),
            )
            if is_news(row, history):
                history = pd.DataFrame([*history.to_dict("records"), *row.to_dict("records")])
            champion, failed = str(row.iloc[0]["model"]), int(row.iloc[0]["failed_reviews"])
        found.append((champion, failed))
        if until_promotion and champion != BENCHMARK:
            break
    return found


def _may_pass(ticker: Simulated) -> NDArray[np.bool_]:
    """After which rows the least Clark–West p-value, quickly computed, is near enough to ask the rule at all."""
    from scipy.stats import norm

    n = np.arange(1, ROWS + 1)
    values = 2 * ticker.actual * np.array(list(ticker.predicted.values()))
    mean = np.cumsum(values, axis=1) / n
    variance = np.cumsum(values**2, axis=1) / n - mean**2
    with np.errstate(invalid="ignore", divide="ignore"):
        least = norm.sf((mean * np.sqrt(n / variance)).max(axis=0))
    return np.asarray(len(MODELS) * least < _NEAR)


def _evaluation(ticker: Simulated, n: int, look: int) -> pd.DataFrame:
    close, actual = ticker.close[:n], ticker.actual[:n]
    outcome = close * np.exp(actual)
    last = pd.Timestamp("2020-01-15") + pd.DateOffset(months=look)
    rows = [
        {"model": name, "rmse": rmse(outcome, close * np.exp(said[:n])), "clark_west_p": clark_west(actual, said[:n])}
        for name, said in ({BENCHMARK: np.zeros(ROWS)} | dict(ticker.predicted)).items()
    ]
    return pd.DataFrame(rows).assign(
        scheme=WALK_FORWARD, role="test", n=n, rmse_random_walk=rmse(outcome, close), last_session=last
    )


def _predictions(ticker: Simulated) -> pd.DataFrame:
    """Rows of table `predictions` of all models, session after session."""
    return pd.DataFrame(
        {
            "model": np.tile(list(ticker.predicted), ROWS),
            "target_session": np.repeat(pd.bdate_range("2016-01-04", periods=ROWS), len(MODELS)),
            "actual_log_return": np.repeat(ticker.actual, len(MODELS)),
            "predicted_log_return": np.array(list(ticker.predicted.values())).T.ravel(),
        }
    )


_CALIBRATION = pd.DataFrame({"model": MODELS}).assign(
    scheme=WALK_FORWARD, role="test", level=COVERAGE, coverage=0.9, coverage_lower=0.88, coverage_upper=0.92
)
_AUDIT = pd.DataFrame({"subject": ["features", "splits", *MODELS]}).assign(
    name="truncated", kind="proof", passed=True, model_version="final"
)


def _worthless(n_tickers: int) -> None:
    tickers = [simulate(number, 0.0) for number in range(n_tickers)]
    monthly = [champions(ticker, every=MONTH) for ticker in tickers]
    daily = [champions(ticker, every=1, until_promotion=True) for ticker in tickers]
    ever = [path for path in monthly if _is_promoted(path)]
    gone = [path for path in ever if path[-1][0] == BENCHMARK]
    print(f"{n_tickers} tickers, {len(MODELS)} worthless models each, {MIN_ROWS} to {ROWS} rows:")
    print(f"  promoted at the first look                {_share([path[0][0] != BENCHMARK for path in monthly])}")
    print(f"  promoted at any of {LOOKS} monthly looks        {_share([_is_promoted(path) for path in monthly])}")
    print(f"  promoted at any of {ROWS - MIN_ROWS + 1} daily looks        {_share(list(map(_is_promoted, daily)))}")
    print(f"  monthly: champion at the last look        {_share([path[-1][0] != BENCHMARK for path in monthly])}")
    print(f"  of those ever promoted, gone by then      {len(gone)} of {len(ever)}")


def _real(n_tickers: int, r_squared: float) -> None:
    paths = [champions(simulate(number, r_squared), every=MONTH) for number in range(n_tickers)]
    own = [path[[name for name, _ in path].index(REAL) :] for path in paths if REAL in dict(path)]
    lost = [any(name != REAL for name, _ in path) for path in own]
    print(f"{n_tickers} tickers, one model with a true R² of {r_squared:.0%}, {len(MODELS) - 1} worthless ones:")
    print(f"  real model promoted at the first look     {_share([path[0][0] == REAL for path in paths])}")
    print(f"  at some look                              {_share([REAL in dict(path) for path in paths])}")
    print(f"  of those: fails some later review         {_share([_fails(path) for path in own])}")
    print(f"  of those: loses its place                 {_share(lost)}")


def _is_promoted(path: Sequence[tuple[str, int]]) -> bool:
    return any(name != BENCHMARK for name, _ in path)


def _fails(path: Sequence[tuple[str, int]]) -> bool:
    return any(failed or name != REAL for name, failed in path)


def _share(hits: Sequence[bool]) -> str:
    if not hits:
        return "unknown, of 0"
    share = float(np.mean(hits))
    return f"{share:6.1%} ± {np.sqrt(share * (1 - share) / len(hits)):.1%} of {len(hits)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=1000)
    parser.add_argument("--signals", type=int, default=100)
    options = parser.parse_args()
    started = time.perf_counter()
    if options.tickers:
        _worthless(options.tickers)
    for r_squared in SIGNALS if options.signals else ():
        _real(options.signals, r_squared)
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
