import dagster as dg
import pytest

from stock_assets.clock import Clock
from stock_assets.resources import Warehouse
from stock_assets.sensors.failed_runs import failed_runs
from tests.assets.conftest import Desk
from tests.sensors.conftest import NOW


@pytest.mark.slow
def test_a_failed_run_is_announced_once_with_its_reason_and_cure(desk: Desk, warehouse: Warehouse) -> None:
    assert desk.run("NOPE", job="fetch").reason is not None
    [run] = desk.instance.get_runs()
    failure = desk.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[0]
    event = failure.event_log_entry.dagster_event
    assert event is not None
    for _ in range(2):
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_event=event,
            dagster_instance=desk.instance,
            dagster_run=run,
            resources={"warehouse": warehouse, "clock": Clock(at=NOW.isoformat())},
        ).for_run_failure()
        failed_runs(context)
    told = desk.lake.read("announcements")
    assert len(told) == 1
    assert told["message"].iloc[0].startswith("NOPE: a run failed: ")
    assert "sample" in told["message"].iloc[0]
    assert told["kind"].tolist() == ["failure"]
