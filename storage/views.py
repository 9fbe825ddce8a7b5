"""Every published view, SQL over the tables: what people ask first. Queries that take values are in `queries.py`."""

from storage.schema import View, count, date, flag, number, text
from storage.tables import LEVELS

VIEWS: tuple[View, ...] = (
    View(
        "leaderboard",
        "Each model's newest scores per ticker, best RMSE first, the random walk's beside them.",
        """
        SELECT ticker, scheme, role, model, n, rmse, rmse_random_walk, mae, mae_random_walk, mape, mase, skill_vs_naive,
               skill_lower, skill_upper, minimum_detectable_skill, directional_accuracy, std_ratio, clark_west_p,
               dm_hln_p, dm_hln_abs_p, pesaran_timmermann_p, mcs_p, crps, coverage_90, width_90
        FROM evaluation ORDER BY ticker, scheme, role, rmse, model
        """,
    ),
    View(
        "discoveries",
        "Which tickers a model beats the random walk on, at a false discovery rate of 5 % over all tickers.",
        """
        WITH tested AS (
            SELECT *, row_number() OVER (family ORDER BY coalesce(clark_west_p, 1), ticker) AS rank,
                   count(*) OVER family AS n_tickers
            FROM evaluation WHERE model <> 'random_walk'
            WINDOW family AS (PARTITION BY scheme, role, model)
        ), adjusted AS (
            SELECT *, least(1, min(coalesce(clark_west_p, 1) * n_tickers / rank) OVER (
                PARTITION BY scheme, role, model ORDER BY rank ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            )) AS adjusted_p
            FROM tested
        )
        SELECT scheme, role, model, ticker, n, skill_vs_naive, clark_west_p, adjusted_p,
               adjusted_p < 0.05 AS is_discovery, n_tickers
        FROM adjusted ORDER BY scheme, role, model, adjusted_p, clark_west_p, ticker
        """,
        (
            number("adjusted_p", "clark_west_p adjusted over all tickers by Benjamini-Hochberg; no answer counts as 1"),
            flag("is_discovery", "whether adjusted_p is below 5 %"),
            count("n_tickers", "tickers on which the model was tested"),
        ),
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
    View(
        "live_performance",
        "How each model has done live over its newest 60 scored sessions, as of each session: the random walk is 0.",
        """
        SELECT ticker, model, target_session, count(*) OVER newest AS n,
               1 - sqrt(avg(error ** 2) OVER newest / nullif(avg((naive - actual) ** 2) OVER newest, 0))
                   AS skill_vs_naive,
               avg(inside_50::INT) OVER newest AS coverage_50, avg(inside_80::INT) OVER newest AS coverage_80,
               avg(inside_90::INT) OVER newest AS coverage_90, avg(inside_95::INT) OVER newest AS coverage_95
        FROM track_record WHERE actual IS NOT NULL
        WINDOW newest AS (PARTITION BY ticker, model ORDER BY target_session ROWS BETWEEN 59 PRECEDING AND CURRENT ROW)
        ORDER BY ticker, model, target_session
        """,
        (
            text("ticker", "symbol as Yahoo spells it"),
            text("model", "model name; random_walk is the benchmark"),
            date("target_session", "newest of the sessions looked at"),
            count("n", "sessions looked at, 60 at most"),
            number("skill_vs_naive", "1 - RMSE / RMSE of the random walk; above 0 is better; null if that is 0"),
            *(
                number(f"coverage_{level}", f"share of closes inside the {level} % interval", "fraction")
                for level in LEVELS
            ),
        ),
    ),
)
