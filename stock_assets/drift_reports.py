"""Evidently's side of drift: reports people can look through, in a workspace with a project per ticker.

The tables decide (`forecasting/drift.py`); these reports show the same comparison with the same method and thresholds,
a summary of the inputs, and how predictions did. One takes seconds and megabytes, so only drifted and pinned tickers
get them, and only the newest are kept.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stock_assets.forecasting.drift import CURRENT, METHOD, REFERENCE, SHARE
from stock_assets.forecasting.features import FEATURES
from stock_assets.settings import quiet_libraries

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

KEPT = 10
"""Reports kept of each kind and ticker."""
_NAMES = [feature.name for feature in FEATURES]


@dataclass(frozen=True)
class DriftWorkspace:
    """Evidently's workspace in the home."""

    folder: Path

    def report_inputs(self, ticker: str, features: pd.DataFrame, drift: pd.DataFrame) -> str:
        """Write a report on one check (rows of table `drift`) of a ticker's inputs; returns its identity there."""
        quiet_libraries()
        from evidently import Report
        from evidently.presets import DataDriftPreset, DataSummaryPreset

        values = features.sort_values("session").tail(REFERENCE + CURRENT)[_NAMES]
        comparison = DataDriftPreset(
            columns=_NAMES,
            num_method=METHOD,
            per_column_threshold=dict(zip(drift["feature"], drift["threshold"], strict=True)),
            drift_share=SHARE,
        )
        report = Report([comparison, DataSummaryPreset(columns=_NAMES)], include_tests=False)
        snapshot = report.run(values.tail(CURRENT), values.iloc[:-CURRENT])
        return self._add(ticker, snapshot, name=f"inputs {drift['current_end'].iloc[0]:%Y-%m-%d}")

    def report_predictions(
        self, ticker: str, live: pd.DataFrame, tested: pd.DataFrame, *, session: pd.Timestamp
    ) -> str:
        """Write a report on errors of one model's live forecasts beside those of its test predictions.

        Both have columns predicted and actual, and at least two rows; the newest session is in the report's name.
        """
        quiet_libraries()
        from evidently import DataDefinition, Dataset, Regression, Report
        from evidently.presets import RegressionPreset

        columns = ["predicted", "actual"]
        regression = Regression(target="actual", prediction="predicted")
        definition = DataDefinition(numerical_columns=columns, regression=[regression])
        current, reference = (Dataset.from_pandas(frame[columns], definition) for frame in (live, tested))
        with warnings.catch_warnings():
            # It scores bins of one row, too, which have no R².
            warnings.filterwarnings("ignore", message=r"R\^2 score is not well-defined")
            snapshot = Report([RegressionPreset()], include_tests=False).run(current, reference)
        return self._add(ticker, snapshot, name=f"predictions {session:%Y-%m-%d}")

    def _add(self, ticker: str, snapshot: "Snapshot", *, name: str) -> str:
        from evidently.ui.workspace import Workspace

        workspace: Any = Workspace.create(str(self.folder))
        projects: Mapping[str, Any] = {project.name: project for project in workspace.list_projects()}
        project = projects.get(ticker) or workspace.create_project(ticker)
        kind = name.partition(" ")[0]
        runs = {run: workspace.get_run(project.id, run).name or "" for run in workspace.list_runs(project.id)}
        # Identities are UUIDs of version 7, which sort by time.
        earlier = sorted(run for run, known_as in runs.items() if known_as.startswith(kind) and known_as != name)
        again = [run for run, known_as in runs.items() if known_as == name]
        for run in (*again, *earlier[: max(0, len(earlier) - KEPT + 1)]):
            workspace.delete_run(project.id, run)
        return str(workspace.add_run(project.id, snapshot, name=name).id)
