"""ARIMA(2,1,2) in the log price, one session ahead (statsmodels SARIMAX without a seasonal part)."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import NotConverged
from stock_assets.forecasting.models._base import Fitted, Floats, Forecaster, Progress
from stock_assets.forecasting.models._windows import to_log_return

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits

_FILE = "parameters.json"
_STARTS: tuple[tuple[float, ...] | None, ...] = (
    None,  # statsmodels' own: Hannan–Rissanen
    (0.0, 0.0, 0.0, 0.0, 1.0),
    (0.3, 0.0, -0.3, 0.0, 1.0),
    (-0.3, 0.0, 0.3, 0.0, 1.0),
    (0.0, 0.3, 0.0, -0.3, 1.0),
)


@dataclass(frozen=True, kw_only=True)
class Sarima(Forecaster):
    """ARIMA(2,1,2) without drift, which is ARMA(2,2) on the differences: log returns, or for "price" price changes.

    Attributes:
        max_iterations: of the optimiser, from each starting point.
    """

    name: ClassVar[str] = "sarima"
    description: ClassVar[str] = "ARIMA(2,1,2) in the log price, one session ahead with fixed parameters."
    libraries: ClassVar[tuple[str, ...]] = ("statsmodels",)
    min_rows: ClassVar[int] = 120
    context: ClassVar[int | None] = None

    max_iterations: int = 500

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "FittedSarima":
        differences = _differences(history, self)[1:]
        scale = _scale(differences)
        model = _arma(differences / scale)
        for number, start in enumerate(_STARTS, start=1):
            with warnings.catch_warnings(), _one_thread():
                # Convergence is asked about below; a start outside the stationary region is replaced by statsmodels.
                warnings.simplefilter("ignore")
                result = model.fit(start_params=start, maxiter=self.max_iterations, disp=0)
            if result.mle_retvals["converged"]:
                progress(f"converged after {result.mle_retvals['iterations']} iterations from start {number}")
                return FittedSarima(self, tuple(map(float, result.params)), scale)
        raise NotConverged(
            f"ARIMA(2,1,2) did not converge on {len(differences)} differences within {self.max_iterations} iterations "
            f"from any of {len(_STARTS)} starting points",
            cure="raise max_iterations, fetch a longer history (--lookback), or leave sarima out (--models)",
        )

    def standardisation(self, history: pd.DataFrame) -> Mapping[str, Floats]:
        """What differences are divided by."""
        return {"differences": np.array([_scale(_differences(history, self)[1:])])}

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "FittedSarima":
        """Read the parameters."""
        stored = json.loads((folder / _FILE).read_text())
        return FittedSarima(cls(**settings), tuple(stored["parameters"]), stored["scale"])


@dataclass(frozen=True)
class FittedSarima(Fitted):
    """Fixed parameters.

    Attributes:
        parameters: two autoregressive, two moving-average, and the variance of the innovations, of scaled differences.
        scale: standard deviation the differences were divided by.
    """

    forecaster: Sarima
    parameters: tuple[float, ...]
    scale: float

    def predict(self, history: pd.DataFrame) -> Floats:
        """One pass of the Kalman filter; the predicted log return of every row, shape (len(history),)."""
        differences = _differences(history, self.forecaster) / self.scale
        # The first session has no difference: a missing observation, which the filter steps over.
        model = _arma(differences)
        with _one_thread():
            filtered = model.filter(np.asarray(self.parameters)).filter_results
        # Column t + 1 of the predicted states is what is known of t + 1 at t.
        ahead = filtered.design[0, :, 0] @ filtered.predicted_state[:, 1:] * self.scale
        if self.forecaster.target == "log_return":
            return np.asarray(ahead)
        levels = history["adj_close"].to_numpy(float)
        return to_log_return(levels + ahead, levels, self.forecaster.target)

    def standardisation(self) -> Mapping[str, Floats]:
        """See `Sarima.standardisation`."""
        return {"differences": np.array([self.scale])}

    def save(self, folder: Path) -> None:
        """Write the parameters."""
        content = {"parameters": list(self.parameters), "scale": self.scale}
        (folder / _FILE).write_text(json.dumps(content, indent=1))


def _differences(history: pd.DataFrame, forecaster: Sarima) -> Floats:
    if forecaster.target == "log_return":
        return history["log_return"].to_numpy(float)
    return history["adj_close"].diff().to_numpy(float)


def _scale(differences: Floats) -> float:
    """In units of their own standard deviation the optimiser's tolerances mean the same for every ticker."""
    return float(differences.std()) or 1.0


def _arma(differences: Floats) -> Any:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    return SARIMAX(differences, order=(2, 0, 2), trend=None)


def _one_thread() -> "threadpool_limits":
    """Its matrices have five rows: handing them to a pool of threads takes ten times as long as the work.

    Only libraries that are loaded already are held, so it comes after the import of statsmodels.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
