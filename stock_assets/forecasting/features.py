"""Features: what a model may know at the close of a session, as DuckDB window formulas.

Adding a feature is adding one entry to `FEATURES`. The table contract, the SQL, the tests and the docs follow.

Window sums run over decimals, never over doubles: DuckDB adds the rows of a window in an order that depends on where
the ticker lies among the others, and a sum of doubles changes its last bits with the order. A sum of decimals does not,
so the value of a session is the same bit for bit whatever other rows and tickers are there.
"""

import hashlib
import re
from dataclasses import dataclass

import pandas as pd

from stock_assets.forecasting.errors import TooFewRows

WARM_UP = 60
"""Sessions at the start of a ticker that are inputs only and have no row in `features`."""


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
        formula: DuckDB expression over one ticker's bars ordered by session. It may use the columns of `prices`; the
            columns that `features_sql` derives (`log_price`, `log_return`, and for window sums the decimals
            `squared_return`, `squared_range`, `gain`, `move`, `level`, `traded`); the window `sessions` (for `lag`);
            and `last_<n>`, the current session and the n - 1 before it. Only the current and earlier rows.
        lookback: sessions it reaches back; the first `lookback` sessions of a ticker have no value. At most `WARM_UP`.
        why: one line of reason, shown as the column's comment.
    """

    name: str
    formula: str
    lookback: int
    unit: str
    why: str


FEATURES: tuple[Feature, ...] = (
    Feature("log_return_1", "log_return", 1, "log return", "the session's own move: short-term reversal or momentum"),
    *(
        Feature(f"log_return_{n}", f"log_price - lag(log_price, {n}) OVER sessions", n, "log return", why)
        for n, why in (
            (2, "move over 2 sessions: whether the last move went on"),
            (5, "move over a week: weekly reversal"),
            (10, "move over two weeks"),
            (20, "move over a month: momentum"),
        )
    ),
    *(
        Feature(f"volatility_{n}", f"sqrt(avg(squared_return) OVER last_{n})", n, "log return", why)
        for n, why in (
            (5, "root mean squared log return of a week: how restless it is now"),
            (20, "root mean squared log return of a month"),
            (60, "root mean squared log return of a quarter: what is usual"),
        )
    ),
    # Parkinson (1980): a range tells more about variance than the two closes do.
    Feature(
        "range_volatility_20",
        "sqrt(avg(squared_range) OVER last_20 / (4 * ln(2)))",
        20,
        "log return",
        "Parkinson volatility of a month, from highs and lows; 0 where no bar has a range",
    ),
    Feature(
        "gap",
        "ln(open / close) + log_return",
        1,
        "log return",
        "close to open, dividends and splits taken out: news outside trading hours",
    ),
    Feature(
        "range_position",
        "CASE WHEN high > low THEN (close - low) / (high - low) ELSE 0.5 END",
        0,
        "fraction",
        "where the close lies between low and high: closing strength; 0.5 where the bar has no range",
    ),
    Feature(
        "mean_distance_60",
        "log_price - avg(level) OVER last_60",
        59,
        "log return",
        "distance of the log price to its mean of a quarter: stretched or not",
    ),
    # Cutler's form of the relative strength index: plain sums instead of Wilder's endless smoothing.
    Feature(
        "relative_strength_14",
        "coalesce(sum(gain) OVER last_14 / nullif(CAST(sum(move) OVER last_14 AS DOUBLE), 0), 0.5)",
        14,
        "fraction",
        "gains over gains and losses of 14 sessions (RSI / 100, Cutler's form); 0.5 where nothing moved",
    ),
    Feature(
        "relative_volume_20",
        "coalesce(volume / nullif(avg(traded) OVER last_20, 0), 1)",
        19,
        "ratio",
        "volume over its mean of a month: attention; 1 where nothing was traded (indices)",
    ),
)


def features_sql(source: str) -> str:
    """The one SELECT that computes table `features` from bars: a row per ticker and session after the first `WARM_UP`.

    `source` is a relation DuckDB can read, with the columns of table `prices` used by the formulas: a registered name,
    or `read_parquet(…)` of a path this program chose. It becomes part of the SQL text: never pass user input.
    """
    columns = ",\n    ".join(f"{feature.formula} AS {feature.name}" for feature in FEATURES)
    lengths = sorted({int(n) for feature in FEATURES for n in re.findall(r"\blast_(\d+)\b", feature.formula)})
    windows = ",\n    ".join(
        f"last_{n} AS (PARTITION BY ticker ORDER BY session ROWS BETWEEN {n - 1} PRECEDING AND CURRENT ROW)"
        for n in lengths
    )
    return f"""
WITH logs AS (
    SELECT *, ln(adj_close) AS log_price FROM {source}
),
returns AS (
    SELECT *, log_price - lag(log_price) OVER sessions AS log_return
    FROM logs
    WINDOW sessions AS (PARTITION BY ticker ORDER BY session)
),
bars AS (
    SELECT *,
        CAST(log_return * log_return AS DECIMAL(18, 15)) AS squared_return,
        CAST(ln(high / low) * ln(high / low) AS DECIMAL(18, 15)) AS squared_range,
        CAST(greatest(log_return, 0) AS DECIMAL(18, 15)) AS gain,
        CAST(abs(log_return) AS DECIMAL(18, 15)) AS move,
        CAST(log_price AS DECIMAL(18, 15)) AS level,
        CAST(volume AS DECIMAL(30, 3)) AS traded
    FROM returns
)
SELECT
    ticker,
    session,
    {columns},
    lead(session) OVER sessions AS target_session,
    lead(log_price) OVER sessions - log_price AS target_log_return
FROM bars
WINDOW
    sessions AS (PARTITION BY ticker ORDER BY session),
    {windows}
QUALIFY row_number() OVER sessions > {WARM_UP}
"""  # noqa: S608 - every part is a constant of this program


def features_version() -> str:
    """Hash of the whole query: a model fitted on other formulas does not understand today's features."""
    return hashlib.sha256(features_sql("prices").encode()).hexdigest()[:16]


def compute_features(prices: pd.DataFrame) -> pd.DataFrame:
    """Frame of table `features`, ordered by ticker and session, of all tickers in one pass.

    Takes rows of table `prices`, in any order; prices are positive. A ticker with no more than `WARM_UP` sessions has
    no row; the others are unaffected.

    Raises:
        TooFewRows: no ticker has a row; names each with its number of sessions.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.register("prices", prices)
        features = connection.execute(f"{features_sql('prices')} ORDER BY ticker, session").df()
    if features.empty:
        counts = prices["ticker"].value_counts().sort_index()
        found = ", ".join(f"{ticker} has {n} sessions" for ticker, n in counts.items()) or "there are no sessions"
        problem = f"{found} and a first row of features needs {WARM_UP + 1}"
        raise TooFewRows(problem, cure="fetch a longer history (--lookback) or leave the ticker out")
    return features.astype({"session": "datetime64[ns]", "target_session": "datetime64[ns]"})
