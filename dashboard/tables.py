"""Grids of numbers: right-aligned, with their digits, the random walk on top, each column explained by its contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import panel as pn
from bokeh.models.widgets.tables import CellFormatter, HTMLTemplateFormatter

from dashboard.theme import BENCHMARK
from storage.tables import TABLES
from storage.views import VIEWS

# How a kind of value is written, in JavaScript: the grid sorts by the number, not by its text.
_TEXTS = {
    "price": "value.toLocaleString('en-US', {minimumFractionDigits: 2, maximumFractionDigits: 2})",
    "number": "Number(value.toPrecision(4)).toString()",
    "count": "value.toLocaleString('en-US')",
    "percent": "(100 * value).toFixed(1) + ' %'",
    "signed_percent": "(value >= 0 ? '+' : '−') + Math.abs(100 * value).toFixed(2) + ' %'",
    "p_value": "value < 0.001 ? '< 0.001' : value.toFixed(3)",
}
_WORDS = ("text", "link")
_SEARCH = {"type": "input", "func": "like", "placeholder": "search"}
# The pinned row stands below the headings, not beside them, on the page's own ground.
_PINNED = """
.tabulator .tabulator-header .tabulator-frozen-rows-holder { display: block !important; }
.tabulator .tabulator-frozen-rows-holder .tabulator-row {
  background: transparent !important; color: inherit; font-weight: normal;
}
"""


@dataclass(frozen=True)
class Column:
    """One column of a grid.

    Attributes:
        name: column of the frame; its meaning in the contracts is the tooltip of the heading.
        kind: text; link, whose values are addresses of ours; or how its numbers are written: price, number, count,
            percent, signed_percent, p_value.
        help: the tooltip, where the contracts have no such column.
    """

    name: str
    title: str
    kind: str = "text"
    help: str = ""


class Grid:
    """A grid that people sort and filter. `show` changes its rows; the widget stays the same."""

    def __init__(self, columns: Sequence[Column], *, page_size: int | None = None, filters: bool = False) -> None:
        """Build it, without rows; with `filters`, texts can be searched below their headings."""
        self.columns = columns
        texts = [column.name for column in columns if column.kind == "text"]
        self.layout = pn.widgets.Tabulator(
            pd.DataFrame(columns=[column.name for column in columns]),
            titles={column.name: column.title for column in columns},
            formatters={column.name: _formatter(column.kind) for column in columns},
            text_align={column.name: "left" if column.kind in _WORDS else "right" for column in columns},
            header_filters=dict.fromkeys(texts, _SEARCH) if filters else {},
            header_tooltips={column.name: column.help or meaning(column.name) for column in columns},
            pagination="local" if page_size else None,
            **({"page_size": page_size} if page_size else {}),
            disabled=True,
            selectable=False,
            show_index=False,
            layout="fit_data_stretch",
            stylesheets=[_PINNED],
            sizing_mode="stretch_width",
        )

    def show(self, frame: pd.DataFrame) -> None:
        """Show these rows in this order; a random walk whose one row is first stays there, however they are sorted."""
        rows = frame[[column.name for column in self.columns]].reset_index(drop=True)
        benchmarks = rows.index[rows["model"] == BENCHMARK].tolist() if "model" in rows else []
        self.layout.value = rows
        self.layout.frozen_rows = [0] if benchmarks == [0] else []


def meaning(column: str) -> str:
    """What the contracts say about a column, wherever it stands first; empty where they do not know it."""
    known = (*(c for table in TABLES.values() for c in table.columns), *(c for view in VIEWS for c in view.computed))
    return next((f"{c.meaning}{f' [{c.unit}]' if c.unit else ''}" for c in known if c.name == column), "")


def _formatter(kind: str) -> CellFormatter | dict[str, Any]:
    if kind == "text":
        return HTMLTemplateFormatter(template="<%- value ?? '—' %>")  # <%- escapes
    if kind == "link":
        link = "<a href='<%- value %>' target='_blank' rel='noopener'>open</a>"
        return HTMLTemplateFormatter(template=f"<% if (value) {{ %>{link}<% }} else {{ %>—<% }} %>")
    written = f"(value === null || value === undefined || Number.isNaN(value)) ? '—' : {_TEXTS[kind]}"
    return HTMLTemplateFormatter(template=f"<%= {written} %>")
