"""What is written down about a fit: parameters, losses, scores, the data it saw, its files and a picture."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.scores import Scored, point_scores
from stock_assets.forecasting.stored_model import StoredModel, Trained

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric

_SESSIONS_SHOWN = 120
_SCORES = (
    *("n", "rmse", "rmse_random_walk", "mae", "mae_random_walk", "mape", "skill_vs_naive", "directional_accuracy"),
    *("std_ratio", "coverage_90", "width_90"),
)


def parameters(trained: Trained) -> dict[str, str]:
    """Hyper-parameters, and the rows that each fit learned from."""
    found = {name: str(value) for name, value in trained.final.manifest.settings.items()}
    for fit in (trained.evaluated, trained.final):
        manifest = fit.manifest
        of_fit = {
            "train_start": manifest.train_start,
            "train_end": manifest.train_end,
            "n_train": manifest.n_train,
            "shrinkage": f"{manifest.shrink:.6g}",
        }
        found |= {f"{manifest.kind}_{name}": str(value) for name, value in of_fit.items()}
    return found


def identity(trained: Trained) -> dict[str, str]:
    """Tags that say which fits these are, and of which code."""
    final = trained.final.manifest
    return {
        "evaluated_version": trained.evaluated.manifest.version,
        "final_version": final.version,
        "code_version": final.code_version,
        "data_version": final.data_version,
        "artifact_hash": final.artifact_hash,
        **{f"library.{name}": version for name, version in final.libraries.items()},
    }


def scores(predictions: pd.DataFrame) -> dict[str, float]:
    """Scores of the evaluated fit on its validation and test rows, as `<role>_<metric>`; what is undefined is left out.

    Takes rows of table `predictions` with known closes.
    """
    found: dict[str, float] = {}
    for role, rows in predictions.dropna(subset=["actual", "actual_log_return"]).groupby("role"):
        values = point_scores(Scored.of(rows), scale=float("nan"))
        found |= {f"{role}_{name}": float(values[name]) for name in _SCORES}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def measurements(trained: Trained, predictions: pd.DataFrame, at: int) -> list["Metric"]:
    """Everything that is a number: losses by epoch, scores, seconds; all `at` one time, in milliseconds since 1970."""
    from mlflow.entities import Metric

    found = [Metric(name, value, at, 0) for name, value in scores(predictions).items()]
    for fit in (trained.evaluated, trained.final):
        # The fit that is scored has the plain names.
        prefix = "" if fit.manifest.kind == "evaluated" else "final_"
        found.append(Metric(f"{prefix}fit_seconds", fit.manifest.fit_seconds, at, 0))
        found += [Metric(f"{prefix}{name}", value, at, epoch) for name, epoch, value in _losses(fit)]
    return found


def _losses(fit: StoredModel) -> list[tuple[str, int, float]]:
    losses = fit.fitted.losses
    if losses is None:
        return []
    series = {"train_loss": losses.train, "validation_loss": losses.validation}
    return [(name, epoch, value) for name, values in series.items() for epoch, value in enumerate(values, start=1)]


def datasets(trained: Trained) -> list["DatasetInput"]:
    """The rows that each fit learned from; the digest is their data version."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    def of(manifest: Manifest) -> DatasetInput:
        profile = (
            f'{{"num_rows": {manifest.n_train}, "first": "{manifest.train_start}", "last": "{manifest.train_end}"}}'
        )
        source = f'{{"table": "prices", "ticker": "{manifest.ticker}"}}'
        dataset = Dataset(f"{manifest.ticker} bars", manifest.data_version, "lake", source, None, profile)
        return DatasetInput(dataset, [InputTag("mlflow.data.context", f"train ({manifest.kind})")])

    return [of(fit.manifest) for fit in (trained.evaluated, trained.final)]


def log_files(
    client: "MlflowClient", run_id: str, trained: Trained, models: ArtifactStore, predictions: pd.DataFrame
) -> None:
    """Both fits' own files (native weights, scalers, calibration, manifest), and a picture of the predictions."""
    for fit in (trained.evaluated, trained.final):
        manifest = fit.manifest
        folder = models.folder(manifest.ticker, manifest.model, manifest.version)
        client.log_artifacts(run_id, str(folder), manifest.kind)
    with TemporaryDirectory() as aside:
        picture = Path(aside) / "predictions.png"
        draw(predictions, picture)
        client.log_artifact(run_id, str(picture))


def draw(predictions: pd.DataFrame, file: Path) -> None:
    """The last test sessions of one model: closes, predictions and their 90 % interval, as a `.png`."""
    from matplotlib.figure import Figure

    shown = predictions[predictions["role"] == "test"].tail(_SESSIONS_SHOWN)
    figure = Figure(figsize=(8, 3))
    axes = figure.subplots()
    sessions = shown["target_session"].to_numpy()
    axes.fill_between(sessions, shown["lower_90"], shown["upper_90"], color="tab:blue", alpha=0.2, label="90 %")
    axes.plot(sessions, shown["predicted"], color="tab:blue", linewidth=1, label="predicted")
    axes.plot(sessions, shown["actual"], color="black", linewidth=1, label="actual")
    axes.set_title(f"last {len(shown)} test sessions", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)
    figure.savefig(file, dpi=70)
