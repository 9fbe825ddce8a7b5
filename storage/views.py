"""Every published view: what people ask first.

What belongs here: SQL over the tables, one view an entry. What does not: queries that take values (`queries.py`).
"""

from storage.schema import View

VIEWS: tuple[View, ...] = (
    View(
        "leaderboard",
        "Each model's newest scores per ticker, best RMSE first, the random walk's beside them.",
        """
        SELECT ticker, scheme, role, model, n, rmse, rmse_random_walk, mae, mae_random_walk, mape, mase, skill_vs_naive,
               skill_lower, skill_upper, minimum_detectable_skill, directional_accuracy, std_ratio, clark_west_p,
               dm_hln_p, mcs_p, crps, coverage_90, width_90
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
