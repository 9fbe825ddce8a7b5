"""Is everything still as it was? Inputs, retraining, audit, how far each stage has come, and what was told."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import panel as pn
from panel.viewable import Viewable

from dashboard import run_list
from dashboard.charts.base import describe, pane
from dashboard.charts.health import DriftBars, DriftShare
from dashboard.parts import Feed, Notice, Text, card, link, side_by_side
from dashboard.selection import Control, Selection
from dashboard.store import Snapshot
from dashboard.tables import Column, Grid
from dashboard.views import _health_words as health_words
from dashboard.views._base import Context, View
from dashboard.watch import Seen, Watch, watch_for
from storage import queries

_SESSIONS = 60
_DECISIONS = 5
_PAGE_SIZE = 10
_TICK_MS = 1000
_STAGES = (
    Column("stage", "stage", help="what the pipeline makes, in its order"),
    Column("newest", "newest session", help="the newest session that it has"),
    Column("expected", "expected", help="what it has if it has kept up with prices"),
    Column("state", "state", help="in words"),
)
_AUDIT = (
    Column("passed", "result"),
    Column("subject", "subject"),
    Column("name", "looked at"),
    Column("kind", "kind"),
    Column("message", "in words"),
)


class Health(View):
    """The page *Drift & health*."""

    name = "health"
    label = "Drift & health"
    icon = "monitor_heart"
    order = 5
    question = "Is everything still as it was for {ticker}?"
    controls = (Control.TICKER,)
    terms = (
        *("Drift", "Wasserstein distance", "Persistence", "Cool-down", "Live error", "Restated history"),
        *("Leak", "Proof", "Flag"),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.answer = Text(kind="lead")
        self.states = {name: Notice() for name in ("inputs", "stages", "audit", "pipeline")}
        self.bars, self.share = DriftBars(), DriftShare(health_words.SHARE)
        self.no_drift, self.no_audit = Notice(), Notice()
        self.report = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 0))
        self.retraining = Feed("No decision yet: it is made after each check of the inputs, while the daemon runs.")
        self.news = Feed("Nothing was announced. Failures, new champions, retraining and missing bars would be.")
        self.stages = Grid(_STAGES)
        self.audit = Grid(_AUDIT, page_size=_PAGE_SIZE)
        self._watch: Watch | None = None if context.store.is_file else watch_for(context.settings)
        self._seen: Seen | None = None
        self._universe = pd.DataFrame({"run_id": []})
        self.runs, self.no_runs = Feed("No run is over yet."), Notice()
        self.runs_link = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 0))

    def layout(self) -> Viewable:
        """The answer and its four parts, then each part in full."""
        charts = side_by_side((7, pane(self.bars.figure)), (5, pane(self.share.figure)))
        return pn.Column(
            self.answer,
            side_by_side(*((3, pn.Column(state, sizing_mode="stretch_width")) for state in self.states.values())),
            card("Inputs: how far each has moved, and the share that has drifted", self.no_drift, charts, self.report),
            side_by_side(
                (6, card("How far each stage has come", self.stages.layout)),
                (6, card("Training again", self.retraining)),
            ),
            card("Leak audit", self.no_audit, self.audit.layout),
            side_by_side(
                (6, card("Announcements", self.news)),
                (6, card("Newest runs that are over, of all tickers", self.no_runs, self.runs, self.runs_link)),
            ),
            sizing_mode="stretch_width",
        )

    def start(self) -> None:
        """Follow Dagster while the page is open."""
        if self._watch is None:
            self.no_runs.say("info", "This dashboard shows one published file.", "Runs are seen where its home is.")
            return
        self.no_runs.say("info", "Asking Dagster…")
        self.runs_link.object = f'<p style="font-size:0.9rem">{link("All runs", self.context.settings.dagster_ui)}</p>'
        pn.state.add_periodic_callback(self.tick, period=_TICK_MS)

    def tick(self) -> None:
        """Show runs that have ended since. Waits for nothing: Dagster is asked in the background."""
        seen = self._watch.latest() if self._watch is not None else None
        if seen is not None and seen is not self._seen:
            self._seen = seen
            self.show_runs(seen)

    def show_runs(self, seen: Seen) -> None:
        """Show what was seen of Dagster; why nothing was, in place of the list."""
        if seen.problem is None:
            self.no_runs.hide()
            self.runs.show(health_words.runs(run_list.with_failures(seen.ended, self._universe)))
        else:
            self.no_runs.tell("warning", seen.problem)

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show what is known of the ticker; a table without rows is a card that says what fills it."""
        ticker = selection.ticker
        self._universe = universe = shown.get(queries.tickers)
        drift = shown.get(queries.relation, "drift", ticker=ticker)
        audit = shown.get(queries.relation, "audit", ticker=ticker)
        check = health_words.newest_check(drift)
        own: Any = next(universe[universe["ticker"] == ticker].itertuples())
        fresh = shown.get(queries.freshness, ticker)
        stages = health_words.freshness_rows(fresh, own.source, datetime.now(UTC).date())
        states = {
            "inputs": health_words.inputs_state(check),
            "stages": health_words.freshness_state(stages),
            "audit": health_words.audit_state(audit),
            "pipeline": health_words.ticker_state(own),
        }
        for name, state in states.items():
            self.states[name].say(state.severity, state.what, state.cure)
        self.answer.say(health_words.answer(list(states.values())))
        self.stages.show(stages)
        self._show_drift(ticker, check, health_words.shares(drift).tail(_SESSIONS))
        self._show_audit(audit)
        retraining = shown.get(queries.relation, "retraining", ticker=ticker)
        self.retraining.show(health_words.decisions(retraining)[:_DECISIONS])
        self.news.show(health_words.news(shown.get(queries.announcements, ticker)))
        if self._seen is not None:
            self.show_runs(self._seen)

    def _show_drift(self, ticker: str, check: pd.DataFrame, shares: "pd.Series[float]") -> None:
        to_reports = link("Evidently’s reports", self.context.settings.evidently_ui)
        # Projects have random identities in Evidently, which are not published: the link leads to their list.
        self.report.object = (
            f'<p style="font-size:0.9rem">{to_reports}: the project named like the ticker has those of '
            "the newest sessions at which it had drifted; of a pinned ticker, of all.</p>"
        )
        self.bars.figure.visible = self.share.figure.visible = not check.empty
        if check.empty:
            self.no_drift.say(
                "info",
                f"The inputs of {ticker} have not been checked yet.",
                "`stock-assets run` checks them where there are 290 sessions.",
            )
            return
        self.no_drift.hide()
        self.bars.show(check)
        self.share.show(shares)
        furthest = check.sort_values("ratio", ascending=False).head(3).itertuples()
        spoken = ", ".join(f"{row.feature} {row.ratio:.2f}" for row in furthest)
        describe(
            self.bars.figure,
            f"Distance of {len(check)} inputs of {ticker} from their reference, in thresholds; "
            f"{int(check['drifted'].sum())} are above 1. Furthest: {spoken}.",
        )
        describe(
            self.share.figure,
            f"Share of drifted inputs of {ticker} in {len(shares)} sessions checked, the newest {shares.iloc[-1]:.0%}. "
            f"A session counts as drifted from {health_words.SHARE:.0%}.",
        )

    def _show_audit(self, audit: pd.DataFrame) -> None:
        self.audit.layout.visible = not audit.empty
        if audit.empty:
            self.no_audit.say("info", "No audit yet.", "`stock-assets audit` looks for leaks.")
            return
        self.no_audit.hide()
        self.audit.show(health_words.audit_rows(audit))
