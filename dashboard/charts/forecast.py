"""Charts of the page *Forecast*. Each is built once; `show` changes what it shows."""

from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Range1d

from dashboard.charts.base import by_session, chart, empty, rule, set_sessions
from dashboard.theme import ACCENT, BAND_ALPHA, DOWN, NEUTRAL, UP, model_colours

_BAR = [
    ("session", "@label"),
    ("open", "@open{0,0.00}"),
    ("high", "@high{0,0.00}"),
    ("low", "@low{0,0.00}"),
    ("close", "@close{0,0.00}"),
]


class Candles:
    """Candlesticks of the newest sessions, and the fan of the champion's intervals for the next one."""

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
        drawn.add_tools(HoverTool(renderers=[bodies], tooltips=_BAR))
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


_THICKNESS = {95: 0.26, 90: 0.42, 80: 0.58, 50: 0.74}
_FORECAST = [
    ("model", "@model"),
    ("forecast", "@predicted{0,0.00}"),
    ("50 %", "@lower_50{0,0.00} to @upper_50{0,0.00}"),
    ("90 %", "@lower_90{0,0.00} to @upper_90{0,0.00}"),
]


class Intervals:
    """Every model's next close with its intervals, beside the random walk's answer."""

    def __init__(self) -> None:
        bounds = [f"{side}_{level}" for level in BAND_ALPHA for side in ("lower", "upper")]
        self._columns = ["model", "predicted", *bounds]
        self._source = empty(*self._columns, "colour")
        self.figure = chart(height=440, y_range=[""])
        for level, alpha in BAND_ALPHA.items():
            place = ("model", _THICKNESS[level], f"lower_{level}", f"upper_{level}")
            look = {"fill_color": "colour", "fill_alpha": alpha + 0.12, "line_alpha": 0}
            bars = self.figure.hbar(*place, source=self._source, **look)
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_FORECAST))
        self.figure.scatter("predicted", "model", source=self._source, size=9, color="colour", line_color="white")
        self._walk = rule(self.figure, dimension="height")
        self.figure.ygrid.visible = False

    def show(self, forecasts: pd.DataFrame) -> None:
        """Show one row for each model, the first on top. Takes rows of `latest_forecasts`; at least one."""
        colours = model_colours(forecasts["model"])
        self.figure.y_range.factors = forecasts["model"].tolist()[::-1]
        self._source.data = {
            **{name: forecasts[name].to_numpy() for name in self._columns},
            "colour": [colours[model] for model in forecasts["model"]],
        }
        self._walk.location = float(forecasts["naive"].iloc[0])
