"""What runs by itself is on by default, and documented."""

import dagster as dg

from stock_assets.schedules import SCHEDULES
from stock_assets.sensors import SENSORS
from tests.project.sources import ROOT


def test_everything_runs_by_default() -> None:
    assert {sensor.name for sensor in SENSORS if sensor.default_status != dg.DefaultSensorStatus.RUNNING} == set()
    assert {one.name for one in SCHEDULES if one.default_status != dg.DefaultScheduleStatus.RUNNING} == set()


def test_everything_that_runs_is_in_the_document_and_nothing_else() -> None:
    text = (ROOT / "docs" / "automation.md").read_text(encoding="utf-8")
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `") and "STOCK_" not in line}
    assert documented == {one.name for one in (*SENSORS, *SCHEDULES)}


def test_every_variable_of_the_settings_about_automation_is_in_the_document() -> None:
    text = (ROOT / "docs" / "automation.md").read_text(encoding="utf-8")
    assert {"STOCK_ASSETS_WEBHOOK", "STOCK_ASSETS_RETRAIN_DAYS", "STOCK_ASSETS_PINNED"} <= set(text.split("`"))
