from datetime import UTC, datetime

import dagster as dg
import pytest

from stock_assets.definitions import defs
from stock_assets.schedules import SCHEDULES, UpkeepConfig
from storage.layout import scan
from storage.tables import TABLES
from tests.assets.conftest import Desk, desk
from tests.storage.frames import rows

__all__ = ["desk"]


def _upkeep(desk: Desk, *, now: str, days: int) -> dg.ExecuteInProcessResult:
    config = {
        "ops": {"tidy": {"config": {"days": days}}},
        "resources": {"clock": {"config": {"at": now}}},
        "loggers": {"console": {"config": {"log_level": "ERROR"}}},
    }
    return defs.resolve_job_def("upkeep").execute_in_process(config, desk.instance)


def test_the_weekly_upkeep_merges_files_and_removes_old_runs_but_no_row(desk: Desk) -> None:
    for n in range(3):
        desk.lake.append("champion", rows("champion", 1, ticker=f"T{n}"))
    before = desk.lake.read("champion").sort_values("ticker", ignore_index=True)
    old = _upkeep(desk, now="2024-03-03T08:00:00+00:00", days=90)
    assert len(scan(desk.lake.root, TABLES["champion"])) == 1
    assert desk.lake.read("champion").sort_values("ticker", ignore_index=True).equals(before)
    assert desk.instance.get_run_by_id(old.run_id) is not None
    later = _upkeep(desk, now="2199-01-01T08:00:00+00:00", days=90)
    assert [run.run_id for run in desk.instance.get_runs()] == [later.run_id]


def test_it_is_scheduled_by_default_once_a_week_for_what_prune_keeps() -> None:
    [schedule] = SCHEDULES
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING

    assert schedule.cron_schedule == "0 8 * * 0"
    assert UpkeepConfig().days == 90
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2024, 3, 3, 8, tzinfo=UTC))
    [request] = schedule.evaluate_tick(context).run_requests or []
    assert request.run_config == {}


@pytest.mark.parametrize("days", [0, -1])
def test_keeping_nothing_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        UpkeepConfig(days=days)
