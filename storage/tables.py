"""Every table's contract, in one place: columns, types, units, key, who writes it, one line of meaning.

The lake, the published database, its comments and `docs/tables.md` all derive from this file.
"""

from dataclasses import replace

from stock_assets.forecasting.features import FEATURES
from storage.schema import Column, Table, count, date, flag, number, text, time

SCHEMA_VERSION = 3
LEVELS = (50, 80, 90, 95)

TICKER = text("ticker", "symbol as Yahoo spells it, for example AAPL, BRK-B, ^GSPC")
MODEL = text("model", "model name; random_walk is the benchmark")
SESSION = date("session", "trading date of the exchange")
PRICE = "ticker's currency"
SCHEME = text("scheme", "holdout, walk_forward or live")
ROLE = text("role", "validation, test or live")

BARS = (
    number("open", "first price of the session, split-adjusted", PRICE),
    number("high", "highest price of the session, split-adjusted", PRICE),
    number("low", "lowest price of the session, split-adjusted", PRICE),
    number("close", "last price of the session, split-adjusted", PRICE),
    number("adj_close", "close adjusted for splits and dividends as known at the fetch", PRICE),
    number("volume", "shares traded, split-adjusted", "shares"),
    number("dividends", "dividend with this ex-date; null where the source does not report it", PRICE, nullable=True),
    number("stock_splits", "split ratio effective this session, 0 if none; null where not reported", nullable=True),
    text("source", "where the bar came from: yahoo, sample or csv"),
)


def _or_null(*columns: Column) -> tuple[Column, ...]:
    return tuple(replace(column, nullable=True) for column in columns)


def _bounds() -> tuple[Column, ...]:
    return tuple(
        number(f"{side}_{level}", f"{side} end of the {level} % prediction interval of the close", PRICE)
        for level in LEVELS
        for side in ("lower", "upper")
    )


def _inside() -> tuple[Column, ...]:
    return tuple(flag(f"inside_{level}", f"whether actual lies in the {level} % interval") for level in LEVELS)


TICKERS = Table(
    "tickers",
    "The universe: one row per ticker with its health.",
    "raw_prices and every later asset; `stock-assets tickers`",
    ("ticker",),
    (
        TICKER,
        *_or_null(
            text("calendar", "exchange calendar, for example XNYS; null before the first fetch"),
            text("currency", "ISO currency of its prices; null before the first fetch"),
            text("source", "the one source its bars come from: yahoo, sample or csv; null before one is chosen"),
        ),
        text("status", "added (no bars yet), fetched, ok (has a forecast) or failed"),
        *_or_null(
            text("stage", "asset that failed, or job whose process ended; null unless failed"),
            text("reason", "why it failed; null unless failed"),
            text("cure", "what to do about it; null unless failed"),
            text("run_id", "Dagster run in which it failed; null unless failed"),
        ),
        time("updated_at", "when this row was written"),
    ),
    ("ticker",),
)

RAW_PRICES = Table(
    "raw_prices",
    "Every bar as it was fetched, for ever: what a model was trained on stays readable.",
    "raw_prices",
    ("ticker", "session", "fetched_at"),
    (
        *(TICKER, SESSION),
        time("fetched_at", "when the source was asked"),
        time("vintage", "fetched_at of the full history this bar belongs to or consistently extends"),
        *BARS,
    ),
)

PRICES = Table(
    "prices",
    "One vintage of bars per ticker: the latest consistent history.",
    "prices",
    ("ticker", "session"),
    (
        *(TICKER, SESSION),
        *BARS,
        flag("is_final", "fetched so long after the close (48 h) that no revision is expected"),
    ),
    ("ticker",),
)

FEATURES_TABLE = Table(
    "features",
    "What the models know at the close of each session, and the target they are asked for.",
    "features",
    ("ticker", "session"),
    (
        *(TICKER, SESSION),
        *(number(f.name, f.why, f.unit) for f in FEATURES),
        date("target_session", "the next session; null where it is not in prices yet", nullable=True),
        number("target_log_return", "natural log return of adj_close to target_session", nullable=True),
    ),
    ("ticker",),
)

SPLITS = Table(
    "splits",
    "Which role each session plays in each fold. Changes only when retraining is asked for.",
    "splits",
    ("ticker", "session", "fold"),
    (
        *(TICKER, SESSION),
        text("fold", "holdout; the folds of the walk-forward backtest are in backtest_folds"),
        text("role", "train, validation, test, purged (label touches the next role) or live (no label yet)"),
    ),
    ("ticker",),
)

MODELS = Table(
    "models",
    "Every fit: what it saw, with which code and settings.",
    "model/<name>",
    ("ticker", "model", "version"),
    (
        *(TICKER, MODEL),
        text("version", "content address of the fit: data, code, settings and seed"),
        text(
            "kind", "evaluated (fitted on train rows only, scored on the rest) or final (all labelled rows; forecasts)"
        ),
        date("train_start", "first session whose label was used"),
        date("train_end", "last session whose label was used"),
        count("n_train", "labelled rows used"),
        text("data_version", "hash of the rows it was fitted on"),
        text("code_version", "hash of the model's source files"),
        text("artifact_hash", "hash over the artifact's files, as in its manifest"),
        count("seed", "random seed"),
        text("target", "log_return, or price for the reference formulation (never promoted)"),
        text("hyper_parameters", "JSON object"),
        text("libraries", "JSON object: library → version"),
        time("fitted_at", "when the fit ended"),
        number("fit_seconds", "wall time of the fit", "s"),
        text("mlflow_run_id", "MLflow run that tracked the fit; null when not tracked", nullable=True),
        text("run_id", "Dagster run that made the fit; null where it was not written down", nullable=True),
    ),
    ("ticker", "model"),
)

PREDICTIONS = Table(
    "predictions",
    "One row per predicted session: prediction, intervals, what happened, and the random walk's answer.",
    "predictions/<name> (holdout, live), backtest/<name> (walk_forward)",
    ("ticker", "model", "fold", "target_session"),
    (
        *(TICKER, MODEL, SCHEME),
        text("fold", "holdout, wf_00 … or live"),
        date("target_session", "session whose close is predicted"),
        date("session", "as-of session: everything used was known at its close"),
        ROLE,
        number("predicted_log_return", "predicted natural log return of adj_close"),
        number("actual_log_return", "what it was; null until known", nullable=True),
        number("volatility", "forecast standard deviation of the next log return, which scales the intervals"),
        number("predicted", "predicted close, on the basis of the as-of session's close", PRICE),
        number("actual", "as-of close times the ratio of adjusted closes; null until known", PRICE, nullable=True),
        number("naive", "the random walk's answer: the as-of session's close", PRICE),
        *_bounds(),
        count("capped", "how many of the intervals were held at the cap on their adaptive width"),
        text("model_version", "version in models; of walk-forward rows, in backtest_folds"),
        count("bars_version", "hash of all bars up to the as-of session; null where not written down", nullable=True),
    ),
    ("ticker", "model", "scheme"),
)

EVALUATION = Table(
    "evaluation",
    "Scores per model and role, the random walk's on the same rows beside them.",
    "evaluation",
    ("ticker", "model", "scheme", "role"),
    (
        *(TICKER, MODEL, SCHEME, ROLE),
        text(
            "rows_version",
            "hash of the rows scored, of all models of the scheme and role; resampled figures are kept by it",
            nullable=True,
        ),
        count("n", "rows scored"),
        date("first_session", "first target session scored"),
        date("last_session", "last target session scored"),
        number("rmse", "root mean squared error of the close", PRICE),
        number("rmse_random_walk", "the random walk's RMSE on the same rows", PRICE),
        number("mae", "mean absolute error of the close", PRICE),
        number("mae_random_walk", "the random walk's MAE on the same rows", PRICE),
        number("mape", "mean absolute percentage error", "fraction"),
        *_or_null(
            number("mase", "MAE scaled by the random walk's MAE on training rows; null if that is 0"),
            number("skill_vs_naive", "1 - RMSE / RMSE of the random walk; above 0 is better; null if that is 0"),
            number(
                "directional_accuracy", "share of right signs, zeros left out; null for the random walk", "fraction"
            ),
            number(
                "std_ratio",
                "standard deviation of predicted over actual log returns: what it dares to say; null if that is 0",
            ),
            number("skill_lower", "lower end of the 95 % block-bootstrap interval of skill_vs_naive"),
            number("skill_upper", "upper end of the 95 % block-bootstrap interval of skill_vs_naive"),
            number(
                "minimum_detectable_skill",
                "least skill that Clark-West at 5 % would find in n rows four times out of five; null where none is",
            ),
            number("clark_west_p", "one-sided p-value that the model beats the random walk it nests"),
            number("dm_hln_p", "one-sided Diebold-Mariano (HLN) p-value that its squared error is lower"),
            number("dm_hln_abs_p", "the same for its absolute error"),
            number("pesaran_timmermann_p", "one-sided p-value that its signs are better than chance"),
            number(
                "directional_accuracy_lower", "exact one-sided 99 % lower bound of directional_accuracy", "fraction"
            ),
            number("up_share", "share of the rows with a sign that rose: what always-up scores", "fraction"),
            number("mcs_p", "Model Confidence Set p-value; a model above 0.1 may be the best"),
            number("crps", "continuous ranked probability score of the close, from the quantiles", PRICE),
        ),
        *(
            number(f"coverage_{level}", f"share of closes inside the {level} % interval", "fraction")
            for level in LEVELS
        ),
        number("width_90", "mean width of the 90 % interval", PRICE),
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
        time("decided_at", "when it was decided"),
        MODEL,
        flag("promoted", "whether a model beat the random walk by the rule"),
        text("reason", "a sentence a person can read"),
        number("p_value", "Holm-adjusted Clark-West p-value of the best candidate; null without one", nullable=True),
        count("n", "rows the decision rests on"),
        text("model_version", "the champion's final fit in models"),
        text("review", "month of the review that decided, as 2026-11; null before the first", nullable=True),
        flag(
            "rule_holds", "whether the champion passed the rule in that review; null for the random walk", nullable=True
        ),
        count("failed_reviews", "reviews in a row that the champion has failed"),
    ),
)

FORECASTS = Table(
    "forecasts",
    "The forecast log: append-only, never edited, scored later.",
    "forecasts",
    ("forecast_id",),
    (
        text("forecast_id", "hash of ticker, model, as-of session, data, fit, champion or not, and what it follows"),
        *(TICKER, MODEL),
        date("as_of_session", "last session whose bar was known"),
        date("target_session", "the exchange's next session"),
        time("created_at", "when it was written"),
        number("predicted", "predicted close", PRICE),
        number("naive", "the random walk's answer: the as-of close", PRICE),
        number("predicted_log_return", "predicted natural log return of adj_close"),
        number("volatility", "forecast standard deviation of the next log return"),
        *_bounds(),
        flag("is_champion", "whether this model was the champion then"),
        flag("is_live", "written before the target session opened, or an hour into it where the market never closes"),
        text("source", "where the bars came from; sample data is not a forecast of today's market"),
        text("model_version", "version in models"),
        text("data_version", "hash of the bars it was made from"),
        text("code_version", "hash of the model's source files"),
        text("run_id", "Dagster run that wrote it; null where that was not written down", nullable=True),
    ),
)

FORECAST_SCORES = Table(
    "forecast_scores",
    "What became of each forecast; a corrected bar appends a new score.",
    "forecast_scores",
    ("forecast_id", "scored_at"),
    (
        text("forecast_id", "which forecast"),
        time("scored_at", "when it was scored"),
        *(TICKER, MODEL),
        date("target_session", "session that was forecast"),
        number("actual", "as-of close times the ratio of adjusted closes of one vintage", PRICE),
        number("error", "predicted - actual", PRICE),
        *_inside(),
    ),
)

DRIFT = Table(
    "drift",
    "Whether an input's distribution has changed.",
    "drift",
    ("ticker", "feature", "checked_at"),
    (
        TICKER,
        text("feature", "column of features"),
        time("checked_at", "when it was checked"),
        text("method", "statistic used"),
        number("statistic", "its value"),
        number("threshold", "value above which drift is declared"),
        flag("drifted", "whether it was"),
        date("reference_start", "first session of the reference window"),
        date("reference_end", "last session of the reference window"),
        date("current_start", "first session of the current window"),
        date("current_end", "last session of the current window"),
    ),
    ("ticker",),
)

BACKTEST_FOLDS = Table(
    "backtest_folds",
    "The walk-forward backtest, fold by fold: what was fitted on what, how often, and how it did.",
    "backtest/<name>",
    ("ticker", "model", "fold"),
    (
        *(TICKER, MODEL),
        text("fold", "wf_00 …, in time order"),
        text("window", "expanding (from the first labelled session) or rolling (as many sessions as the first fold)"),
        count("step", "sessions predicted before the next fold begins"),
        count("refit_every", "folds that share one fit"),
        flag("refitted", "whether this fold was fitted anew; otherwise it uses the latest earlier fold's fit"),
        date("train_start", "first session whose label the fit used"),
        date("train_end", "last session whose label the fit used; the next one is purged"),
        count("n_train", "labelled rows the fit used"),
        date("test_start", "first as-of session predicted"),
        date("test_end", "last as-of session predicted"),
        count("n_test", "rows predicted whose outcome is known"),
        *_or_null(
            number("rmse", "root mean squared error of the close", PRICE),
            number("rmse_random_walk", "the random walk's RMSE on the same rows", PRICE),
            number("skill_vs_naive", "1 - RMSE / RMSE of the random walk; above 0 is better"),
        ),
        text("model_version", "content address of the fit"),
        text("data_version", "hash of the rows it was fitted on"),
        text("code_version", "hash of the model's source files"),
        count("seed", "random seed"),
        text("hyper_parameters", "JSON object"),
        time("fitted_at", "when the fit ended"),
        number("fit_seconds", "wall time of the fit", "s"),
    ),
    ("ticker", "model"),
)

TUNING_TRIALS = Table(
    "tuning_trials",
    "Every hyper-parameter setting a search tried, and what it scored on folds inside the training window.",
    "model/<name>, backtest/<name>",
    ("ticker", "model", "study", "trial"),
    (
        *(TICKER, MODEL),
        text("study", "content address of the search: training rows, code, search space and budget"),
        count("trial", "number of the trial; 0 is the default setting"),
        count("budget", "trials the search was allowed"),
        date("train_end", "last session whose label the search could see"),
        text("hyper_parameters", "JSON object of the settings tried"),
        number("loss", "mean squared error of log returns over the inner folds", nullable=True),
        flag("chosen", "whether this setting was used"),
        number("seconds", "wall time", "s"),
    ),
)

POOLED_EVALUATION = Table(
    "pooled_evaluation",
    "Each model over all tickers at once: a sum of small skills, with errors that days share.",
    "pooled_evaluation",
    ("scheme", "role", "model"),
    (
        *(SCHEME, ROLE, MODEL),
        count("n_tickers", "tickers"),
        count("n_sessions", "target sessions, each of which counts once in the variance"),
        count("n", "rows"),
        number("skill", "1 - RMSE / RMSE of the random walk, of log returns in units of their volatility forecast"),
        number("clark_west_t", "pooled Clark-West statistic, clustered by session", nullable=True),
        number("clark_west_p", "its one-sided p-value", nullable=True),
        count("n_discoveries", "tickers whose Clark-West p-value survives Benjamini-Hochberg at 5 %"),
        time("evaluated_at", "when"),
    ),
    ("scheme",),
)

VOLATILITY = Table(
    "volatility",
    "How well each method forecasts the size of the next log return, and what it says now.",
    "volatility",
    ("ticker", "method"),
    (
        TICKER,
        text("method", "how the variance of the next log return is forecast"),
        flag("is_used", "whether this one scales the intervals"),
        count("n", "sessions scored"),
        date("first_session", "first target session scored"),
        date("last_session", "last target session scored"),
        number("qlike", "mean QLIKE loss against the session's range-based variance; lower is better"),
        number("qlike_constant", "QLIKE of the variance of all earlier returns, on the same sessions"),
        number(
            "dm_p", "one-sided Diebold-Mariano (HLN) p-value that its QLIKE is lower than the constant's", nullable=True
        ),
        number("bias", "mean of squared return over forecast variance, less one: above 0 it says too little"),
        number("forecast", "forecast standard deviation of the next log return", nullable=True),
        date("as_of_session", "session at whose close that forecast was made"),
    ),
    ("ticker",),
)

CALIBRATION = Table(
    "calibration",
    "Whether the intervals keep their promise: coverage with its own uncertainty, width, and when they fail.",
    "calibration",
    ("ticker", "model", "scheme", "role", "level"),
    (
        *(TICKER, MODEL, SCHEME, ROLE),
        count("level", "nominal coverage [%]"),
        count("n", "rows scored"),
        number("coverage", "share of closes inside", "fraction"),
        number("coverage_lower", "lower end of its 95 % Wilson interval", "fraction"),
        number("coverage_upper", "upper end of its 95 % Wilson interval", "fraction"),
        number("kupiec_p", "p-value that coverage equals the level (Kupiec)", nullable=True),
        number("christoffersen_p", "p-value that misses do not cluster (Christoffersen, independence)", nullable=True),
        number("width", "mean width", PRICE),
        number("pinball", "mean pinball loss of both ends", PRICE),
        *_or_null(
            number("pinball_random_walk", "the same of the random walk with quantiles of all earlier returns", PRICE),
            number("coverage_calm", "coverage in the third of rows with the lowest forecast volatility", "fraction"),
            number("coverage_middle", "coverage in the middle third", "fraction"),
            number("coverage_restless", "coverage in the third with the highest", "fraction"),
        ),
        count("n_capped", "rows whose adaptive width was held at the cap"),
    ),
    ("ticker",),
)

PIT_HISTOGRAM = Table(
    "pit_histogram",
    "Where the closes fell among the forecast quantiles: flat is calibrated, a hump is too wide, a bowl too narrow.",
    "calibration",
    ("ticker", "model", "scheme", "role", "lower"),
    (
        *(TICKER, MODEL, SCHEME, ROLE),
        number("lower", "probability at the bin's lower edge"),
        number("upper", "probability at the bin's upper edge"),
        count("n", "closes in the bin"),
        number("share", "share of closes in the bin", "fraction"),
        number("expected", "share if calibrated: upper - lower", "fraction"),
    ),
    ("ticker",),
)

ECONOMICS = Table(
    "economics",
    "What trading on the forecasts would have earned after costs, beside buying and holding.",
    "economics",
    ("ticker", "model", "scheme"),
    (
        *(TICKER, MODEL, SCHEME),
        count("n", "sessions held or not"),
        date("first_session", "first session traded"),
        date("last_session", "last session traded"),
        number("cost_bp", "cost of one side of a trade", "basis points"),
        number("exposure", "share of sessions long", "fraction"),
        number("turnover", "sides traded per year"),
        number("gross_return", "mean yearly log return before costs", "per year"),
        number("net_return", "mean yearly log return after costs", "per year"),
        *_or_null(
            number("sharpe", "yearly Sharpe ratio after costs, over a zero rate; null without variation"),
            number("sharpe_se", "its standard error (Lo 2002; Mertens 2002)"),
            number(
                "deflated_sharpe",
                "probability that the true Sharpe ratio is above what the best of all models tried would show by luck",
                "fraction",
            ),
            number(
                "deflated_sharpe_over_holding",
                "the same of what it earned more than holding, session by session: a rising market is no skill",
                "fraction",
            ),
        ),
        number("max_drawdown", "largest fall from a peak, after costs", "fraction"),
        number("buy_and_hold_return", "mean yearly log return of holding over the same sessions", "per year"),
        number("buy_and_hold_sharpe", "its yearly Sharpe ratio; null without variation", nullable=True),
        number("buy_and_hold_max_drawdown", "its largest fall from a peak", "fraction"),
        flag("survives_costs", "whether it earned more than holding after costs and both deflated ratios exceed 0.95"),
        text("verdict", "the same in a sentence a person can read"),
    ),
    ("ticker",),
)

AUDIT = Table(
    "audit",
    "Whether anything could have seen the future. A raised flag blocks promotion until the audit has passed.",
    "audit",
    ("ticker", "subject", "name"),
    (
        TICKER,
        text("subject", "features, splits, or a model's name"),
        text("name", "what was looked at"),
        text("kind", "proof (must hold) or flag (too good to be believed without proof)"),
        flag("passed", "whether it held, or the flag stayed down"),
        number("statistic", "what was measured", nullable=True),
        number("limit", "what it may be at most", nullable=True),
        text("message", "a sentence a person can read"),
        text("model_version", "the fit that was looked at; null for features and splits", nullable=True),
        time("audited_at", "when"),
    ),
    ("ticker",),
)

RETRAINING = Table(
    "retraining",
    "When models were trained again on their own account, when not, and why.",
    "the sensor on drift",
    ("ticker", "decided_at"),
    (
        TICKER,
        time("decided_at", "when it was decided"),
        SESSION,
        text("action", "retrain, keep, or wait (cooling down since the last one)"),
        text("cause", "drift, live_error, age or none"),
        text("reason", "a sentence a person can read"),
    ),
)

ANNOUNCEMENTS = Table(
    "announcements",
    "What the desk told its people: failures, new champions, retraining, restated history, missing bars.",
    "the sensors",
    ("announcement_id",),
    (
        text("announcement_id", "hash of what it is about, so that nothing is announced twice"),
        time("announced_at", "when"),
        text("kind", "failure, champion, retraining, restated, stale or calendar"),
        text("ticker", "which ticker; null where it is about no single one", nullable=True),
        text("message", "a sentence a person can read; holds no secret"),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *(TICKERS, RAW_PRICES, PRICES, FEATURES_TABLE, SPLITS, MODELS, PREDICTIONS, BACKTEST_FOLDS, TUNING_TRIALS),
        *(EVALUATION, POOLED_EVALUATION, CALIBRATION, PIT_HISTOGRAM, VOLATILITY, ECONOMICS, AUDIT),
        *(CHAMPION, FORECASTS, FORECAST_SCORES, DRIFT, RETRAINING, ANNOUNCEMENTS),
    )
}
