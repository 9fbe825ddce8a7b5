"""The asset drift on real runs, and Evidently's workspace of drifted and pinned tickers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stock_assets.cli import run
from stock_assets.drift_reports import KEPT, DriftWorkspace
from stock_assets.forecasting.drift import CURRENT, measure_drift
from stock_assets.forecasting.features import FEATURES, compute_features
from tests.assets.conftest import Desk
from tests.synthetic import garch_bars

NAMES = [feature.name for feature in FEATURES]
NOW = pd.Timestamp("2024-03-05 22:00", tz="UTC").to_pydatetime()


def _names(workspace: DriftWorkspace, ticker: str) -> list[str]:
    from evidently.ui.workspace import Workspace

    opened = Workspace(str(workspace.folder))
    projects = {project.name: project.id for project in opened.list_projects()}
    runs = opened.list_runs(projects[ticker]) if ticker in projects else []
    return sorted(opened.get_run(projects[ticker], run).name for run in runs)


def test_a_calm_ticker_is_checked_and_gets_no_report(finished_desk: Desk) -> None:
    said = finished_desk.metadata("drift")
    checks = finished_desk.lake.read("drift", ticker="AAPL")
    assert sorted(checks["feature"]) == sorted(NAMES)
    assert said["inputs_drifted"] is bool(checks["drifted"].mean() >= 0.25)
    assert said["inputs_drifted"] is False
    assert said["evidently_reports"] == "none"
    assert not (finished_desk.settings.home / "evidently").exists()


@pytest.mark.slow
def test_a_pinned_ticker_gets_reports_and_the_same_session_again_replaces_them(
    finished_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = finished_desk.lake.read("drift", ticker="AAPL")
    monkeypatch.setenv("STOCK_ASSETS_PINNED", "MSFT, AAPL")
    for _ in range(2):
        assert finished_desk.run("AAPL", job="drift_check").reason is None
    again = finished_desk.lake.read("drift", ticker="AAPL")
    assert len(again) == len(checks), "a session checked again replaces what was said before"
    workspace = DriftWorkspace(finished_desk.settings.evidently_dir)
    assert _names(workspace, "AAPL") == [f"inputs {checks['current_end'].iloc[0]:%Y-%m-%d}"]
    assert finished_desk.metadata("drift")["evidently_reports"] != "none"


@pytest.mark.slow
def test_a_drifted_ticker_gets_a_report_that_finds_what_the_table_says(tmp_path: Path) -> None:
    features = compute_features(garch_bars("AAPL", 420, seed=5))
    louder = features.copy()
    louder.loc[louder.index[-CURRENT:], NAMES] *= 4
    check = measure_drift(louder, checked_at=NOW)
    assert check["drifted"].any()
    workspace = DriftWorkspace(tmp_path / "evidently")
    run = workspace.report_inputs("AAPL", louder, check)
    content = _content(workspace, "AAPL", run)
    distances = {name: value for name, value in content.items() if name in NAMES}
    expected = check.set_index("feature")["statistic"]
    assert len(distances) == len(NAMES)
    for name, value in distances.items():
        assert value == pytest.approx(expected[name], rel=0.08, abs=0.03), name


def _content(workspace: DriftWorkspace, ticker: str, run: str) -> dict[str, float]:
    """Evidently's own drift score of each column."""
    from evidently.ui.workspace import Workspace

    opened = Workspace(str(workspace.folder))
    project = next(project.id for project in opened.list_projects() if project.name == ticker)
    found = {}
    for metric in opened.get_run(project, run).metric_results.values():
        kind, _, name = metric.display_name.partition(" for ")
        if kind == "Value drift":
            found[name] = float(metric.value)
    return found


@pytest.mark.slow
def test_few_live_forecasts_are_reported_without_a_word_on_the_terminal(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    tested = pd.DataFrame({"predicted": np.linspace(100, 110, 30), "actual": np.linspace(101, 109, 30)})
    session = pd.Timestamp("2024-03-05")
    DriftWorkspace(tmp_path / "evidently").report_predictions("AAPL", tested.tail(3), tested, session=session)
    assert not [str(one.message) for one in recwarn if "R^2" in str(one.message)]


@pytest.mark.slow
def test_only_the_newest_reports_of_each_kind_are_kept(tmp_path: Path) -> None:
    workspace = DriftWorkspace(tmp_path / "evidently")
    rng = np.random.default_rng(0)
    actual = pd.Series(100 + rng.standard_normal(60))
    rows = pd.DataFrame({"predicted": actual.shift(fill_value=100.0), "actual": actual})
    sessions = pd.bdate_range("2024-01-01", periods=KEPT + 2)
    for session in sessions:
        workspace.report_predictions("AAPL", rows.tail(20), rows, session=session)
    workspace.report_predictions("MSFT", rows.tail(20), rows, session=sessions[0])
    workspace.report_predictions("AAPL", rows.tail(20), rows, session=sessions[-1])
    assert _names(workspace, "AAPL") == [f"predictions {session:%Y-%m-%d}" for session in sessions[2:]]
    assert _names(workspace, "MSFT") == ["predictions 2024-01-01"]


@pytest.mark.slow
def test_the_command_checks_in_a_real_run_and_says_what_it_found(
    finished_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(finished_desk.instance.get_runs())
    assert run(["drift", "--ticker", "AAPL"]) == 0
    out = capsys.readouterr().out
    assert "AAPL: the inputs have not drifted" in out
    assert "sessions checked; 8 of 10 lead to a retraining" in out
    assert "no decision on retraining yet" in out
    assert len(finished_desk.instance.get_runs()) == before + 1
    assert finished_desk.instance.get_runs()[0].job_name == "drift_check"
