"""Which tickers are forecast, and how do they fare? Add or remove one; start an update or a training and watch it."""

from collections.abc import Callable, Set
from concurrent.futures import Future
from functools import partial

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewable

from dashboard import actions, words
from dashboard.parts import Confirm, Notice, card, side_by_side, ticker_field
from dashboard.pipeline import Job, Pipeline
from dashboard.pipeline_runs import Run
from dashboard.run_list import RunList, with_failures
from dashboard.selection import Selection
from dashboard.store import Snapshot
from dashboard.tables import Column, Grid
from dashboard.views._base import Context, View
from dashboard.watch import Seen, Watch, watch_for
from stock_assets.errors import StockAssetsError
from storage import queries

_TICK_MS = 500
_PAGE_SIZE = 12
SOURCES = {"Yahoo Finance": "yahoo", "Folder of CSV files": "csv", "Bundled sample": "sample"}
_STATUS = {"ok": "✓ ok", "failed": "✗ failed", "added": "… added", "fetched": "… fetched"}
_READ_ONLY = (
    "This dashboard shows one published file.",
    "Tickers are changed and runs are started where its home is: `stock-assets up` opens that page.",
)
_TRAINING = (
    "Train every model of {ticker} again? That takes minutes, more with long histories. The stored models "
    "forecast meanwhile, and finished fits are kept if you stop it."
)
_REMOVAL = "Remove {ticker} from the universe? It is not updated any more. Its bars, models and forecasts stay."

_COLUMNS = (
    Column("ticker", "ticker"),
    Column("status", "status"),
    Column("source", "source"),
    Column("calendar", "exchange"),
    Column("newest", "newest session", help="the session of its newest bar"),
    Column("updated", "changed", help="when its status was written, UTC"),
    Column("reason", "why it failed", help="the asset that failed, why, and what to do about it"),
)


class Universe(View):
    """The page *Universe*."""

    name = "universe"
    label = "Universe"
    icon = "list_alt"
    order = 7
    question = "Which tickers are forecast, and how do they fare?"
    controls = ()
    needs_data = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._watch: Watch | None = None if context.store.is_file else watch_for(context.settings)
        self._seen: Seen | None = None
        self._work: Future[str] | None = None
        self._trained: frozenset[str] = frozenset()
        self._with_bars: frozenset[str] = frozenset()
        self._universe = pd.DataFrame({"run_id": []})
        self._markets: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self.state, self.answer, self.why = Notice(), Notice(), Notice()
        self.table = Grid(_COLUMNS, page_size=_PAGE_SIZE)
        self.runs = RunList(self._stop)
        self.confirm = Confirm()
        self.ticker = ticker_field(sizing_mode="stretch_width")
        self.refresh_now = pmui.Button(label="Refresh now", icon="refresh", variant="contained")
        self.retrain = pmui.Button(label="Retrain", icon="model_training", variant="outlined")
        self.remove = pmui.Button(label="Remove", icon="delete_outline", variant="text", color="error")
        self.typed = pmui.TextInput(
            label="Ticker", placeholder="AAPL, BRK-B, ^GSPC", size="small", sizing_mode="stretch_width"
        )
        default = {f"Default ({context.settings.source})": ""}
        self.source = pmui.Select(
            label="Bars from", options=default | SOURCES, value="", size="small", sizing_mode="stretch_width"
        )
        self.add = pmui.Button(label="Add", icon="add", variant="contained")
        self._connect()
        self._allow()

    def _connect(self) -> None:
        self.refresh_now.on_click(lambda _: self._launch("forecast", self._trained, self.ticker.value))
        self.retrain.on_click(lambda _: self._ask(_TRAINING, "Train", partial(self._launch, "train", self._with_bars)))
        self.remove.on_click(lambda _: self._ask(_REMOVAL, "Remove", self._remove))
        self.add.on_click(lambda _: self._add())
        self.typed.param.watch(lambda _: self._add(), "enter_pressed")
        self.ticker.param.watch(lambda _: self._chosen(), "value")

    def layout(self) -> Viewable:
        """What can be done beside the table, the runs below."""
        table = card("Tickers", self.table.layout)
        if self._watch is None:
            self.state.say("info", *_READ_ONLY)
            return pn.Column(self.state, table, sizing_mode="stretch_width")
        one = card(
            "One ticker",
            self.ticker,
            pn.FlexBox(self.refresh_now, self.retrain, self.remove, gap="8px"),
            self.confirm,
            self.why,
        )
        new = card("Add a ticker", self.typed, self.source, self.add)
        beside = pn.Column(one, new, sizing_mode="stretch_width", margin=0)
        return pn.Column(
            self.state,
            self.answer,
            side_by_side((8, table), (4, beside)),
            card("Runs", self.runs),
            sizing_mode="stretch_width",
        )

    def start(self) -> None:
        """Follow Dagster while the page is open."""
        if self._watch is not None:
            pn.state.add_periodic_callback(self.tick, period=_TICK_MS)

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show the universe as it is published."""
        self._universe = universe = shown.get(queries.tickers)
        newest = shown.get(queries.newest_sessions)
        self._trained = frozenset(shown.get(queries.trained_tickers)["ticker"])
        self._with_bars = frozenset(newest["ticker"])
        fetched = universe.dropna(subset=["calendar"])
        self._markets = dict(zip(fetched["ticker"], fetched["calendar"], strict=True))
        self._reasons = _reasons(universe)
        self.table.layout.pagination = "local" if len(universe) > _PAGE_SIZE else None
        self.table.show(rows(universe, newest))
        known = universe["ticker"].tolist()
        wanted = self.ticker.value or selection.ticker
        self.ticker.options = known
        self.ticker.value = wanted if wanted in known else next(iter(known), None)
        self._chosen()
        self._show_runs()

    def tick(self) -> None:
        """Show what has become of the runs and of what was asked for. Waits for nothing."""
        if self._watch is None:
            return
        seen = self._watch.latest()
        if seen is not None and seen is not self._seen:
            was_busy = self._seen is not None and bool(self._seen.under_way)
            self._seen = seen
            self._tell(seen)
            if was_busy and not seen.under_way:
                self.answer.hide()  # what it announced is over: the list of runs says how
            self._show_runs()
        if self._work is not None and self._work.done():
            self._finish(self._work)
            self._work = None
        self._allow()

    def _show_runs(self) -> None:
        if self._seen is not None:
            self.runs.show(with_failures([*self._seen.under_way, *self._seen.ended], self._universe))

    def _tell(self, seen: Seen) -> None:
        if seen.problem is not None:
            self.state.tell("warning", seen.problem)
        elif seen.sleeping:
            asleep = " and ".join(seen.sleeping)
            self.state.say("warning", f"Dagster's daemon is not running, so {asleep} wait.", "Start `stock-assets up`.")
        else:
            self.state.hide()

    def _finish(self, work: "Future[str]") -> None:
        try:
            self.answer.say("success", work.result())
        except StockAssetsError as error:
            self.answer.tell("error", error)

    def _allow(self) -> None:
        """Enable what can be done now."""
        is_free = self._work is None
        is_up = self._seen is not None and self._seen.problem is None
        ticker, runs = self.ticker.value, self._seen.under_way if self._seen is not None else ()
        is_busy = any(run.is_about(ticker, self._markets.get(ticker)) for run in runs)
        for button in (self.refresh_now, self.retrain, self.remove):
            button.disabled = not (is_free and is_up and ticker) or is_busy
        self.add.disabled = not is_free

    def _chosen(self) -> None:
        self.confirm.hide()
        reason = self._reasons.get(self.ticker.value)
        if reason:
            self.why.say("error", f"{self.ticker.value} failed.", reason)
        else:
            self.why.hide()
        self._allow()

    def _ask(self, question: str, verb: str, act: Callable[[str], None]) -> None:
        self.confirm.ask(question.format(ticker=self.ticker.value), verb, partial(act, self.ticker.value))

    def _launch(self, job: Job, able: Set[str], ticker: str) -> None:
        """Start a job for a ticker that is able to have it; for another one, everything."""
        chosen: Job = job if ticker in able else "lineage"
        self._begin(partial(actions.launch, self.context.settings, job=chosen, ticker=ticker))

    def _remove(self, ticker: str) -> None:
        self._begin(partial(actions.remove, self.context.settings, ticker=ticker))

    def _add(self) -> None:
        typed, source = self.typed.value_input, self.source.value
        self._begin(lambda _: actions.add(self.context.settings, typed, source))

    def _stop(self, run: Run) -> None:
        self._begin(partial(actions.stop, run_id=run.run_id))

    def _begin(self, act: Callable[[Pipeline], str]) -> None:
        if self._watch is not None and self._work is None:
            self.answer.hide()
            self._work = self._watch.start(act)
            self._allow()


def rows(universe: pd.DataFrame, newest: pd.DataFrame) -> pd.DataFrame:
    """The table: rows of `tickers` with each one's newest session (`queries.newest_sessions`), times as text."""
    sessions, reasons = newest.set_index("ticker")["newest_session"], _reasons(universe)
    return universe.assign(
        status=universe["status"].map(lambda status: _STATUS.get(status, status)),
        newest=universe["ticker"].map(sessions).map(lambda at: f"{at:%Y-%m-%d}", na_action="ignore"),
        updated=universe["updated_at"].map(lambda at: f"{at:%Y-%m-%d %H:%M}"),
        reason=pd.Series([reasons.get(ticker) for ticker in universe["ticker"]], index=universe.index, dtype=object),
    )


def _reasons(universe: pd.DataFrame) -> dict[str, str]:
    """Failed ticker → what failed, why, and what to do."""
    failed = universe[universe["status"] == "failed"]
    return {str(row.ticker): words.failure(row) for row in failed.itertuples()}
