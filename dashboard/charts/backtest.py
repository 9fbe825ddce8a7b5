"""Charts of the page *Backtest*. Each is built once; `show` changes what it shows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from bokeh.models import FactorRange, HoverTool, NumeralTickFormatter, Span

from dashboard.charts.base import by_session, chart, empty, rule, set_sessions
from dashboard.theme import BENCHMARK, NEUTRAL

_CLOSE = [("session", "@label"), ("close", "@actual{0,0.00}"), ("the session before", "@naive{0,0.00}")]
_SAID = [("session", "@label"), ("@model", "@predicted{0,0.00}"), ("close", "@actual{0,0.00}")]


class Closes:
    """What models said each session would close at, and where it did."""

    def __init__(self) -> None:
        self._actual = empty("x", "label", "actual", "naive")
        self._lines = empty("xs", "ys", "colour")
        self._points = empty("x", "label", "actual", "predicted", "model", "colour")
        self.figure = chart(height=380)
        self._sessions = by_session(self.figure)
        self.figure.line(
            "x", "actual", source=self._actual, color=NEUTRAL, line_width=7, alpha=0.4, legend_label="what happened"
        )
        self.figure.step(
            "x", "naive", source=self._actual, color=NEUTRAL, line_dash="dotted", line_width=1.4, mode="center",
            legend_label="random walk",
        )  # fmt: skip
        self.figure.multi_line("xs", "ys", source=self._lines, color="colour", line_width=1.6)
        dots = self.figure.scatter("x", "predicted", source=self._points, color="colour", size=5, alpha=0.8)
        closes = self.figure.scatter("x", "actual", source=self._actual, color=NEUTRAL, size=7, alpha=0.01)
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_SAID))
        self.figure.add_tools(HoverTool(renderers=[closes], tooltips=_CLOSE))
        self.figure.legend.orientation = "horizontal"
        self.figure.add_layout(self.figure.legend[0], "above")

    def show(self, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show predictions beside closes. Takes rows of `predictions`, by model and target session; at least one."""
        known = rows.drop_duplicates("target_session").sort_values("target_session")
        place = {session: i for i, session in enumerate(known["target_session"])}
        labels = [f"{session:%Y-%m-%d}" for session in known["target_session"]]
        set_sessions(self._sessions, [session.date() for session in known["target_session"]])
        self._actual.data = {
            "x": list(range(len(known))),
            "label": labels,
            "actual": known["actual"].to_numpy(),
            "naive": known["naive"].to_numpy(),
        }
        said = rows[rows["model"] != BENCHMARK]
        x = said["target_session"].map(place).to_numpy()
        self._points.data = {
            "x": x,
            "label": [labels[i] for i in x],
            "actual": said["actual"].to_numpy(),
            "predicted": said["predicted"].to_numpy(),
            "model": said["model"].to_numpy(),
            "colour": said["model"].map(colours).to_numpy(),
        }
        by_model = [(str(model), own) for model, own in said.groupby("model")]
        self._lines.data = {
            "xs": [own["target_session"].map(place).to_numpy() for _, own in by_model],
            "ys": [own["predicted"].to_numpy() for _, own in by_model],
            "colour": [colours[model] for model, _ in by_model],
        }


_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_BINS = 41
_REACH = 3.5  # standard deviations of the random walk's errors; what lies beyond is counted in the outermost bins
_AHEAD = [("model", "@model"), ("session", "$snap_x{%F}"), ("ahead by", "$snap_y{+0.00} squared %")]
_MISSED = [("model", "@model"), ("session", "@session{%F}"), ("error", "@error{+0.00} %")]
_COUNTED = [("random walk's error", "@left{0.00} to @right{0.00} %"), ("share of sessions", "@share{0.0 %}")]


class Gains:
    """How far ahead of the random walk models have come, session by session (Goyal & Welch, 2008)."""

    def __init__(self) -> None:
        self._source = empty("xs", "ys", "model", "colour")
        self.figure = chart(height=380, x_axis_type="datetime")
        lines = self.figure.multi_line("xs", "ys", source=self._source, color="colour", line_width=2.2)
        rule(self.figure, 0)
        self.figure.add_tools(HoverTool(renderers=[lines], tooltips=_AHEAD, formatters={"$snap_x": "datetime"}))
        self.figure.yaxis.axis_label = "ahead of the random walk [squared %]"

    def show(self, gains: Mapping[str, "pd.Series[float]"], colours: Mapping[str, str]) -> None:
        """Show for each model the sum so far of the random walk's squared error less the model's, by session."""
        self._source.data = {
            "xs": [own.index.to_numpy() for own in gains.values()],
            "ys": [own.to_numpy() for own in gains.values()],
            "model": list(gains),
            "colour": [colours[model] for model in gains],
        }


class Residuals:
    """Errors through time: whether a model is wrong in spells, in one direction, or more than it used to be."""

    def __init__(self) -> None:
        self._source = empty("session", "error", "model", "colour")
        self.figure = chart(height=320, x_axis_type="datetime")
        self.figure.add_layout(Span(dimension="width", location=0, line_color=NEUTRAL, line_width=1))
        dots = self.figure.scatter("session", "error", source=self._source, color="colour", size=4, alpha=0.55)
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_MISSED, formatters={"@session": "datetime"}))
        self.figure.yaxis.axis_label = "predicted − actual [%]"

    def show(self, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show one dot for each row: columns target_session, model and error [%]."""
        self._source.data = {
            "session": rows["target_session"].to_numpy(),
            "error": rows["error"].to_numpy(),
            "model": rows["model"].to_numpy(),
            "colour": rows["model"].map(colours).to_numpy(),
        }


class Errors:
    """How often each size of error was made: each model's as a line, the random walk's filled behind."""

    def __init__(self) -> None:
        self._walk = empty("left", "right", "share")
        self._lines = empty("xs", "ys", "model", "colour")
        self.figure = chart(height=320)
        bars = self.figure.quad(
            left="left", right="right", top="share", bottom=0, source=self._walk, fill_color=NEUTRAL, fill_alpha=0.4,
            line_color=NEUTRAL, line_alpha=0.4,
        )  # fmt: skip
        lines = self.figure.multi_line("xs", "ys", source=self._lines, color="colour", line_width=2)
        self.figure.add_layout(Span(dimension="height", location=0, line_color=NEUTRAL, line_width=1))
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_COUNTED))
        self.figure.add_tools(HoverTool(renderers=[lines], tooltips=[("model", "@model")]))
        self.figure.xaxis.axis_label = "predicted − actual [%]"
        self.figure.yaxis.formatter = NumeralTickFormatter(format="0 %")
        self.figure.y_range.start = 0

    def show(self, rows: pd.DataFrame, models: list[str], colours: Mapping[str, str]) -> None:
        """Show shares of sessions by size of `error` and of `walk_error` [%]; at least one row."""
        walk = rows.drop_duplicates("target_session")["walk_error"].to_numpy()
        reach = _REACH * float(walk.std()) or 1.0
        edges = np.linspace(-reach, reach, _BINS + 1)
        self._walk.data = {"left": edges[:-1], "right": edges[1:], "share": _shares(walk, edges)}
        own = {model: _shares(rows.loc[rows["model"] == model, "error"].to_numpy(), edges) for model in models}
        self._lines.data = {
            "xs": [np.repeat(edges, 2)[1:-1]] * len(models),
            "ys": [np.repeat(shares, 2) for shares in own.values()],
            "model": models,
            "colour": [colours[model] for model in models],
        }


def _shares(errors: _Floats, edges: _Floats) -> _Floats:
    counted, _ = np.histogram(np.clip(errors, edges[0], edges[-1]), edges)
    shares: _Floats = counted / max(len(errors), 1)
    return shares


_CROWDED = 9  # groups; from here on their names stand upright


class GroupedBars:
    """One bar a model in each of several groups, from a line that means something.

    Args:
        title: what a value is, for the tooltip.
        base: where bars begin: what the value would be if there were nothing to see, as a fraction.
    """

    def __init__(self, title: str, base: float = 0.0) -> None:
        self._base = base
        self._source = empty("x", "group", "model", "value", "colour")
        self.figure = chart(height=300, x_range=FactorRange(range_padding=0.03))
        bars = self.figure.vbar(
            "x", 0.86, "value", base, source=self._source, color="colour", fill_alpha=0.85, line_alpha=0
        )
        rule(self.figure, base, line_width=1)
        tooltips = [("model", "@model"), ("", "@group"), (title, "@value{+0.00 %}" if not base else "@value{0.0 %}")]
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=tooltips))
        self.figure.yaxis.formatter = NumeralTickFormatter(format="0.[00] %" if not base else "0 %")
        # The models' names are in the key and the tooltips.
        self.figure.xaxis.major_label_text_font_size = "1px"
        self.figure.xaxis.major_label_text_alpha = 0
        self.figure.xaxis.major_tick_line_color = None
        self.figure.xgrid.visible = False

    def show(self, values: pd.DataFrame, models: list[str], colours: Mapping[str, str]) -> None:
        """Show the models' bars in the order of `models`, groups in the order of the rows.

        Takes columns model, group and value (a fraction); rows of other models are left out.
        """
        values = values[values["model"].isin(models)].dropna(subset=["value"])
        groups = list(dict.fromkeys(values["group"]))
        self.figure.x_range.factors = [(group, model) for group in groups for model in models]
        upright = len(groups) >= _CROWDED
        self.figure.xaxis.group_label_orientation = "vertical" if upright else "horizontal"
        self._source.data = {
            "x": list(zip(values["group"], values["model"], strict=True)),
            **{name: values[name].to_numpy() for name in ("group", "model", "value")},
            "colour": values["model"].map(colours).to_numpy(),
        }
