"""Small pictures for the metadata that Dagster's UI shows, where people would rather look than read."""

import base64
import io

import pandas as pd

_SESSIONS_SHOWN = 60


def forecast_fan(prices: pd.DataFrame, forecasts: pd.DataFrame) -> str:
    """The last closes with every model's forecast and its 50, 80, 90 and 95 % intervals, as a Markdown image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2))
    # Margins that fit a slanted `ensemble_inverse_error`. Measuring them for each picture takes as long as drawing it.
    margins = {"left": 0.09, "right": 0.99, "bottom": 0.29, "top": 0.91, "wspace": 0.03}
    closes, models = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2), gridspec_kw=margins)
    shown = prices.tail(_SESSIONS_SHOWN)
    closes.plot(shown["session"], shown["close"], color="black", linewidth=1)
    closes.tick_params(axis="x", rotation=30, labelsize=7)
    closes.set_title(f"close, last {len(shown)} sessions", fontsize=9)
    for level, opacity in ((95, 0.15), (90, 0.2), (80, 0.25), (50, 0.35)):
        low, high = forecasts[f"lower_{level}"], forecasts[f"upper_{level}"]
        models.bar(forecasts["model"], high - low, bottom=low, width=0.5, color="tab:blue", alpha=opacity)
    models.plot(forecasts["model"], forecasts["predicted"], "o", color="black", markersize=4)
    models.axhline(forecasts["naive"].iloc[0], color="tab:red", linewidth=1, linestyle="--")
    models.tick_params(axis="x", rotation=30, labelsize=7)
    models.set_title(f"{forecasts['target_session'].iloc[0]:%Y-%m-%d}: 50–95 %, dashed: random walk", fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return f"![forecast fan](data:image/png;base64,{base64.b64encode(content.getvalue()).decode()})"
