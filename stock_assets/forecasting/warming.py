"""A worker's first unit: it fits every model once, small, so that its libraries are loaded before they are needed.

What a worker holds after it is what its memory is measured against; libraries that came later would look like a leak.
"""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stock_assets.forecasting.features import FEATURES
from stock_assets.forecasting.models import discover

_ROWS = 400


@dataclass(frozen=True)
class WarmingUnit:
    """Fit the models of these names on made-up bars; what comes of it is thrown away."""

    models: tuple[str, ...]

    def perform(self) -> None:
        """Load what they need. What is wrong with a model is said where it is fitted in earnest."""
        history = made_up_history()
        for name in self.models:
            with suppress(Exception):
                discover()[name].fast(seed=0).fit(history).predict(history)


def made_up_history() -> pd.DataFrame:
    """A history as `build_history` gives it, of a random walk."""
    noise = np.random.default_rng(0)
    returns = noise.normal(scale=0.01, size=_ROWS + 1)
    close = 100 * np.exp(np.cumsum(returns[:-1]))
    bars = dict.fromkeys(("open", "high", "low", "close", "adj_close"), close)
    features = {feature.name: noise.normal(size=_ROWS) for feature in FEATURES}
    sessions = pd.bdate_range("2000-01-03", periods=_ROWS)
    volume = noise.lognormal(mean=14.0, size=_ROWS)
    return pd.DataFrame(
        {
            "session": sessions,
            **bars,
            "volume": volume,
            **features,
            "log_return": returns[:-1],
            "target_log_return": returns[1:],
        }
    )
