"""How would the models have done? What each said of sessions it had not seen, beside what happened."""

from typing import Any

import pandas as pd
import panel as pn
from panel.viewable import Viewable

from dashboard import words
from dashboard.charts.backtest import Closes, Errors, Gains, GroupedBars, Residuals
from dashboard.charts.base import Key, describe, pane
from dashboard.parts import Notice, Text, card
from dashboard.selection import Control, Selection
from dashboard.store import Snapshot
from dashboard.tables import Column, Grid
from dashboard.theme import BENCHMARK, model_colours
from dashboard.views import _backtest_rows as backtest_rows
from dashboard.views._base import Context, View
from storage import queries

_CLOSES = 60  # sessions of the chart of closes, where none were chosen
_LEVEL = 90
_SCHEMES = {
    "walk_forward": "the walk-forward backtest, refitted as time goes by",
    "holdout": "the holdout’s test rows; `stock-assets backtest` brings years of them",
}
_COLUMNS = (
    Column("model", "model"),
    Column("rmse", "RMSE", "price"),
    Column("skill_vs_naive", "skill", "signed_percent"),
    Column("directional_accuracy", "right signs", "percent"),
    Column("coverage_90", "inside 90 %", "percent"),
)


class Backtest(View):
    """The page *Backtest*."""

    name = "backtest"
    label = "Backtest"
    icon = "history"
    order = 4
    question = "How would {ticker}’s models have done?"
    controls = (Control.TICKER, Control.MODELS, Control.DATES)
    terms = (
        *("Walk-forward", "Fold", "Random walk", "Cumulative gain", "RMSE", "Skill", "Directional accuracy"),
        *("Coverage", "Calm"),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sentence = Text(kind="lead")
        self.rows_said = Text(kind="small")
        self.keys = [Key() for _ in range(4)]
        self.gains, self.closes, self.residuals, self.errors = Gains(), Closes(), Residuals(), Errors()
        self.folds, self.regimes = GroupedBars("skill"), GroupedBars("skill")
        self.coverage = GroupedBars("inside", base=_LEVEL / 100)
        self.no_folds, self.no_coverage = Notice(), Notice()
        self.table = Grid(_COLUMNS)

    def layout(self) -> Viewable:
        """The sentence, the race against the random walk, and then ever closer looks."""
        key = iter(self.keys)
        return pn.Column(
            self.sentence,
            self.rows_said,
            card("Ahead of the random walk, so far", next(key), pane(self.gains.figure)),
            card("Compared on the same sessions", self.table.layout),
            card("Predicted and what happened", next(key), pane(self.closes.figure)),
            card("Errors through time", next(key), pane(self.residuals.figure)),
            card("Errors by size, the random walk’s filled", pane(self.errors.figure)),
            card("Skill in each fold, by its first month", next(key), self.no_folds, pane(self.folds.figure)),
            card("Skill in the calm, middle and restless third of sessions", pane(self.regimes.figure)),
            card("Closes inside the 90 % interval, in such thirds", self.no_coverage, pane(self.coverage.figure)),
            sizing_mode="stretch_width",
        )

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show the tested rows of the ticker in the chosen sessions."""
        ticker = selection.ticker
        predictions = shown.get(queries.predictions, ticker, role="test")
        every = backtest_rows.tested_rows(predictions, ticker, selection.models)
        rows = backtest_rows.within(every, selection)
        comparison = backtest_rows.compare(rows)
        models = backtest_rows.choose(comparison, selection.models)
        colours = model_colours(shown.get(queries.model_names)["model"])
        self._say(ticker, comparison, rows, models, selection)
        for key in self.keys:
            key.show([*models, BENCHMARK], colours)
        drawn = [BENCHMARK, *models]
        rows = rows[rows["model"].isin(drawn)]
        self.table.show(comparison[comparison["model"].isin(drawn)])
        self._draw_time(ticker, rows, models, colours, selection)
        self._draw_errors(ticker, rows, models, colours)
        self._draw_folds(shown, rows, models, colours, selection)
        self._draw_regimes(shown, rows, models, colours, ticker)

    def _say(
        self, ticker: str, comparison: pd.DataFrame, rows: pd.DataFrame, models: list[str], selection: Selection
    ) -> None:
        first, last = rows["target_session"].min(), rows["target_session"].max()
        n = rows["target_session"].nunique()
        scheme = rows["scheme"].iloc[0]
        self.sentence.say(_verdict(ticker, comparison[comparison["model"].isin(models)], n))
        said = f"{n} sessions from {first:%Y-%m-%d} to {last:%Y-%m-%d}, of {_SCHEMES[scheme]}."
        if not selection.models:
            said += f" Shown: the {len(models)} of {len(comparison) - 1} models with the least error, in hindsight."
        missing = sorted(set(selection.models) - set(comparison["model"]))
        if missing:
            said += f" Not tested on them: {', '.join(missing)}."
        self.rows_said.say(said)

    def _draw_time(
        self, ticker: str, rows: pd.DataFrame, models: list[str], colours: dict[str, str], selection: Selection
    ) -> None:
        by_session = {m: rows[rows["model"] == m].set_index("target_session") for m in models}
        gains = {model: backtest_rows.cumulative_gain(own) for model, own in by_session.items()}
        self.gains.show(gains, colours)
        ends = "; ".join(f"{model} {gain.iloc[-1]:+.2f}" for model, gain in gains.items())
        describe(
            self.gains.figure,
            f"Squared error of the random walk less that of each model for {ticker}, summed session by session, "
            f"in squared per cent. At the end: {ends or 'no model'}.",
        )
        newest = rows["target_session"].drop_duplicates().nlargest(_CLOSES).min()
        near = rows if selection.start or selection.end else rows[rows["target_session"] >= newest]
        self.closes.show(near, colours)
        n, low, high = near["target_session"].nunique(), near["actual"].min(), near["actual"].max()
        describe(
            self.closes.figure,
            f"Predicted and actual closes of {ticker} in {n} sessions. The actual ones were between {low:.2f} "
            f"and {high:.2f}.",
        )

    def _draw_errors(self, ticker: str, rows: pd.DataFrame, models: list[str], colours: dict[str, str]) -> None:
        self.residuals.show(rows if not models else rows[rows["model"] != BENCHMARK], colours)
        self.errors.show(rows, models, colours)
        walk = rows.drop_duplicates("target_session")["walk_error"]
        spread = [f"{model} {rows.loc[rows['model'] == model, 'error'].std():.2f} %" for model in models]
        spoken = "; ".join([f"the random walk {walk.std():.2f} %", *spread])
        for drawn, what in ((self.residuals, "through time"), (self.errors, "by size")):
            describe(drawn.figure, f"Errors of {ticker} {what}. Standard deviations: {spoken}.")

    def _draw_folds(
        self, shown: Snapshot, rows: pd.DataFrame, models: list[str], colours: dict[str, str], selection: Selection
    ) -> None:
        ticker = selection.ticker
        folds = shown.get(queries.relation, "backtest_folds", ticker=ticker)
        folds = folds[folds["fold"].isin(rows["fold"]) & folds["model"].isin(models)]
        self.folds.figure.visible = len(folds) > 0
        if folds.empty:
            self.no_folds.say("info", f"No folds of {ticker} here.", "`stock-assets backtest` makes them.")
            return
        self.no_folds.hide()
        self.folds.show(backtest_rows.skill_by_fold(folds), models, colours)
        better = folds.groupby("model")["skill_vs_naive"].agg(lambda skill: int((skill > 0).sum()))
        n = folds["fold"].nunique()
        spoken = "; ".join(f"{model} in {better.get(model, 0)}" for model in models)
        describe(self.folds.figure, f"Skill of {ticker}’s models in {n} folds. Better than the random walk: {spoken}.")

    def _draw_regimes(
        self, shown: Snapshot, rows: pd.DataFrame, models: list[str], colours: dict[str, str], ticker: str
    ) -> None:
        skill = backtest_rows.skill_by_regime(rows)
        self.regimes.show(skill, models, colours)
        describe(self.regimes.figure, f"Skill by forecast volatility, {ticker}: {_spoken(skill, models, '+.2%')}.")
        calibration = shown.get(queries.relation, "calibration", ticker=ticker, level=_LEVEL, role="test")
        calibration = calibration[calibration["scheme"] == rows["scheme"].iloc[0]]
        self.coverage.figure.visible = len(calibration) > 0
        if calibration.empty:
            self.no_coverage.say("info", f"{ticker} has no coverage yet.", "`stock-assets run` measures it.")
            return
        self.no_coverage.hide()
        drawn = [*models, BENCHMARK]
        coverage = backtest_rows.coverage_by_regime(calibration)
        self.coverage.show(coverage, drawn, colours)
        describe(
            self.coverage.figure,
            f"Closes of {ticker} inside the 90 % interval, all tested sessions: {_spoken(coverage, drawn, '.0%')}.",
        )


def _verdict(ticker: str, scores: pd.DataFrame, n: int) -> str:
    """Who was nearest, in one sentence. Says nothing about luck: that is the leaderboard's."""
    if scores.empty:
        return f"The random walk over {n} sessions of {ticker}; choose models above to compare with it."
    best: Any = scores.sort_values("rmse").iloc[0]
    skill = words.percent(abs(best["skill_vs_naive"]), 2)
    if not best["skill_vs_naive"] > 0:
        return f"No model shown was nearer to {ticker}’s closes than “same as today” over {n} sessions."
    return (
        f"{best['model']} was nearest to {ticker}’s closes: its error is {skill} below that of “same as today” over "
        f"{n} sessions. Whether that is luck, the leaderboard tests."
    )


def _spoken(values: pd.DataFrame, models: list[str], how: str) -> str:
    shown = values[values["model"].isin(models)]
    return "; ".join(f"{row.model} {row.group} {row.value:{how}}" for row in shown.itertuples())
