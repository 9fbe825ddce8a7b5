"""Candlesticks of the newest sessions, and the fan of the champion's intervals for the next one."""

from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Range1d

from dashboard.charts.base import by_session, chart, empty, set_sessions
from dashboard.theme import ACCENT, BAND_ALPHA, DOWN, NEUTRAL, UP

_TOOLTIPS = [
    ("session", "@label"),
    ("open", "@open{0,0.00}"),
    ("high", "@high{0,0.00}"),
    ("low", "@low{0,0.00}"),
    ("close", "@close{0,0.00}"),
]


class Candles:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._bars = ColumnDataSource(_candles(pd.DataFrame(columns=["session", "open", "high", "low", "close"])))
        self._fan = {level: empty("x", "y") for level in BAND_ALPHA}
        self._walk = empty("x", "y")
        self._point = empty("x", "y", "label")
        self.figure = chart(height=440, x_range=Range1d(0, 1), y_range=Range1d(0, 1))
        self._sessions = by_session(self.figure)
        self._draw()

    def _draw(self) -> None:
        drawn = self.figure
        for level, alpha in BAND_ALPHA.items():
            drawn.patch("x", "y", source=self._fan[level], color=ACCENT, fill_alpha=alpha, line_alpha=0)
        drawn.line(
            "x", "y", source=self._walk, color=NEUTRAL, line_dash="dashed", line_width=2, legend_label="same as today"
        )
        drawn.segment("x", "high", "x", "low", source=self._bars, color="colour", line_width=1.4)
        bodies = drawn.vbar(
            "x", 0.68, "top", "bottom", source=self._bars, fill_color="colour", line_color="colour", line_width=1
        )
        drawn.scatter("x", "y", source=self._point, size=11, color=ACCENT, line_color="white", legend_label="forecast")
        drawn.add_tools(HoverTool(renderers=[bodies], tooltips=_TOOLTIPS))
        drawn.legend.location = "top_left"
        drawn.legend.orientation = "horizontal"

    def show(self, bars: pd.DataFrame, forecast: Any) -> None:
        """Show bars, rows of `prices` by session, at least one; and the champion's row of `latest_forecasts`.

        The forecast is for the session after the last bar; None where there is none.
        """
        n = len(bars)
        self._bars.data = _candles(bars)
        reach = [bars["low"].min(), bars["high"].max()]
        sessions = [session.date() for session in bars["session"]]
        if forecast is None:
            self._clear_forecast()
        else:
            self._show_forecast(n, forecast)
            reach = [min(reach[0], forecast.lower_95), max(reach[1], forecast.upper_95)]
            sessions.append(forecast.target_session.date())
        set_sessions(self._sessions, sessions)
        margin = 0.06 * (reach[1] - reach[0]) or 1
        self.figure.x_range.update(start=-0.8, end=n + 0.9)
        self.figure.y_range.update(start=reach[0] - margin, end=reach[1] + 2 * margin)

    def _show_forecast(self, n: int, forecast: Any) -> None:
        last, at, half = n - 1, n, 0.42
        for level, source in self._fan.items():
            low, high = getattr(forecast, f"lower_{level}"), getattr(forecast, f"upper_{level}")
            source.data = {
                "x": [last, at - half, at + half, at + half, at - half],
                "y": [forecast.naive, high, high, low, low],
            }
        self._walk.data = {"x": [last, at + half], "y": [forecast.naive, forecast.naive]}
        self._point.data = {"x": [at], "y": [forecast.predicted], "label": [f"{forecast.target_session:%Y-%m-%d}"]}

    def _clear_forecast(self) -> None:
        for source in (*self._fan.values(), self._walk):
            source.data = {"x": [], "y": []}
        self._point.data = {"x": [], "y": [], "label": []}


def _candles(bars: pd.DataFrame) -> dict[str, Any]:
    rises = (bars["close"] >= bars["open"]).to_numpy(dtype=bool)
    return {
        "x": np.arange(len(bars)),
        "label": [f"{session:%Y-%m-%d}" for session in bars["session"]],
        **{name: bars[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close")},
        "top": bars[["open", "close"]].max(axis=1).to_numpy(dtype=float),
        "bottom": bars[["open", "close"]].min(axis=1).to_numpy(dtype=float),
        "colour": np.where(rises, UP, DOWN),
    }
