"""The parts of the page *SQL*: the editor, the schema beside it, and the grid for whatever a query returns."""

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import panel as pn
import param
from bokeh.models.widgets.tables import HTMLTemplateFormatter
from panel.custom import JSComponent

from dashboard.parts import Part

_STATIC = Path(__file__).with_name("static")
_PAGE_ROWS = 20
# What a cell shows at most; the file that is downloaded has all of it.
_CELL_CHARACTERS = 1_000
_MISSING = "<span style='opacity:0.45'>—</span>"


class SqlEditor(JSComponent):
    """A text area with coloured SQL. `asked` counts how often Ctrl+Enter was pressed in it."""

    value = param.String(default="", doc="What is typed.")
    asked = param.Integer(default=0, doc="How often a run was asked for by keyboard.")

    _esm = _STATIC / "sql_editor.js"
    _stylesheets = [_STATIC / "sql_editor.css"]  # noqa: RUF012 (Panel's way of declaring it)

    def _handle_msg(self, data: Any) -> None:
        self.value = str(data["run"])
        self.asked += 1


class Schema(JSComponent):
    """Tables and views with their columns, folded; a click puts a name into the editor."""

    relations = param.List(default=[], doc="name, meaning, and columns with name, type and meaning.")

    _esm = _STATIC / "sql_schema.js"
    _stylesheets = [_STATIC / "sql_schema.css"]  # noqa: RUF012 (Panel's way of declaring it)


def relations(columns: pd.DataFrame) -> list[dict[str, Any]]:
    """What the schema browser shows. Takes rows of `queries.documented_columns`."""
    return [
        {
            "name": name,
            "meaning": group["table_meaning"].iloc[0] or "",
            "columns": [
                {"name": row.column_name, "type": str(row.data_type).lower(), "meaning": row.meaning or ""}
                for row in group.itertuples()
            ],
        }
        for name, group in columns.groupby("table_name", sort=False)
    ]


def shown_as(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as the grid shows it: distinct names, sessions as dates, lists and long texts as short texts."""
    names = _distinct([str(name) for name in frame.columns])
    columns = [_cells(frame.iloc[:, i]) for i in range(len(names))]
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=range(len(frame)))


class Rows(Part):
    """A grid for whatever a query returns; the server sorts it and sends one page at a time."""

    def __init__(self) -> None:
        self.grid = pn.widgets.Tabulator(
            pd.DataFrame(),
            pagination="remote",
            page_size=_PAGE_ROWS,
            disabled=True,
            selectable=False,
            show_index=False,
            layout="fit_data_stretch",
            configuration={"nestedFieldSeparator": False},  # a dot in a name is only a dot
            sizing_mode="stretch_width",
            margin=(8, 0),
            visible=False,
        )
        super().__init__(self.grid)

    def show(self, rows: pd.DataFrame) -> None:
        """Show rows of `shown_as`, numbers aligned right."""
        self.grid.param.update(
            value=rows,
            titles={name: escape(str(name)) for name in rows},  # Tabulator takes titles for markup
            formatters={name: _formatter(rows[name]) for name in rows},
            text_align={name: "right" if _is_number(rows[name]) else "left" for name in rows},
            sorters=[],
            page=1,
            visible=len(rows.columns) > 0,
        )

    def hide(self) -> None:
        """Show nothing."""
        self.grid.visible = False


def _is_number(series: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)


def _distinct(names: list[str]) -> list[str]:
    return [name if names.index(name) == i else f"{name} ({names[:i].count(name) + 1})" for i, name in enumerate(names)]


def _cells(series: "pd.Series[Any]") -> "pd.Series[Any]":
    series = series.reset_index(drop=True)
    if pd.api.types.is_datetime64_any_dtype(series):
        is_date = series.dt.tz is None and bool((series.dropna() == series.dropna().dt.normalize()).all())
        form = "%Y-%m-%d" if is_date else "%Y-%m-%d %H:%M:%S"
        written: pd.Series[Any] = series.dt.strftime(form).astype(object)
        return written.where(series.notna(), None)
    if pd.api.types.is_numeric_dtype(series):
        return series
    return series.map(_text).astype(object)


def _text(value: Any) -> str | None:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    text = str(value.tolist() if hasattr(value, "tolist") else value)
    return text if len(text) <= _CELL_CHARACTERS else f"{text[:_CELL_CHARACTERS]}…"


def _formatter(series: "pd.Series[Any]") -> HTMLTemplateFormatter:
    """How cells are written; the grid still sorts by what they are."""
    if pd.api.types.is_bool_dtype(series):
        written = "value ? 'true' : 'false'"
    elif pd.api.types.is_float_dtype(series):
        written = "Math.abs(value) >= 1e15 ? String(value) : Number(value.toPrecision(7)).toString()"
    elif pd.api.types.is_numeric_dtype(series):
        written = "String(value)"
    else:
        return HTMLTemplateFormatter(
            template=f"<% if (value == null) {{ %>{_MISSING}<% }} else {{ %><%- value %><% }} %>"
        )
    absent = "value === null || value === undefined || Number.isNaN(value)"
    return HTMLTemplateFormatter(template=f"<% if ({absent}) {{ %>{_MISSING}<% }} else {{ %><%= {written} %><% }} %>")
