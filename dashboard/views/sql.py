"""What else do the tables say? An editor over the published tables: examples, schema, rows, download."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewable

from dashboard.parts import Notice, Text, card, download, side_by_side
from dashboard.selection import Selection
from dashboard.sql_examples import EXAMPLES
from dashboard.sql_parts import Rows, Schema, SqlEditor, relations, shown_as
from dashboard.store import Snapshot
from dashboard.views._base import Context, View
from stock_assets.errors import StockAssetsError
from storage import queries
from storage.errors import QueryCancelled
from storage.sql import Limits, Query, warm_up

LIMITS = Limits(rows=10_000, size=16 * 2**20, seconds=30, memory=2**30)
# Threads only wait for the processes that work; more of them than run at once, so that nobody's page waits for one.
_WAITING = ThreadPoolExecutor(16, thread_name_prefix="sql")
# Longer ones stay out of the address: servers and mail programs cut it.
_ADDRESS_CHARACTERS = 4_000
_LIMITS_IN_WORDS = (
    "One SELECT in DuckDB's dialect. It reads the published tables and nothing else, for at most 30 seconds. "
    "The first 10,000 rows (16 MB) are shown."
)


class Sql(View):
    """The page *SQL*."""

    name = "sql"
    label = "SQL"
    icon = "terminal"
    order = 6
    question = "What else do the tables say?"
    controls = ()

    def __init__(self, context: Context) -> None:
        """Fill in the query of the address, or the first example; neither is run."""
        super().__init__(context)
        self.result: pd.DataFrame | None = None
        self._query: Query | None = None
        self.editor = SqlEditor(
            value=_asked() or next(iter(EXAMPLES.values())), sizing_mode="stretch_width", margin=(4, 0)
        )
        self.schema = Schema(sizing_mode="stretch_width", margin=(4, 0))
        self.examples = pmui.MenuButton(
            label="Examples", icon="lightbulb", items=[{"label": title} for title in EXAMPLES], variant="text", margin=0
        )
        self.run_button = _button("Run", icon="play_arrow", color="primary", variant="contained")
        self.cancel_button = _button("Cancel", icon="stop", color="error", visible=False)
        self.download = download("query", self.current)
        self.download.visible = False
        self.status, self.problem, self.rows = Text(kind="small"), Notice(), Rows()
        self.run_button.on_click(self.run)
        self.editor.param.watch(self.run, "asked")
        self.cancel_button.on_click(self.cancel)
        self.examples.on_click(self._take_example)

    def layout(self) -> Viewable:
        """The editor and the rows, and the schema beside them."""
        buttons = pn.FlexBox(
            self.run_button,
            self.cancel_button,
            self.download,
            self.examples,
            gap="10px",
            align_items="center",
            margin=(10, 0, 4, 0),
        )
        query = card("Query", self.editor, buttons, Text(_LIMITS_IN_WORDS, "small"))
        answer = card("Rows", self.status, self.problem, self.rows)
        return side_by_side(
            (8, pn.Column(query, answer, sizing_mode="stretch_width")), (4, card("Tables", self.schema))
        )

    def start(self) -> None:
        """Have a process ready for the first query; a query ends with its page."""
        warm_up()
        pn.state.on_session_destroyed(self.cancel)

    def update(self, shown: Snapshot, selection: Selection) -> None:
        """List the tables of the generation. What is typed, running or shown stays."""
        self.schema.relations = relations(shown.get(queries.documented_columns))
        if self.result is None and self._query is None:
            self.status.say("Nothing has been run yet: press Run, or Ctrl+Enter in the query.")

    async def run(self, *_: Any) -> None:
        """Run what is typed, while the page and all others go on; show its rows, or what is wrong with it."""
        if self._query is not None:
            return
        self._query = query = Query(self.editor.value, self.context.store.place, LIMITS)
        _remember(self.editor.value)
        self._show_running(True)
        self.problem.hide()
        self.status.say("Running …")
        began = time.monotonic()
        try:
            rows = await asyncio.get_running_loop().run_in_executor(_WAITING, self._ask, query)
        except QueryCancelled:
            self.status.say("Cancelled.")
        except StockAssetsError as error:
            self.status.say("")
            self.problem.tell("error", error)
        else:
            self.rows.show(rows)
            self.status.say(f"{_extent(self.result, LIMITS)} {time.monotonic() - began:.1f} s.")
        finally:
            self._query = None
            self._show_running(False)
            warm_up()

    def cancel(self, *_: Any) -> None:
        """Stop what runs, if anything does."""
        if self._query is not None:
            self._query.cancel()

    def current(self) -> pd.DataFrame:
        """The rows that were returned, all pages of them."""
        return pd.DataFrame() if self.result is None else self.result

    def _ask(self, query: Query) -> pd.DataFrame:
        self.result = query.run()
        return shown_as(self.result)

    def _take_example(self, chosen: dict[str, str]) -> None:
        self.editor.value = EXAMPLES[chosen["label"]]

    def _show_running(self, running: bool) -> None:
        self.run_button.disabled = running
        self.cancel_button.visible = running
        self.download.visible = not running and self.result is not None
        if running:
            self.result = None
            self.rows.hide()


def _button(label: str, **options: Any) -> pmui.Button:
    return pmui.Button(label=label, width=110, margin=0, **{"variant": "outlined", **options})


def _extent(frame: pd.DataFrame | None, limits: Limits) -> str:
    """How many rows there are, and whether that is all."""
    if frame is None:
        return ""
    n = f"{len(frame):,} row{'' if len(frame) == 1 else 's'}"
    if frame.attrs["truncated"] == "rows":
        return f"The first {n}; there are more."
    if frame.attrs["truncated"] == "bytes":
        return f"The first {n}, {(limits.size or 0) // 2**20} MB; there are more."
    return f"{n}."


def _asked() -> str:
    """The query of the address, if it has one."""
    given = pn.state.session_args.get("sql", [b""])
    return given[0].decode(errors="replace") if given else ""


def _remember(sql: str) -> None:
    """Put the query into the address, so that it can be shared."""
    if pn.state.location is not None:
        pn.state.location.update_query(sql=sql if len(sql) <= _ADDRESS_CHARACTERS else None)
