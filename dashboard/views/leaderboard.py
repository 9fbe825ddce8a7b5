"""Is any model better than the random walk? Scores with their uncertainty, and the champions of all tickers."""

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewable

from dashboard import words
from dashboard.charts.base import describe, pane
from dashboard.charts.leaderboard import Forest
from dashboard.parts import Text, card, download, side_by_side
from dashboard.selection import Selection
from dashboard.store import Snapshot
from dashboard.tables import Column, Grid
from dashboard.theme import BENCHMARK, model_colours
from dashboard.views._base import Context, NothingToShow, View, for_ticker
from dashboard.views.forecast import benchmark_first
from storage import queries

_TRAIN = "`stock-assets run` brings bars, trains and scores"
# What scores are computed over, the most telling first, and what it is called.
_ROWS = {
    ("walk_forward", "test"): "walk-forward test",
    ("holdout", "test"): "holdout test",
    ("live", "live"): "live",
    ("holdout", "validation"): "holdout validation",
}
_IN_THE_SET_ABOVE = 0.1  # the Model Confidence Set of 90 %
_NAMED = 12

_SCORES = (
    Column("model", "model"),
    Column("champion", "champion", help="the model that is trusted: the random walk, until one has beaten it"),
    Column("skill_vs_naive", "skill", "signed_percent"),
    Column("skill_lower", "from", "signed_percent"),
    Column("skill_upper", "to", "signed_percent"),
    Column("verdict", "better than the random walk?", help="the one-sided Clark–West test at 5 %, in words"),
    Column("in_set", "may be the best?", help="whether it is in the Model Confidence Set of 90 %"),
    Column("rmse", "RMSE", "number"),
    Column("mae", "MAE", "number"),
    Column("mape", "MAPE", "percent"),
    Column("mase", "MASE", "number"),
    Column("crps", "CRPS", "number"),
    Column("directional_accuracy", "right signs", "percent"),
    Column("std_ratio", "spread ratio", "number"),
    Column("clark_west_p", "Clark–West p", "p_value"),
    Column("dm_hln_p", "Diebold–Mariano p", "p_value"),
    Column("pesaran_timmermann_p", "signs p", "p_value"),
    Column("coverage_90", "inside 90 %", "percent"),
    Column("width_90", "width of 90 %", "number"),
    Column("n", "sessions", "count"),
    Column("run", "MLflow run", "link", help="the run that tracked the model's newest fit"),
)
_POOLED = (
    Column("model", "model"),
    Column("skill", "skill", "signed_percent"),
    Column("clark_west_p", "pooled p", "p_value"),
    Column("n_discoveries", "discoveries", "count"),
    Column("n_tickers", "tickers", "count"),
    Column("n_sessions", "sessions", "count"),
)
_CHAMPIONS = (
    Column("ticker", "ticker"),
    Column("champion", "champion", help="the model that is trusted"),
    Column("since", "decided", help="date of the newest decision"),
    Column("p_value", "p", "p_value"),
    Column("n", "rows", "count"),
    Column("reason", "why"),
)


class Leaderboard(View):
    """The page *Leaderboard*."""

    name = "leaderboard"
    label = "Leaderboard"
    icon = "leaderboard"
    order = 3
    question = "Is any model better than the random walk for {ticker}?"
    terms = (
        *("Skill", "Interval of skill", "Minimum detectable skill", "Clark–West", "Diebold–Mariano"),
        *("Model Confidence Set", "Champion", "Spread ratio", "CRPS", "MASE", "Pooled Clark–West"),
        "Benjamini–Hochberg",
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sentence = Text(kind="lead")
        self.reason = Text(kind="small")
        self.rows = pmui.Select(label="Scored on", size="small", width=210)
        self.forest = Forest()
        self.noise = Text(kind="small")
        self.table = Grid(_SCORES, filters=True)
        self.pooled = Grid(_POOLED)
        self.found = Text(kind="small")
        self.champions = Grid(_CHAMPIONS, page_size=10, filters=True)
        self._now: tuple[Snapshot, Selection] | None = None
        self.rows.param.watch(self._choose_rows, "value")

    def layout(self) -> Viewable:
        """The answer, the forest of skills, the table, and all tickers."""
        save = download("leaderboard", lambda: self.table.layout.value)
        save_champions = download("champions", lambda: self.champions.layout.value)
        return pn.Column(
            self.sentence,
            self.reason,
            card("Skill over the random walk, with its 95 % interval", self.rows, pane(self.forest.figure), self.noise),
            card("Every model beside the random walk", save, self.table.layout),
            side_by_side(
                (6, card("All tickers together", self.pooled.layout, self.found)),
                (6, card("The champion of every ticker", save_champions, self.champions.layout)),
            ),
            sizing_mode="stretch_width",
        )

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show the scores of the ticker over the chosen rows, or over the most telling ones that it has."""
        self._now = None  # what changes below is no choice
        scores = for_ticker(shown, queries.leaderboard, selection.ticker, _TRAIN)
        kinds = set(zip(scores["scheme"], scores["role"], strict=True))
        options = {title: kind for kind, title in _ROWS.items() if kind in kinds}
        if not options:
            raise NothingToShow(f"{selection.ticker} has no scores on unseen sessions yet", cure=_TRAIN)
        kept = self.rows.value if self.rows.value in kinds else next(iter(options.values()))
        self.rows.param.update(options=options, value=kept)
        self._show(shown, selection, scores)
        self._now = (shown, selection)

    def _choose_rows(self, _: Any) -> None:
        if self._now is not None:
            self.update(*self._now)

    def _show(self, shown: Snapshot, selection: Selection, scores: pd.DataFrame) -> None:
        scheme, role = self.rows.value
        chosen = scores[(scores["scheme"] == scheme) & (scores["role"] == role)]
        champions = shown.get(queries.champion)
        decided = champions[champions["ticker"] == selection.ticker]
        champion = decided["model"].iloc[0] if len(decided) else BENCHMARK
        runs = _runs(shown.get(queries.models, selection.ticker), self.context.settings.mlflow_ui)
        rows = _rows(benchmark_first(chosen), champion, runs)
        self.sentence.say(_answer(rows, champion, selection.ticker, _ROWS[scheme, role]))
        self.reason.say(decided["reason"].iloc[0] if len(decided) else "")
        self.table.show(rows)
        self._draw(rows, selection.ticker, model_colours(shown.get(queries.model_names)["model"]))
        self._show_all_tickers(shown, champions, scheme, role)

    def _draw(self, rows: pd.DataFrame, ticker: str, colours: dict[str, str]) -> None:
        self.forest.show(rows, colours)
        self.noise.say(_noise(rows))
        spoken = "; ".join(
            f"{row.model} {_signed(row.skill_vs_naive)}, {_signed(row.skill_lower)} to {_signed(row.skill_upper)}"
            for row in rows.itertuples()
            if row.model != BENCHMARK
        )
        describe(self.forest.figure, f"Skill of {ticker}'s models over the random walk, with 95 % intervals: {spoken}")

    def _show_all_tickers(self, shown: Snapshot, champions: pd.DataFrame, scheme: str, role: str) -> None:
        pooled = shown.get(queries.pooled_evaluation)
        self.pooled.show(benchmark_first(pooled[(pooled["scheme"] == scheme) & (pooled["role"] == role)]))
        self.found.say(_discovered(shown.get(queries.discoveries, scheme=scheme, role=role)))
        since = champions["decided_at"].dt.strftime("%Y-%m-%d")
        self.champions.show(champions.assign(champion=champions["model"], since=since))


def _signed(fraction: Any) -> str:
    return words.percent(fraction, 2, signed=True)


def _runs(models: pd.DataFrame, mlflow_ui: str) -> dict[str, str]:
    """Model → where the run of its newest tracked fit is seen. MLflow finds a run's experiment by itself."""
    tracked = models[models["mlflow_run_id"].notna()].sort_values("fitted_at").drop_duplicates("model", keep="last")
    return {str(row.model): f"{mlflow_ui}/#/runs/{row.mlflow_run_id}" for row in tracked.itertuples()}


def _rows(scores: pd.DataFrame, champion: str, runs: dict[str, str]) -> pd.DataFrame:
    return scores.assign(
        verdict=list(map(words.verdict, scores["model"], scores["clark_west_p"], scores["std_ratio"])),
        champion=["champion" if model == champion else "" for model in scores["model"]],
        in_set=[
            words.MISSING if words.is_missing(p) else "yes" if p > _IN_THE_SET_ABOVE else "no" for p in scores["mcs_p"]
        ],
        run=[runs.get(model, "") for model in scores["model"]],
    )


def _answer(rows: pd.DataFrame, champion: str, ticker: str, over: str) -> str:
    """The answer to the page's question in a sentence or two."""
    tested = rows[rows["model"] != BENCHMARK]
    passing = tested.loc[tested["verdict"].str.startswith("better"), "model"].tolist()
    n = int(rows["n"].max())
    decided = (
        f"Not shown: the random walk stays the champion of {ticker}."
        if champion == BENCHMARK
        else f"Yes: {champion} has beaten it for {ticker} by the rule."
    )
    if not passing:
        return f"{decided} On {n:,} {over} sessions, none of {len(tested)} models passes the Clark–West test at 5 %."
    luck = words.percent(min(1.0, 0.05 * len(tested)), 0)
    verb = "pass" if len(passing) > 1 else "passes"
    return (
        f"{decided} On {n:,} {over} sessions, {' and '.join(passing)} {verb} the Clark–West test "
        f"taken alone; luck alone would let one or more of {len(tested)} models do so on up to {luck} of tickers."
    )


def _noise(rows: pd.DataFrame) -> str:
    detectable = rows["minimum_detectable_skill"].max()
    if words.is_missing(detectable):
        return "Dashed: the random walk."
    return (
        f"Dashed: the random walk. Shaded: less than {words.percent(detectable, 2)} either way, the least skill that "
        "so many sessions would show four times out of five; a score in there is mostly noise."
    )


def _discovered(discoveries: pd.DataFrame) -> str:
    if discoveries.empty:
        return (
            "Discoveries: none. No model beats the random walk on any ticker once all tickers that were tested count."
        )
    pairs = [f"{row.ticker} ({row.model})" for row in discoveries.head(_NAMED).itertuples()]
    more = f" and {len(discoveries) - _NAMED} more" if len(discoveries) > _NAMED else ""
    return f"Discoveries at 5 % false ones: {', '.join(pairs)}{more}."
