"""Queries to begin with on the page *SQL*, by what they tell; each is run by a test."""

EXAMPLES: dict[str, str] = {
    "The newest forecast of every model": """SELECT ticker, model, is_champion, as_of_session, target_session,
       naive AS last_close, predicted, lower_90, upper_90
FROM latest_forecasts
ORDER BY ticker, is_champion DESC, model""",
    "Does any model beat the random walk?": """SELECT ticker, model, n, rmse, rmse_random_walk,
       skill_vs_naive, skill_lower, skill_upper, clark_west_p
FROM leaderboard
WHERE role = 'test'
ORDER BY ticker, skill_vs_naive DESC""",
    "Do 90 % intervals hold 90 % of closes?": """SELECT ticker, model, count(*) AS n,
       avg((actual BETWEEN lower_90 AND upper_90)::INT) AS coverage_90,
       avg(upper_90 - lower_90) AS mean_width
FROM predictions
WHERE role = 'test'
GROUP BY ALL
ORDER BY ticker, abs(coverage_90 - 0.9)""",
    "What was said and what happened": """SELECT target_session, ticker, model, predicted, actual, error, inside_90
FROM track_record
ORDER BY target_session DESC, ticker, model
LIMIT 100""",
    "The ten largest moves of each ticker": """WITH moves AS (
    SELECT ticker, session, close,
           adj_close / lag(adj_close) OVER (PARTITION BY ticker ORDER BY session) - 1 AS change
    FROM prices
)
FROM moves
QUALIFY row_number() OVER (PARTITION BY ticker ORDER BY abs(change) DESC NULLS LAST) <= 10
ORDER BY ticker, abs(change) DESC""",
    "Return and volatility by month": """WITH daily AS (
    SELECT ticker, session,
           ln(adj_close / lag(adj_close) OVER (PARTITION BY ticker ORDER BY session)) AS log_return
    FROM prices
)
SELECT ticker, date_trunc('month', session)::DATE AS month, count(*) AS sessions,
       exp(sum(log_return)) - 1 AS change, stddev(log_return) * sqrt(252) AS yearly_volatility
FROM daily
GROUP BY ALL
ORDER BY ticker, month DESC""",
    "Every champion decision and its reason": """SELECT ticker, decided_at, model, reason
FROM champion
ORDER BY ticker, decided_at DESC""",
    "What the tables and their columns mean": """SELECT table_name, column_name, data_type, comment
FROM duckdb_columns()
WHERE schema_name = 'main' AND database_name = current_database()
ORDER BY table_name, column_index""",
}
