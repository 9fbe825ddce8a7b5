"""The audit and the economic view as real runs: what fails is written down and shown red, and stops no forecast."""

import dagster as dg
import pytest

from stock_assets.cli import run
from stock_assets.definitions import defs
from tests.assets.conftest import SMALL, Desk


def test_the_audit_is_no_part_of_the_daily_update_and_comes_before_the_champion() -> None:
    def assets(job: str) -> set[str]:
        return {"/".join(key.path) for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys}

    assert "audit" not in assets("forecast") | assets("lineage") | assets("train")
    assert {"audit", "economics", "evaluation", "champion"} <= assets("backtest")
    assert assets("leak_audit") == {"audit", "champion"}
    graph = defs.resolve_asset_graph()
    assert dg.AssetKey("audit") in graph.get(dg.AssetKey("champion")).parent_keys
    assert dg.AssetKey("evaluation") in graph.get(dg.AssetKey("audit")).parent_keys


@pytest.mark.slow
def test_honest_work_passes_and_a_feature_that_holds_tomorrow_turns_the_check_red(
    own_desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = own_desk
    assert desk.made("economics") == {"AAPL"}
    assert desk.lake.read("economics", ticker="AAPL").empty  # there was no backtest
    assert "`stock-assets backtest`" in desk.lake.read("champion", ticker="AAPL")["reason"].iloc[-1]
    assert desk.run("AAPL", job="leak_audit").reason is None
    table = desk.lake.read("audit", ticker="AAPL")
    assert set(table["subject"]) == {"features", "splits", *SMALL}
    assert table["passed"].all()
    passed = desk.checks("audit")
    assert passed.keys() == {"complete", "sound"}
    assert all(one.passed for one in passed.values())

    features = desk.lake.read("features", ticker="AAPL")
    leaky = features.assign(gap=features["target_log_return"].fillna(0.0) + 0.01)
    desk.lake.write("features", leaky, ticker="AAPL")
    assert run(["audit", "-t", "AAPL"]) == 1
    assert "AAPL features features_truncated" in capsys.readouterr().err
    table = desk.lake.read("audit", ticker="AAPL").set_index(["subject", "name"])
    assert not table.loc[("features", "features_truncated"), "passed"]
    assert "gap" in table.loc[("features", "features_truncated"), "message"]
    assert not table.loc[("xgboost", "predictions_truncated"), "passed"]
    sound = desk.checks("audit")["sound"]
    assert (sound.passed, sound.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert str(sound.description).startswith("AAPL: features_proven: ")
    assert "models_proven" in str(sound.description)
    assert "splits_proven" not in str(sound.description)
    assert desk.statuses() == {"AAPL": "ok"}, "what fails is shown, and stops no forecast"
