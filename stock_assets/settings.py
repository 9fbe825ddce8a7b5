"""The only reader of the environment. Imports nothing of ours but the error tree.

`STOCK_ASSETS_HOME` holds the whole state: lake, published databases, models and Dagster's own storage.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stock_assets.errors import StockAssetsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_QUIET = {
    "DO_NOT_TRACK": "1",  # Evidently and others that honour the common name
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # it tells of every table it makes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds: nobody waits for a tracking server that does not answer
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # errors only; TensorFlow greets with its CPU features otherwise
    "BOKEH_RESOURCES": "server",  # the dashboard asks no other host for its scripts
}

_WEB_ADDRESS = re.compile(r"https?://([^/\s]+@)?(\[[0-9a-fA-F:.]+\]|[^/\s@:\[\]]+)(:\d{1,5})?(/\S*)?")

KEPT_DAYS = 90
"""What prune and upkeep leave alone for being young, in days."""


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
        webhook: where announcements are posted as JSON; empty: nowhere. A secret: its path usually holds a token.
        mlflow: address of the MLflow store as given: empty for the one in the home, `off` for none. May be secret.
        mlflow_ui: where `mlflow ui` is opened, for links; a server's own address where the store is one.
        dagster_ui: where Dagster's UI is opened, for links.
        dagster_api: where the dashboard asks Dagster's webserver; by default the same. May hold a password.
        evidently_ui: where `evidently ui` is opened, for links.
        dashboard_password: what the dashboard asks for; empty: nothing. A secret.
        dagster_postgres: address of the PostgreSQL database that Dagster keeps its runs in; empty: the home. A secret.
        mlflow_versions: registered versions kept of each model of a ticker.
        workers: processes that fits are given to; 1: none beside the run's own.
        retrain_days: age in days at which models are trained again; None: never for age alone.
        pinned: tickers whose drift report is written every session, drifted or not.
    """

    home: Path
    source: str = "yahoo"
    csv_dir: Path | None = None
    lookback: str = "5y"
    webhook: str = field(default="", repr=False)
    mlflow: str = field(default="", repr=False)
    mlflow_ui: str = "http://127.0.0.1:5000"
    dagster_ui: str = "http://127.0.0.1:3000"
    dagster_api: str = field(default="http://127.0.0.1:3000", repr=False)
    evidently_ui: str = "http://127.0.0.1:8000"
    dashboard_password: str = field(default="", repr=False)
    dagster_postgres: str = field(default="", repr=False)
    mlflow_versions: int = 10
    workers: int = 1
    retrain_days: int | None = 7
    pinned: frozenset[str] = frozenset()

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
    def mlflow_dir(self) -> Path:
        """MLflow's store and what the tracking keeps beside it."""
        return self.home / "mlflow"

    @property
    def mlflow_uri(self) -> str:
        """Address of the MLflow store; empty where tracking is off."""
        if self.mlflow == "off":
            return ""
        return self.mlflow or f"sqlite:///{self.mlflow_dir / 'mlflow.db'}"

    @property
    def evidently_dir(self) -> Path:
        """Evidently's workspace: a project per ticker."""
        return self.home / "evidently"

    @property
    def dagster_dir(self) -> Path:
        """Dagster's runs, events and logs."""
        return self.home / "dagster"


def load_settings() -> Settings:
    """Read the environment now (never at import, so that tests and sub-processes can differ)."""
    env = os.environ
    csv_dir, days = env.get("STOCK_ASSETS_CSV_DIR"), env.get("STOCK_ASSETS_RETRAIN_DAYS") or "7"
    return Settings(
        home=_home(env.get("STOCK_ASSETS_HOME")),
        source=env.get("STOCK_ASSETS_SOURCE") or "yahoo",
        csv_dir=Path(csv_dir).expanduser().resolve() if csv_dir else None,
        lookback=env.get("STOCK_ASSETS_LOOKBACK") or "5y",
        webhook=_webhook(env.get("STOCK_ASSETS_WEBHOOK", "")),
        mlflow=env.get("STOCK_ASSETS_MLFLOW_URI", ""),
        mlflow_ui=_mlflow_ui(env.get("STOCK_ASSETS_MLFLOW_UI_URL", ""), env.get("STOCK_ASSETS_MLFLOW_URI", "")),
        dagster_ui=_without_user(_dagster(env, "STOCK_ASSETS_DAGSTER_UI_URL")),
        dagster_api=_dagster(env, "STOCK_ASSETS_DAGSTER_API_URL", "STOCK_ASSETS_DAGSTER_UI_URL"),
        evidently_ui=(env.get("STOCK_ASSETS_EVIDENTLY_UI_URL") or "http://127.0.0.1:8000").rstrip("/"),
        dashboard_password=env.get("STOCK_ASSETS_DASHBOARD_PASSWORD", ""),
        dagster_postgres=_postgres(env.get("STOCK_ASSETS_DAGSTER_POSTGRES_URL", "")),
        mlflow_versions=_count("STOCK_ASSETS_MLFLOW_VERSIONS", env.get("STOCK_ASSETS_MLFLOW_VERSIONS") or "10"),
        workers=_count("STOCK_ASSETS_WORKERS", env.get("STOCK_ASSETS_WORKERS") or str(os.cpu_count() or 1)),
        retrain_days=None if days == "never" else _count("STOCK_ASSETS_RETRAIN_DAYS", days),
        pinned=frozenset(filter(None, re.split(r"[,\s]+", env.get("STOCK_ASSETS_PINNED", "")))),
    )


def redact(text: str) -> str:
    """`text` without the secrets of the environment: the webhook's address, and passwords in any address."""
    webhook = os.environ.get("STOCK_ASSETS_WEBHOOK")
    if webhook:
        text = text.replace(webhook, "(webhook)")
    return re.sub(r"(?<=://)[^/@\s]+(?=@)", "(password)", text)


def _webhook(given: str) -> str:
    if given and not given.startswith(("https://", "http://")):
        raise InvalidSetting("STOCK_ASSETS_WEBHOOK is no http or https address", cure="correct it or leave it empty")
    return given


def _postgres(given: str) -> str:
    if given and not given.startswith("postgresql://"):
        raise InvalidSetting(
            "STOCK_ASSETS_DAGSTER_POSTGRES_URL is no postgresql:// address",
            cure="write it as postgresql://user:password@host:5432/database, or leave it empty for SQLite in the home",
        )
    return given


def _mlflow_ui(given: str, store: str) -> str:
    if not given and store.startswith(("https://", "http://")):
        given = _without_user(store)
    return (given or "http://127.0.0.1:5000").rstrip("/")


def _dagster(env: Mapping[str, str], *names: str) -> str:
    """The first of these variables that is set."""
    name, given = next(((name, env[name]) for name in names if env.get(name)), ("", "http://127.0.0.1:3000"))
    if not _WEB_ADDRESS.fullmatch(given):
        raise InvalidSetting(f"{name} is no http or https address", cure="correct it or leave it empty")
    return given.rstrip("/")


def _without_user(address: str) -> str:
    """A link that people see holds no password."""
    return re.sub(r"(?<=://)[^/\s]+@", "", address)


def _count(name: str, given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise InvalidSetting(f"{name} is {given!r}; expected a whole number from 1", cure=f"correct {name}")
    return int(given)


def _home(given: str | None) -> Path:
    if given:
        path = Path(given).expanduser().resolve()
        if path.exists() and not path.is_dir():
            raise InvalidSetting(f"STOCK_ASSETS_HOME is {given!r}, which is a file, not a folder", cure="name a folder")
        return path
    if _is_clone():
        return PROJECT_ROOT / "data"
    from platformdirs import user_data_path

    return user_data_path("stock-assets")


def _is_clone() -> bool:
    return (PROJECT_ROOT / "workspace.yaml").exists()  # an installed wheel has no workspace beside it


def home_is_given() -> bool:
    """Whether somebody named the home."""
    return bool(os.environ.get("STOCK_ASSETS_HOME"))


def demo_home() -> Path | None:
    """Where `make demo` keeps its state; None outside a clone."""
    return PROJECT_ROOT / "data-demo" if _is_clone() else None


def has_display() -> bool:
    """Whether a browser could open a window."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def environment(forced: Mapping[str, str], *, unless_given: Mapping[str, str]) -> dict[str, str]:
    """For a process to be started: our environment with `forced`, and `unless_given` where it says nothing."""
    wanted = {name: value for name, value in unless_given.items() if not os.environ.get(name)}
    return {**os.environ, **wanted, **forced}


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
    """Name the home and Dagster's store to this process and those it starts, as `.env` does for `dagster dev`."""
    settings.dagster_dir.mkdir(parents=True, exist_ok=True)
    os.environ["STOCK_ASSETS_HOME"] = str(settings.home)
    os.environ["STOCK_ASSETS_DAGSTER_DIR"] = str(settings.dagster_dir)
    os.environ["STOCK_ASSETS_DAGSTER_POSTGRES_URL"] = settings.dagster_postgres
