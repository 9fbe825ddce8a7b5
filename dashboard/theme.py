"""Colours and shapes of every page and chart, light and dark."""

from collections.abc import Iterable
from typing import Any

BENCHMARK = "random_walk"

UP = "#10a37f"
DOWN = "#e5484d"
ACCENT = "#3b82f6"
NEUTRAL = "#8a94a6"
# Of middle brightness, so that they can be told apart on white and on near-black.
_SERIES = ("#3b82f6", "#f59e0b", "#10b981", "#ec4899", "#8b5cf6", "#06b6d4", "#84cc16", "#ef4444", "#a16207", "#64748b")
# Of the 50, 80, 90 and 95 % intervals: the narrower lie on the wider, so the middle is the darkest.
BAND_ALPHA = {95: 0.14, 90: 0.16, 80: 0.22, 50: 0.34}

_FONT = '"Inter", "Roboto", "Helvetica", "Arial", sans-serif'
MATERIAL: dict[str, Any] = {
    "typography": {
        "fontFamily": _FONT,
        "h1": {"fontSize": "1.6rem", "fontWeight": 700, "letterSpacing": "-0.01em"},
        "h2": {"fontSize": "1.1rem", "fontWeight": 700},
    },
    "shape": {"borderRadius": 10},
    "light": {
        "palette": {
            "primary": {"main": "#1d4ed8"},
            "background": {"default": "#f5f7fa", "paper": "#ffffff"},
            "text": {"primary": "#111827", "secondary": "#4b5563"},
        }
    },
    "dark": {
        "palette": {
            "primary": {"main": "#3b6fd4"},
            "background": {"default": "#0b1018", "paper": "#121926"},
            "text": {"primary": "#e5e9f0", "secondary": "#a3adbd"},
        }
    },
}


def model_colours(models: Iterable[str]) -> dict[str, str]:
    """One colour a model, the same on every page that shows the same models; the random walk's is neutral."""
    others = sorted(set(models) - {BENCHMARK})
    return {BENCHMARK: NEUTRAL, **{model: _SERIES[i % len(_SERIES)] for i, model in enumerate(others)}}
