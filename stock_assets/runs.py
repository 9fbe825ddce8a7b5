"""Real Dagster runs, started from the command line, in the same instance the UI shows. One run covers one market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from stock_assets import definitions, health
from stock_assets.health import Failure
from stock_assets.instance import CutOff, blame
from stock_assets.lineage import ABOUT_ALL
from stock_assets.partitions import sync_partitions
from stock_assets.settings import Settings
from stock_assets.stops import stops_noticed
from stock_assets.terminal import failure_line
from stock_assets.tracking.parents import end_in_mlflow
from stock_assets.universe import choose_tickers, markets_of
from storage.lake import Lake
from storage.publisher import Publisher

_TERMINAL: dict[str, Any] = {"terminal": {}}


@dataclass(frozen=True)
class Options:
    """What a command may change about a run. Empty values leave the defaults."""

    source: str = ""
    csv_dir: str = ""
    lookback: str = ""
    models: Sequence[str] = ()
    fast: bool = False
    tune: int = 0
    window: str = ""
    first_train: int = 0
    step: int = 0
    refit_every: int = 0

    def run_config(self, tickers: Sequence[str]) -> dict[str, Any]:
        """As Dagster's run configuration, for these tickers."""
        plan = {name: getattr(self, name) for name in ("window", "first_train", "step", "refit_every")}
        resources = {
            "price_source": {"source": self.source, "csv_dir": self.csv_dir, "lookback": self.lookback},
            "model_settings": {"fast": self.fast, "tune": self.tune},
            "backtest_settings": {name: value for name, value in plan.items() if value},
        }
        configured = {name: {"config": config} for name, config in resources.items()}
        return {"resources": configured | choose_tickers(tickers), "loggers": _TERMINAL}


@dataclass(frozen=True)
class Work:
    """One run to be made of a job for tickers of a market: its `assets`, all of the job's where nothing was chosen.

    Dagster's `run_config` names the tickers, too.
    """

    job: str
    market: str
    tickers: tuple[str, ...]
    assets: frozenset[dg.AssetKey]
    run_config: dict[str, Any]

    def covers(self, other: "Work") -> bool:
        """Whether this run makes everything that `other` would."""
        return set(self.tickers) >= set(other.tickers) and self.assets >= other.assets


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `failed`: ticker → why it is not complete, empty where everything asked for was made."""

    tickers: tuple[str, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    is_interrupted: bool = False


def plan(job: str, tickers: Sequence[str], options: Options, lake: Lake) -> list[Work]:
    """A run for each market of the tickers, with only the named models' own assets (none named: all of them)."""
    chosen = frozenset(
        key for key in assets_of(job) if len(key.path) == 1 or not options.models or key.path[-1] in options.models
    )
    return [
        Work(job, market, tuple(names), chosen, options.run_config(names))
        for market, names in markets_of(lake, tickers).items()
    ]


def again(cut_off: CutOff) -> Work:
    """The work that a killed run left undone."""
    config = {**cut_off.run_config, "loggers": _TERMINAL}
    config["resources"] = {**config.get("resources", {}), **choose_tickers(cut_off.tickers)}
    return Work(cut_off.job, cut_off.market, cut_off.tickers, cut_off.assets or assets_of(cut_off.job), config)


def assets_of(job: str) -> frozenset[dg.AssetKey]:
    """Everything that a job makes."""
    return frozenset(_job(job).asset_layer.executable_asset_keys)


def execute(instance: dg.DagsterInstance, settings: Settings, work: Work) -> Outcome:
    """Make one run in this process, and wait. What failed stands in `tickers`, whatever became of the run."""
    sync_partitions(instance, [work.market])
    with stops_noticed() as was_stopped:
        result = _job(work.job).execute_in_process(
            run_config=work.run_config,
            partition_key=work.market,
            instance=instance,
            # A whole job is asked for by its name alone. Where assets are named, Dagster adds all their checks, also
            # the one that jobs leave out because it looks at every ticker of the universe.
            asset_selection=None if work.assets == assets_of(work.job) else sorted(work.assets),
            raise_on_error=False,
        )
        is_interrupted = not result.success and was_stopped()
    lake = Lake(settings.lake_dir)
    steps = _failed_steps(result).keys()
    is_about_all = bool(steps) and steps <= ABOUT_ALL
    if not result.success and not is_about_all:
        why = Failure(work.job, _reason(result), "see the run's log; finished fits are kept")
        why = Failure.of_stop(work.job) if is_interrupted else why
        blame(lake, result.dagster_run, work.tickers, why)
    Publisher(settings.home).publish()
    end_in_mlflow(instance, settings)
    found = health.failures_of(lake, result.run_id)
    failed = {ticker: found[ticker].line for ticker in work.tickers if ticker in found}
    if not result.success:  # a name that is no ticker, or is not in the universe, has no row that would tell
        failed = {ticker: failed.get(ticker, _reason(result)) for ticker in work.tickers}
    return Outcome(work.tickers, failed, is_interrupted)


def _job(name: str) -> dg.JobDefinition:
    return definitions.defs.resolve_job_def(name)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    steps = {line: step.replace("__", "/") for step, line in _failed_steps(result).items()}
    return "; ".join(f"{name}: {line}" for line, name in steps.items()) or "the run failed outside its steps"


def _failed_steps(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Step → why it failed, in a line."""
    failures = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    return {str(event.step_key): failure_line(event) for event in failures}
