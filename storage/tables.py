"""Every table's contract, in one place: columns, types, units, key, who writes it, one line of meaning.

What belongs here: facts about tables. What does not: reading, writing or checking (see `contracts.py`, `lake.py`).
The lake, the published database, its comments and `docs/tables.md` all derive from this file.
"""

from dataclasses import dataclass
from typing import Literal

from stock_assets.forecasting.features import FEATURES

SCHEMA_VERSION = 1
LEVELS = (50, 80, 90, 95)

Type = Literal["VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "DATE", "TIMESTAMPTZ"]


@dataclass(frozen=True)
class Column:
    """One column. `meaning` becomes the column's comment, with the unit in brackets."""

    name: str
    type: Type
    meaning: str
    unit: str | None = None
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: columns that identify a row.
        partition_by: columns of which each combination is one file, replaced whole; empty for append-only tables,
            which get one file per write and are never edited.
        writer: the asset (or command) that writes it.
    """

    name: str
    meaning: str
    writer: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()

    @property
    def append_only(self) -> bool:
        """Whether rows are only ever added."""
        return not self.partition_by

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the table's order."""
        return tuple(column.name for column in self.columns)


def _text(name: str, meaning: str, nullable: bool = False) -> Column:
    return Column(name, "VARCHAR", meaning, nullable=nullable)


def _number(name: str, meaning: str, unit: str | None = None, nullable: bool = False) -> Column:
    return Column(name, "DOUBLE", meaning, unit, nullable)


def _count(name: str, meaning: str, nullable: bool = False) -> Column:
    return Column(name, "BIGINT", meaning, nullable=nullable)


def _flag(name: str, meaning: str, nullable: bool = False) -> Column:
    return Column(name, "BOOLEAN", meaning, nullable=nullable)


def _date(name: str, meaning: str, nullable: bool = False) -> Column:
    return Column(name, "DATE", meaning, nullable=nullable)


def _time(name: str, meaning: str, nullable: bool = False) -> Column:
    return Column(name, "TIMESTAMPTZ", meaning, "UTC", nullable)


TICKER = _text("ticker", "symbol as Yahoo spells it, for example AAPL, BRK-B, ^GSPC")
MODEL = _text("model", "model name; random_walk is the benchmark")
SESSION = _date("session", "trading date of the exchange")
PRICE = "ticker's currency"

BARS = (
    _number("open", "first price of the session, split-adjusted", PRICE),
    _number("high", "highest price of the session, split-adjusted", PRICE),
    _number("low", "lowest price of the session, split-adjusted", PRICE),
    _number("close", "last price of the session, split-adjusted", PRICE),
    _number("adj_close", "close adjusted for splits and dividends as known at the fetch", PRICE),
    _number("volume", "shares traded, split-adjusted", "shares"),
    _number("dividends", "dividend with this ex-date; null where the source does not report it", PRICE, nullable=True),
    _number("stock_splits", "split ratio effective this session, 0 if none; null where not reported", nullable=True),
    _text("source", "where the bar came from: yahoo, sample or csv"),
)


def _bounds() -> tuple[Column, ...]:
    return tuple(
        _number(f"{side}_{level}", f"{side} end of the {level} % prediction interval of the close", PRICE)
        for level in LEVELS
        for side in ("lower", "upper")
    )


def _inside() -> tuple[Column, ...]:
    return tuple(_flag(f"inside_{level}", f"whether actual lies in the {level} % interval") for level in LEVELS)


TICKERS = Table(
    "tickers",
    "The universe: one row per ticker with its health.",
    "raw_prices and every later asset; `stock-assets tickers`",
    ("ticker",),
    (
        TICKER,
        _text("calendar", "exchange calendar, for example XNYS; null before the first fetch", nullable=True),
        _text("currency", "ISO currency of its prices; null before the first fetch", nullable=True),
        _text(
            "source",
            "the one source its bars come from: yahoo, sample or csv; null before one is chosen",
            nullable=True,
        ),
        _text("status", "added (no bars yet), fetched, ok (has a forecast) or failed"),
        _text("reason", "why it failed, and the cure; null unless failed", nullable=True),
        _time("updated_at", "when this row was written"),
    ),
    ("ticker",),
)

RAW_PRICES = Table(
    "raw_prices",
    "Every bar as it was fetched, for ever: what a model was trained on stays readable.",
    "raw_prices",
    ("ticker", "session", "fetched_at"),
    (
        TICKER,
        SESSION,
        _time("fetched_at", "when the source was asked"),
        _time("vintage", "fetched_at of the full history this bar belongs to or consistently extends"),
        *BARS,
    ),
)

PRICES = Table(
    "prices",
    "One vintage of bars per ticker: the latest consistent history.",
    "prices",
    ("ticker", "session"),
    (
        TICKER,
        SESSION,
        *BARS,
        _flag("is_final", "fetched so long after the close (48 h) that no revision is expected"),
    ),
    ("ticker",),
)

FEATURES_TABLE = Table(
    "features",
    "What the models know at the close of each session, and the target they are asked for.",
    "features",
    ("ticker", "session"),
    (
        TICKER,
        SESSION,
        *(_number(f.name, f.why, f.unit) for f in FEATURES),
        _date("target_session", "the next session; null where it is not in prices yet", nullable=True),
        _number("target_log_return", "natural log return of adj_close to target_session", nullable=True),
    ),
    ("ticker",),
)

SPLITS = Table(
    "splits",
    "Which role each session plays in each fold. Changes only when retraining is asked for.",
    "splits",
    ("ticker", "session", "fold"),
    (
        TICKER,
        SESSION,
        _text("fold", "holdout, or wf_00 … for walk-forward"),
        _text("role", "train, validation, test, purged (label touches the next role) or live (no label yet)"),
    ),
    ("ticker",),
)

MODELS = Table(
    "models",
    "Every fit: what it saw, with which code and settings.",
    "model/<name>",
    ("ticker", "model", "version"),
    (
        TICKER,
        MODEL,
        _text("version", "content address of the fit: data, code, settings and seed"),
        _text(
            "kind", "evaluated (fitted on train rows only, scored on the rest) or final (all labelled rows; forecasts)"
        ),
        _date("train_start", "first session whose label was used"),
        _date("train_end", "last session whose label was used"),
        _count("n_train", "labelled rows used"),
        _text("data_version", "hash of the rows it was fitted on"),
        _text("code_version", "hash of the model's source files"),
        _text("artifact_hash", "hash over the artifact's files, as in its manifest"),
        _count("seed", "random seed"),
        _text("target", "log_return, or price for the reference formulation (never promoted)"),
        _text("hyper_parameters", "JSON object"),
        _text("libraries", "JSON object: library → version"),
        _time("fitted_at", "when the fit ended"),
        _number("fit_seconds", "wall time of the fit", "s"),
        _text("mlflow_run_id", "MLflow run that tracked the fit; null when not tracked", nullable=True),
    ),
    ("ticker", "model"),
)

PREDICTIONS = Table(
    "predictions",
    "One row per predicted session: prediction, intervals, what happened, and the random walk's answer.",
    "predictions/<name>",
    ("ticker", "model", "fold", "target_session"),
    (
        TICKER,
        MODEL,
        _text("fold", "holdout, wf_00 …, or live"),
        _date("target_session", "session whose close is predicted"),
        _date("session", "as-of session: everything used was known at its close"),
        _text("role", "validation, test or live"),
        _number("predicted_log_return", "predicted natural log return of adj_close"),
        _number("actual_log_return", "what it was; null until known", nullable=True),
        _number("volatility", "forecast standard deviation of the next log return, which scales the intervals"),
        _number("predicted", "predicted close, on the basis of the as-of session's close", PRICE),
        _number("actual", "as-of close times the ratio of adjusted closes; null until known", PRICE, nullable=True),
        _number("naive", "the random walk's answer: the as-of session's close", PRICE),
        *_bounds(),
        _text("model_version", "version in models"),
    ),
    ("ticker", "model"),
)

EVALUATION = Table(
    "evaluation",
    "Scores per model and role, the random walk's on the same rows beside them.",
    "evaluation",
    ("ticker", "model", "scheme", "role"),
    (
        TICKER,
        MODEL,
        _text("scheme", "holdout, walk_forward or live"),
        _text("role", "validation, test or live"),
        _count("n", "rows scored"),
        _date("first_session", "first target session scored"),
        _date("last_session", "last target session scored"),
        _number("rmse", "root mean squared error of the close", PRICE),
        _number("rmse_random_walk", "the random walk's RMSE on the same rows", PRICE),
        _number("mae", "mean absolute error of the close", PRICE),
        _number("mae_random_walk", "the random walk's MAE on the same rows", PRICE),
        _number("mape", "mean absolute percentage error", "fraction"),
        _number("mase", "MAE scaled by the random walk's MAE on training rows; null if that is 0", nullable=True),
        _number(
            "skill_vs_naive", "1 - RMSE / RMSE of the random walk; above 0 is better; null if that is 0", nullable=True
        ),
        _number(
            "directional_accuracy",
            "share of right signs, zeros left out; null for the random walk",
            "fraction",
            nullable=True,
        ),
        _number(
            "std_ratio",
            "standard deviation of predicted over actual log returns: what it dares to say; null if that is 0",
            nullable=True,
        ),
        _number("clark_west_p", "one-sided p-value that the model beats the random walk it nests", nullable=True),
        _number("dm_hln_p", "one-sided Diebold-Mariano (HLN) p-value that its squared error is lower", nullable=True),
        *(
            _number(f"coverage_{level}", f"share of closes inside the {level} % interval", "fraction")
            for level in LEVELS
        ),
        _number("width_90", "mean width of the 90 % interval", PRICE),
    ),
    ("ticker",),
)

CHAMPION = Table(
    "champion",
    "Who is trusted, since when and why; every decision is kept.",
    "champion",
    ("ticker", "decided_at"),
    (
        TICKER,
        _time("decided_at", "when it was decided"),
        MODEL,
        _flag("promoted", "whether a model beat the random walk by the rule"),
        _text("reason", "a sentence a person can read"),
        _number("p_value", "Holm-adjusted Clark-West p-value of the best candidate; null without one", nullable=True),
        _count("n", "rows the decision rests on"),
        _text("model_version", "the champion's final fit in models"),
    ),
)

FORECASTS = Table(
    "forecasts",
    "The forecast log: append-only, never edited, scored later.",
    "forecasts",
    ("forecast_id",),
    (
        _text("forecast_id", "hash of ticker, model, as-of session, data, fit, champion or not, and what it follows"),
        TICKER,
        MODEL,
        _date("as_of_session", "last session whose bar was known"),
        _date("target_session", "the exchange's next session"),
        _time("created_at", "when it was written"),
        _number("predicted", "predicted close", PRICE),
        _number("naive", "the random walk's answer: the as-of close", PRICE),
        _number("predicted_log_return", "predicted natural log return of adj_close"),
        _number("volatility", "forecast standard deviation of the next log return"),
        *_bounds(),
        _flag("is_champion", "whether this model was the champion then"),
        _flag("is_live", "written before the target session opened, or an hour into it where the market never closes"),
        _text("source", "where the bars came from; sample data is not a forecast of today's market"),
        _text("model_version", "version in models"),
        _text("data_version", "hash of the bars it was made from"),
        _text("code_version", "hash of the model's source files"),
    ),
)

FORECAST_SCORES = Table(
    "forecast_scores",
    "What became of each forecast; a corrected bar appends a new score.",
    "forecast_scores",
    ("forecast_id", "scored_at"),
    (
        _text("forecast_id", "which forecast"),
        _time("scored_at", "when it was scored"),
        TICKER,
        MODEL,
        _date("target_session", "session that was forecast"),
        _number("actual", "as-of close times the ratio of adjusted closes of one vintage", PRICE),
        _number("error", "predicted - actual", PRICE),
        *_inside(),
    ),
)

DRIFT = Table(
    "drift",
    "Whether an input's distribution has changed.",
    "drift (not built yet)",
    ("ticker", "feature", "checked_at"),
    (
        TICKER,
        _text("feature", "column of features"),
        _time("checked_at", "when it was checked"),
        _text("method", "statistic used"),
        _number("statistic", "its value"),
        _number("threshold", "value above which drift is declared"),
        _flag("drifted", "whether it was"),
        _date("reference_start", "first session of the reference window"),
        _date("reference_end", "last session of the reference window"),
        _date("current_start", "first session of the current window"),
        _date("current_end", "last session of the current window"),
    ),
    ("ticker",),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        TICKERS,
        RAW_PRICES,
        PRICES,
        FEATURES_TABLE,
        SPLITS,
        MODELS,
        PREDICTIONS,
        EVALUATION,
        CHAMPION,
        FORECASTS,
        FORECAST_SCORES,
        DRIFT,
    )
}


@dataclass(frozen=True)
class View:
    """One published view."""

    name: str
    meaning: str
    sql: str


VIEWS: tuple[View, ...] = (
    View(
        "leaderboard",
        "Each model's newest scores per ticker, best RMSE first, the random walk's beside them.",
        """
        SELECT ticker, scheme, role, model, n, rmse, rmse_random_walk, mae, mae_random_walk, mape, mase, skill_vs_naive,
               directional_accuracy, std_ratio, clark_west_p, dm_hln_p, coverage_90, width_90
        FROM evaluation ORDER BY ticker, scheme, role, rmse, model
        """,
    ),
    View(
        "latest_forecasts",
        "The newest forecast of every model for every ticker.",
        """
        SELECT * FROM forecasts
        QUALIFY row_number() OVER (PARTITION BY ticker, model ORDER BY as_of_session DESC, created_at DESC) = 1
        ORDER BY ticker, is_champion DESC, model
        """,
    ),
    View(
        "track_record",
        "What each model said last, live, about each session, with its newest score: one row per model and session.",
        """
        SELECT f.*, s.actual, s.error, s.inside_50, s.inside_80, s.inside_90, s.inside_95, s.scored_at
        FROM forecasts f
        LEFT JOIN (
            SELECT * FROM forecast_scores
            QUALIFY row_number() OVER (PARTITION BY forecast_id ORDER BY scored_at DESC) = 1
        ) s USING (forecast_id)
        WHERE f.is_live
        QUALIFY row_number() OVER (PARTITION BY f.ticker, f.model, f.target_session ORDER BY f.created_at DESC) = 1
        ORDER BY f.ticker, f.target_session, f.model
        """,
    ),
)
