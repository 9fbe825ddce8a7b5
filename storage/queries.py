"""Named queries on the newest generation: what people, the command line and the dashboard ask for.

Each takes an open `Reader` and filters that may be left out, and returns a frame in a stated order. Adding a query is
adding a function.
"""

from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd

from storage.errors import ContractViolation
from storage.names import find_relation, suggest
from storage.parquet import as_values
from storage.published import Reader
from storage.tables import TABLES


def relation(reader: Reader, name: str, /, **where: object) -> pd.DataFrame:
    """Rows of any published table or view where column = value, or column is in a list of values, for all of `where`.

    Raises:
        UnknownTable: no such table or view. ContractViolation: no such column.
    """
    find_relation(name)
    columns = reader.frame("SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [name])
    known = columns["column_name"].tolist()
    for column in where:
        if column not in known:
            raise ContractViolation(f"{name} has no column {column!r}", cure=suggest(column, known))
    # A view brings its own order.
    order = ", ".join(TABLES[name].key) if name in TABLES else ""
    return _rows(reader, f'"{name}"', order, **where)


def tickers(reader: Reader) -> pd.DataFrame:
    """The universe with its health, by ticker."""
    return _rows(reader, "tickers", "ticker")


def model_names(reader: Reader) -> pd.DataFrame:
    """Every model that has made a forecast, by name."""
    return reader.frame("SELECT DISTINCT model FROM forecasts ORDER BY model", [])


def prices(reader: Reader, ticker: str, *, start: date | None = None, end: date | None = None) -> pd.DataFrame:
    """One ticker's bars by session, from `start` to `end`, both included."""
    return reader.frame(
        "SELECT * FROM prices WHERE ticker = ? AND session >= coalesce(?, session) AND session <= coalesce(?, session) "
        "ORDER BY session",
        [ticker, start, end],
    )


def models(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """The fits, by ticker, model and kind."""
    return _rows(reader, "models", "ticker, model, kind, version", ticker=ticker)


def predictions(
    reader: Reader, ticker: str, models: Sequence[str] | None = None, *, role: str | None = None
) -> pd.DataFrame:
    """One ticker's predictions by model and target session."""
    return _rows(reader, "predictions", "model, target_session, fold", ticker=ticker, model=models, role=role)


def leaderboard(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """The view `leaderboard`: each model beside the random walk, best RMSE first."""
    return _rows(reader, "leaderboard", "ticker, scheme, role, rmse, model", ticker=ticker)


def champion(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """The newest champion decision of each ticker."""
    newest = "SELECT * FROM champion QUALIFY row_number() OVER (PARTITION BY ticker ORDER BY decided_at DESC) = 1"
    return _rows(reader, f"({newest})", "ticker", ticker=ticker)


def champion_history(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """Every champion decision, by ticker, the newest first."""
    return _rows(reader, "champion", "ticker, decided_at DESC", ticker=ticker)


def latest_forecasts(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """The newest forecast of every model, the champion's first."""
    return _rows(reader, "latest_forecasts", "ticker, is_champion DESC, model", ticker=ticker)


def track_record(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """What each model said last, live, about each session, with its newest score; by target session."""
    return _rows(reader, "track_record", "ticker, target_session, model", ticker=ticker)


def live_performance(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """The view `live_performance`: rolling live skill and coverage of each model, by target session."""
    return _rows(reader, "live_performance", "ticker, model, target_session", ticker=ticker)


def calibration(reader: Reader, ticker: str | None = None) -> pd.DataFrame:
    """Coverage of each interval beside its level, by ticker, scheme, role, model and level."""
    return _rows(reader, "calibration", "ticker, scheme, role, model, level", ticker=ticker)


def pooled_evaluation(reader: Reader) -> pd.DataFrame:
    """Each model over all tickers at once, by scheme and role, the highest skill first."""
    return _rows(reader, "pooled_evaluation", "scheme, role, skill DESC, model")


def discoveries(reader: Reader, *, scheme: str | None = None, role: str | None = None) -> pd.DataFrame:
    """The tickers on which a model beats the random walk, after the correction for having tested all of them."""
    return _rows(
        reader, "discoveries", "scheme, role, ticker, adjusted_p, model", scheme=scheme, role=role, is_discovery=True
    )


def forecasts(reader: Reader, ticker: str | None = None, model: str | None = None) -> pd.DataFrame:
    """The forecast log, by ticker, model and as-of session."""
    return _rows(reader, "forecasts", "ticker, model, as_of_session, created_at", ticker=ticker, model=model)


def _rows(reader: Reader, source: str, order: str, /, **where: object) -> pd.DataFrame:
    """Filters that are None are left out; their values are parameters."""
    given = {name: value for name, value in where.items() if value is not None}
    conditions = [f'"{name}" {"= ?" if _is_one(v) else "IN (SELECT unnest(?))"}' for name, v in given.items()]
    text = f"FROM {source}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
    text += f" ORDER BY {order}" if order else ""
    return reader.frame(text, [value if _is_one(value) else list(as_values(value)) for value in given.values()])


def _is_one(value: object) -> bool:
    return isinstance(value, str) or not isinstance(value, Collection)


def newest_sessions(reader: Reader) -> pd.DataFrame:
    """Each ticker that has bars, with calendar, source, status and the session of its newest bar, by ticker."""
    return reader.frame(
        "SELECT ticker, calendar, tickers.source, status, max(session) AS newest_session "
        "FROM tickers JOIN prices USING (ticker) GROUP BY ALL ORDER BY ticker",
        [],
    )


def trained_tickers(reader: Reader) -> pd.DataFrame:
    """Tickers that have stored models, in order."""
    return reader.frame("SELECT DISTINCT ticker FROM models ORDER BY ticker", [])


def retraining_facts(reader: Reader, tickers: Sequence[str], *, n_checks: int) -> pd.DataFrame:
    """What a retraining is decided by, one row for each of `tickers` that is in the universe, in order.

    Returns:
        Columns ticker, calendar, model (the champion), trained_through, session (newest), action and cause (of the
        latest decision), since_cause (sessions since it was trained again for drift or live errors), and lists in time
        order: drifted (share of the features, of the newest `n_checks` sessions checked), live and reference
        (standardised errors of the champion's live forecasts and of its holdout rows). Null where there is nothing.
    """
    return reader.frame(
        """
        WITH asked AS (SELECT ticker, calendar FROM tickers WHERE ticker IN (SELECT unnest($1))),
        champions AS (SELECT ticker, arg_max(model, decided_at) AS model FROM champion SEMI JOIN asked USING (ticker)
            GROUP BY ticker),
        fits AS (SELECT ticker, max(train_end) AS trained_through FROM models SEMI JOIN asked USING (ticker)
            WHERE kind = 'final' GROUP BY ticker),
        newest AS (SELECT ticker, max(session) AS session FROM features SEMI JOIN asked USING (ticker) GROUP BY ticker),
        decided AS (SELECT ticker, arg_max(action, decided_at) AS action, arg_max(cause, decided_at) AS cause,
            max(session) FILTER (action = 'retrain' AND cause IN ('drift', 'live_error')) AS retrained
            FROM retraining SEMI JOIN asked USING (ticker) GROUP BY ticker),
        since AS (SELECT ticker, count(*) FILTER (features.session > retrained) AS since_cause
            FROM features JOIN decided USING (ticker) WHERE retrained IS NOT NULL GROUP BY ticker),
        checks AS (SELECT ticker, current_end, avg(drifted::INT) AS share FROM drift SEMI JOIN asked USING (ticker)
            GROUP BY ticker, current_end, checked_at
            QUALIFY row_number() OVER (PARTITION BY ticker, current_end ORDER BY checked_at DESC) = 1),
        checked AS (SELECT ticker, list_reverse(list(share ORDER BY current_end DESC)[:$2]) AS drifted
            FROM checks GROUP BY ticker),
        actuals AS (SELECT forecast_id, arg_max(actual, scored_at) AS actual
            FROM forecast_scores SEMI JOIN champions USING (ticker, model) GROUP BY forecast_id),
        said AS (SELECT ticker, target_session, arg_max(ln(actual / predicted) / volatility, created_at) AS error
            FROM forecasts SEMI JOIN champions USING (ticker, model) JOIN actuals USING (forecast_id)
            WHERE is_live GROUP BY ticker, target_session),
        live AS (SELECT ticker, list(error ORDER BY target_session) AS live FROM said GROUP BY ticker),
        scored AS (SELECT ticker, list((actual_log_return - predicted_log_return) / volatility ORDER BY session)
            AS reference FROM predictions SEMI JOIN champions USING (ticker, model)
            WHERE scheme = 'holdout' AND actual_log_return IS NOT NULL GROUP BY ticker)
        SELECT * EXCLUDE (retrained) FROM asked
        LEFT JOIN champions USING (ticker) LEFT JOIN fits USING (ticker) LEFT JOIN newest USING (ticker)
        LEFT JOIN decided USING (ticker) LEFT JOIN since USING (ticker) LEFT JOIN checked USING (ticker)
        LEFT JOIN live USING (ticker) LEFT JOIN scored USING (ticker) ORDER BY ticker
        """,
        [list(tickers), n_checks],
    )


def freshness(reader: Reader, ticker: str) -> pd.DataFrame:
    """How far each stage of one ticker has come, in the pipeline's order.

    Returns:
        Columns stage, newest (the newest session that it has; null: none) and expected (what it has if it has kept up
        with prices; null for prices, and for scores while no forecast can be scored).
    """
    return reader.frame(
        """
        WITH bars AS (SELECT max(session) AS newest FROM prices WHERE ticker = $1)
        SELECT 'prices' AS stage, newest, NULL::DATE AS expected FROM bars
        UNION ALL SELECT 'features', (SELECT max(session) FROM features WHERE ticker = $1), newest FROM bars
        UNION ALL SELECT 'predictions', (SELECT max(session) FROM predictions WHERE ticker = $1), newest FROM bars
        UNION ALL SELECT 'forecasts', (SELECT max(as_of_session) FROM forecasts WHERE ticker = $1), newest FROM bars
        UNION ALL SELECT 'scores', (SELECT max(target_session) FROM forecast_scores WHERE ticker = $1),
            (SELECT max(target_session) FROM forecasts WHERE ticker = $1 AND target_session <= bars.newest) FROM bars
        UNION ALL SELECT 'drift', (SELECT max(current_end) FROM drift WHERE ticker = $1), newest FROM bars
        """,
        [ticker],
    )


def announcements(reader: Reader, ticker: str, limit: int = 20) -> pd.DataFrame:
    """What the desk told about one ticker, or about no single one: the newest first, `limit` at most."""
    return reader.frame(
        "SELECT * FROM announcements WHERE ticker = ? OR ticker IS NULL "
        "ORDER BY announced_at DESC, announcement_id LIMIT ?",
        [ticker, limit],
    )


def documented_columns(reader: Reader) -> pd.DataFrame:
    """Every column of every table and view, with what the published database says about both; in their order."""
    return reader.frame(
        "SELECT table_name, relations.comment AS table_meaning, column_name, data_type, columns.comment AS meaning "
        "FROM duckdb_columns() columns JOIN ("
        "SELECT database_name, schema_name, table_name, comment FROM duckdb_tables() UNION ALL "
        "SELECT database_name, schema_name, view_name, comment FROM duckdb_views()"
        ") relations USING (database_name, schema_name, table_name) "
        "WHERE database_name = current_database() AND schema_name = 'main' "
        "ORDER BY table_name, column_index",
        [],
    )
