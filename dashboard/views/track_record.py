"""How have the forecasts of this stock done? Every live forecast against what happened, and whether intervals held."""

import pandas as pd
import panel as pn
from panel.viewable import Viewable

from dashboard import words
from dashboard.charts.base import Key, describe, pane
from dashboard.charts.track_record import Calibration, Rolling, Track
from dashboard.parts import Notice, Text, card, download
from dashboard.selection import Control, Selection
from dashboard.store import Snapshot
from dashboard.tables import Column, Grid
from dashboard.theme import model_colours
from dashboard.views._base import Context, NothingToShow, View, for_ticker
from storage import queries

_SESSIONS = 250
_TRAIN = "`stock-assets run` brings bars, trains and forecasts"
# What calibration is shown of, the best evidence first, and what it is called.
_EVIDENCE = {
    ("live", "live"): "Live forecasts.",
    (
        "walk_forward",
        "test",
    ): "Not live yet: sessions of the walk-forward backtest, none seen by the fit that predicts it.",
    ("holdout", "test"): "Not live yet: the holdout's test sessions, which no fit had seen.",
}

_FORECASTS = (
    Column("target_session", "session"),
    Column("model", "model"),
    Column("predicted", "forecast", "price"),
    Column("actual", "close", "price"),
    Column("error", "error", "price"),
    Column("naive", "random walk", "price"),
    Column("lower_90", "90 % from", "price"),
    Column("upper_90", "to", "price"),
    Column("inside", "inside?", help="whether the close lies in the 90 % interval"),
    Column("champion", "champion?", help="whether this model was the champion when it said so"),
)
_INTERVALS = (
    Column("model", "model"),
    Column("level", "promised", "count"),
    Column("coverage", "kept", "percent"),
    Column("coverage_lower", "from", "percent"),
    Column("coverage_upper", "to", "percent"),
    Column("kupiec_p", "Kupiec", "p_value"),
    Column("christoffersen_p", "Christoffersen", "p_value"),
    Column("n", "sessions", "count"),
)


class TrackRecord(View):
    """The page *Track record*."""

    name = "track_record"
    label = "Track record"
    icon = "fact_check"
    order = 2
    question = "How have the forecasts of {ticker} done?"
    controls = (Control.TICKER, Control.MODELS, Control.DATES)
    terms = ("Live", "Skill", "Coverage", "Prediction interval", "Wilson interval", "Kupiec", "Christoffersen")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sentence = Text(kind="lead")
        self.waiting = Notice()
        self.track = Track()
        self.skill = Rolling("skill_vs_naive", 0.0)
        self.coverage = Rolling("coverage_90", 0.9)
        self.live_keys = (Key(), Key())
        self.key = Key()
        self.evidence = Text(kind="small")
        self.calibration = Calibration()
        self.intervals = Grid(_INTERVALS, page_size=12, filters=True)
        self.table = Grid(_FORECASTS, page_size=20, filters=True)
        self.live = pn.Column(
            card("Forecasts and what happened", pane(self.track.figure)),
            card("Skill over the newest 60 sessions; the random walk is 0", self.live_keys[0], pane(self.skill.figure)),
            card("Share of closes inside 90 % over the same sessions", self.live_keys[1], pane(self.coverage.figure)),
            card(
                "Every live forecast, the newest first",
                download("track_record", lambda: self.table.layout.value),
                self.table.layout,
            ),
            sizing_mode="stretch_width",
        )

    def layout(self) -> Viewable:
        """The sentence, what is live or what will bring it, and the promises of intervals."""
        return pn.Column(
            self.sentence,
            self.waiting,
            self.live,
            card(
                "Do intervals keep their promise?",
                self.evidence,
                self.key,
                pane(self.calibration.figure),
                download("calibration", lambda: self.intervals.layout.value),
                self.intervals.layout,
            ),
            sizing_mode="stretch_width",
        )

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show the live forecasts of the ticker, and the calibration of the best evidence there is."""
        colours = model_colours(shown.get(queries.model_names)["model"])
        calibration = for_ticker(shown, queries.calibration, selection.ticker, _TRAIN)
        self._show_live(shown, selection, colours)
        self._show_calibration(_of_models(calibration, selection), selection.ticker, colours)

    def _show_live(self, shown: Snapshot, selection: Selection, colours: dict[str, str]) -> None:
        record = _chosen(shown.get(queries.track_record, selection.ticker), selection)
        scored = record["actual"].notna().any()
        self.live.visible = bool(scored)
        if not scored:
            self.sentence.say(f"No live forecast of {selection.ticker} has met its session's close in what is shown.")
            self.waiting.say("info", *_what_brings_it(shown.get(queries.forecasts, selection.ticker), record))
            return
        self.waiting.hide()
        model = _leading(record, selection)
        told = record[record["model"] == model]
        self.sentence.say(_sentence(told, model, selection.ticker))
        self.track.show(told)
        describe(
            self.track.figure,
            f"Closes of {selection.ticker} with forecasts and intervals of {model}. {self.sentence.text}",
        )
        performance = _chosen(shown.get(queries.live_performance, selection.ticker), selection)
        shown_as = zip((self.skill, self.coverage), ("skill_vs_naive", "coverage_90"), self.live_keys, strict=True)
        for chart, what, key in shown_as:
            key.show(sorted(performance["model"].unique()), colours)
            chart.show(performance, colours)
            describe(chart.figure, _spoken(performance, what))
        self.table.show(_rows(record))

    def _show_calibration(self, calibration: pd.DataFrame, ticker: str, colours: dict[str, str]) -> None:
        kinds = calibration.groupby(["scheme", "role"]).groups
        kind = next((kind for kind in _EVIDENCE if kind in kinds), None)
        if kind is None:
            raise NothingToShow(f"{ticker} has no intervals scored on unseen sessions yet", cure=_TRAIN)
        rows = calibration[(calibration["scheme"] == kind[0]) & (calibration["role"] == kind[1])]
        self.evidence.say(
            f"{_EVIDENCE[kind]} Whiskers are 95 % Wilson intervals: one that crosses the line is consistent with it."
        )
        self.key.show(sorted(rows["model"].unique()), colours)
        self.calibration.show(rows, colours)
        at_90 = rows[rows["level"] == 90]
        spoken = "; ".join(f"{row.model} {words.percent(row.coverage)}" for row in at_90.itertuples())
        describe(self.calibration.figure, f"Calibration of {ticker}. {_EVIDENCE[kind]} Closes inside 90 %: {spoken}")
        self.intervals.show(rows)


def _of_models(rows: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Rows of the chosen models, or all; `NothingToShow` where the chosen models have none."""
    kept = rows[rows["model"].isin(selection.models)] if selection.models else rows
    if kept.empty and not rows.empty:
        raise NothingToShow(f"there is nothing of {', '.join(selection.models)}", cure="choose other models above")
    return kept


def _chosen(rows: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Rows of the chosen models and sessions; without a choice, of all models and the newest sessions."""
    rows = rows[rows["model"].isin(selection.models)] if selection.models else rows
    sessions = rows["target_session"].dt.date
    if selection.start is None and selection.end is None:
        newest = sorted(sessions.unique())[-_SESSIONS:]
        return rows[sessions >= newest[0]] if newest else rows
    start, end = selection.start or sessions.min(), selection.end or sessions.max()
    kept: pd.DataFrame = rows[(sessions >= start) & (sessions <= end)]
    return kept


def _leading(record: pd.DataFrame, selection: Selection) -> str:
    """The model whose intervals are drawn: the first one chosen, or the newest champion."""
    known = set(record.loc[record["actual"].notna(), "model"])
    champions = record.loc[record["is_champion"] & record["model"].isin(known), "model"].tolist()[::-1]
    candidates: list[str] = [*selection.models, *champions, *sorted(known)]
    return next(model for model in candidates if model in known)


def _sentence(told: pd.DataFrame, model: str, ticker: str) -> str:
    scored = told[told["actual"].notna()]
    n, inside = len(scored), int(scored["inside_90"].astype(bool).sum())
    kept = f"{inside} of {n} closes ({words.percent(inside / n)}) fell inside its 90 % interval"
    rmse, naive = (scored["error"] ** 2).mean() ** 0.5, ((scored["naive"] - scored["actual"]) ** 2).mean() ** 0.5
    subject = f"Live forecasts of {words.name(model)} for {ticker}"
    if rmse == naive:
        return f"{subject}: {kept}."
    skill = words.percent(1 - rmse / naive, 2, signed=True) if naive else words.MISSING
    return f"{subject}: {kept}; its skill over the random walk is {skill}."


def _what_brings_it(forecasts: pd.DataFrame, record: pd.DataFrame) -> tuple[str, str]:
    """What is missing for a track record, and what brings it."""
    if len(record):
        session = record["target_session"].max()
        return (
            f"The forecasts for {session:%Y-%m-%d} wait for its close.",
            "`stock-assets forecast` fetches it and scores them; while `stock-assets up` runs, that happens by itself.",
        )
    if len(forecasts) and (forecasts["source"] == "sample").all():
        return (
            "Forecasts from sample data are not live: what they forecast happened long ago.",
            "`stock-assets run --ticker NAME` with a ticker of Yahoo makes the first live one; `stock-assets forecast` "
            "scores it after its session.",
        )
    return (
        "No forecast was made before its session opened, for these models and sessions.",
        "`stock-assets forecast` makes one of the next session; while `stock-assets up` runs, that happens by itself.",
    )


def _rows(record: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table, the newest session first."""
    newest_first = record.sort_values(["target_session", "model"], ascending=[False, True])
    inside = newest_first["inside_90"].astype(object).map({True: "yes", False: "no"}).fillna(words.MISSING)
    return newest_first.assign(
        target_session=newest_first["target_session"].dt.strftime("%Y-%m-%d"),
        inside=inside,
        champion=["champion" if is_it else "" for is_it in newest_first["is_champion"]],
    )


def _spoken(performance: pd.DataFrame, column: str) -> str:
    newest = performance.drop_duplicates("model", keep="last")
    values = "; ".join(f"{row['model']} {words.percent(row[column], 2)}" for _, row in newest.iterrows())
    what = "Skill over the random walk" if column == "skill_vs_naive" else "Share of closes inside 90 %"
    return f"{what}, over the newest 60 scored sessions: {values}"
