"""The only reader of the environment. Imports nothing of ours but the error tree.

`STOCK_ASSETS_HOME` holds the whole state: lake, published databases, models and Dagster's own storage.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from stock_assets.errors import StockAssetsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_QUIET = {
    "DO_NOT_TRACK": "1",  # Evidently and others that honour the common name
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # errors only; TensorFlow greets with its CPU features otherwise
    "BOKEH_RESOURCES": "server",  # the dashboard asks no other host for its scripts
}


class InvalidSetting(StockAssetsError):
    """An environment variable holds a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What the environment decides. Everything else is a flag or run configuration.

    Attributes:
        home: absolute path of the folder that holds all state.
        source: default price source for tickers that have none yet (`yahoo`, `sample` or `csv`).
        csv_dir: folder of `TICKER.csv` files for the `csv` source.
        lookback: how far back a first fetch reaches, for example `5y` or `18mo`.
    """

    home: Path
    source: str = "yahoo"
    csv_dir: Path | None = None
    lookback: str = "5y"

    @property
    def lake_dir(self) -> Path:
        """Parquet, the truth."""
        return self.home / "lake"

    @property
    def published_dir(self) -> Path:
        """Immutable published databases, one file a generation."""
        return self.home / "published"

    @property
    def models_dir(self) -> Path:
        """Model artifacts."""
        return self.home / "models"

    @property
    def dagster_dir(self) -> Path:
        """Dagster's runs, events and logs."""
        return self.home / "dagster"


def load_settings() -> Settings:
    """Read the environment now (never at import, so that tests and sub-processes can differ)."""
    env = os.environ
    csv_dir = env.get("STOCK_ASSETS_CSV_DIR")
    return Settings(
        home=_home(env.get("STOCK_ASSETS_HOME")),
        source=env.get("STOCK_ASSETS_SOURCE") or "yahoo",
        csv_dir=Path(csv_dir).expanduser().resolve() if csv_dir else None,
        lookback=env.get("STOCK_ASSETS_LOOKBACK") or "5y",
    )


def _home(given: str | None) -> Path:
    if given:
        path = Path(given).expanduser().resolve()
        if path.exists() and not path.is_dir():
            raise InvalidSetting(f"STOCK_ASSETS_HOME is {given!r}, which is a file, not a folder", cure="name a folder")
        return path
    if (PROJECT_ROOT / "workspace.yaml").exists():  # inside a clone; an installed wheel has no workspace beside it
        return PROJECT_ROOT / "data"
    from platformdirs import user_data_path

    return user_data_path("stock-assets")


def quiet_libraries() -> None:
    """Switch off the telemetry and the start-up chatter of libraries, unless the environment already decides.

    Must run before those libraries are imported: they read these variables then.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def choose_keras_backend() -> None:
    """Let Keras run on TensorFlow, whatever a `keras.json` in somebody's home folder says.

    Must run before Keras is imported: it reads the variable then.
    """
    quiet_libraries()
    os.environ["KERAS_BACKEND"] = "tensorflow"


def prepare_dagster(settings: Settings) -> None:
    """Name the home and Dagster's folder to this process and those it starts, as `.env` does for `dagster dev`."""
    settings.dagster_dir.mkdir(parents=True, exist_ok=True)
    os.environ["STOCK_ASSETS_HOME"] = str(settings.home)
    os.environ["STOCK_ASSETS_DAGSTER_DIR"] = str(settings.dagster_dir)
