"""Where will this stock close next session? The champion, all models, and the random walk beside them."""

from typing import Any

import pandas as pd
import panel as pn
from panel.viewable import Viewable

from dashboard import words
from dashboard.charts.base import describe, pane
from dashboard.charts.forecast import Candles, Intervals
from dashboard.parts import Text, card, side_by_side
from dashboard.selection import Control, Selection
from dashboard.store import Snapshot
from dashboard.tables import Column, Grid
from dashboard.theme import BENCHMARK
from dashboard.views._base import Context, View, for_ticker
from storage import queries

_SESSIONS = 45
_TRAIN = "`stock-assets run` brings bars, trains and forecasts"

_COLUMNS = (
    Column("model", "model"),
    Column("predicted", "close", "price"),
    Column("change", "change", "signed_percent"),
    Column("lower_90", "90 % from", "price"),
    Column("upper_90", "to", "price"),
    Column("skill_vs_naive", "skill", "signed_percent"),
    Column("verdict", "better than the random walk?"),
)


class Forecast(View):
    """The page *Forecast*."""

    name = "forecast"
    label = "Forecast"
    icon = "show_chart"
    order = 1
    question = "Where will {ticker} close next session?"
    controls = (Control.TICKER, Control.DATES)
    terms = ("Champion", "Random walk", "Prediction interval", "Skill", "Clark–West")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sentence = Text(kind="lead")
        self.reason = Text(kind="small")
        self.candles = Candles()
        self.intervals = Intervals()
        self.table = Grid(_COLUMNS)

    def layout(self) -> Viewable:
        """The sentence, the charts side by side, and the table."""
        return pn.Column(
            self.sentence,
            self.reason,
            side_by_side(
                (8, card("Bars and the next session", pane(self.candles.figure))),
                (4, card("Every model", pane(self.intervals.figure))),
            ),
            card("Every model beside the random walk", self.table.layout),
            sizing_mode="stretch_width",
        )

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show the newest forecasts of the ticker."""
        ticker = selection.ticker
        forecasts = benchmark_first(for_ticker(shown, queries.latest_forecasts, ticker, _TRAIN))
        bars = shown.get(queries.prices, ticker, start=selection.start, end=selection.end)
        if selection.start is None:
            bars = bars.tail(_SESSIONS)
        champion = next(forecasts.sort_values("is_champion", ascending=False, kind="stable").itertuples())
        currency = shown.get(queries.tickers).set_index("ticker")["currency"].get(ticker)
        self.sentence.say(words.forecast_sentence(ticker, champion, currency))
        decided = shown.get(queries.champion, ticker)
        self.reason.say(decided["reason"].iloc[0] if len(decided) else "")
        self._draw(bars, champion, forecasts, ticker)
        self.table.show(_rows(forecasts, shown.get(queries.leaderboard, ticker)))

    def _draw(self, bars: pd.DataFrame, champion: Any, forecasts: pd.DataFrame, ticker: str) -> None:
        reaches_forecast = len(bars) > 0 and bars["session"].iloc[-1] == champion.as_of_session
        if len(bars):
            self.candles.show(bars, champion if reaches_forecast else None)
        describe(self.candles.figure, f"Candlesticks of {ticker}, {len(bars)} sessions. {self.sentence.text}")
        self.intervals.show(forecasts)
        spoken = "; ".join(f"{row.model} {row.predicted:.2f}" for row in forecasts.itertuples())
        describe(self.intervals.figure, f"Forecasts of {ticker} for {champion.target_session:%Y-%m-%d}: {spoken}")


def benchmark_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with the random walk's first; the others keep their order."""
    return frame.sort_values("model", key=lambda model: model != BENCHMARK, kind="stable")


def _rows(forecasts: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Forecasts with each model's skill on its newest unseen rows: walk-forward where there is a backtest."""
    unseen = scores[scores["role"] == "test"].sort_values("scheme", ascending=False).drop_duplicates("model")
    rows = forecasts.merge(unseen[["model", "skill_vs_naive", "clark_west_p", "std_ratio"]], on="model", how="left")
    verdicts = list(map(words.verdict, rows["model"], rows["clark_west_p"], rows["std_ratio"]))
    return rows.assign(change=rows["predicted"] / rows["naive"] - 1, verdict=verdicts)
