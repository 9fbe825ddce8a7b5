"""The platform's services, as they would be started."""

from dataclasses import replace
from pathlib import Path

import pytest

from stock_assets.settings import Settings
from stock_assets.supervisor.service import Service
from stock_assets.supervisor.services import Ports, mlflow_elsewhere, platform

PORTS = Ports(dashboard=1, dagster=2, mlflow=3, evidently=4)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("DAGSTER_UI", "DAGSTER_API", "MLFLOW_UI", "EVIDENTLY_UI"):
        monkeypatch.delenv(f"STOCK_ASSETS_{name}_URL", raising=False)
    return Settings(home=tmp_path / "home")


def _services(settings: Settings, **more: frozenset[str]) -> dict[str, Service]:
    run_dir = settings.home.parent
    return {one.name: one for one in platform(settings, PORTS, run_dir, **more)}


def test_every_screen_listens_on_its_port_of_this_machine_alone(settings: Settings) -> None:
    services = _services(settings)
    assert list(services) == ["dashboard", "code-server", "dagster", "daemon", "mlflow", "evidently"]
    for name, port in vars(PORTS).items():
        command = services[name].command
        assert command[command.index("--port") + 1] == str(port) == str(services[name].port)
        assert "127.0.0.1" in command
        assert services[name].address == f"http://127.0.0.1:{port}"


def test_children_know_the_home_and_where_the_others_are(settings: Settings) -> None:
    for one in _services(settings).values():
        assert one.environment["STOCK_ASSETS_HOME"] == str(settings.home)
        assert one.environment["DAGSTER_HOME"] == str(settings.dagster_dir)
        assert one.environment["STOCK_ASSETS_DAGSTER_UI_URL"] == "http://127.0.0.1:2"
        assert one.environment["STOCK_ASSETS_MLFLOW_UI_URL"] == "http://127.0.0.1:3"
        assert one.environment["STOCK_ASSETS_EVIDENTLY_UI_URL"] == "http://127.0.0.1:4"


def test_an_address_for_links_that_somebody_gave_is_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_UI_URL", "https://desk.example/dagster")
    given = _services(settings)["dashboard"].environment["STOCK_ASSETS_DAGSTER_UI_URL"]
    assert given == "https://desk.example/dagster"


def test_the_dashboard_asks_the_dagster_beside_it_whatever_people_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_UI_URL", "https://desk.example/dagster")
    assert _services(settings)["dashboard"].environment["STOCK_ASSETS_DAGSTER_API_URL"] == "http://127.0.0.1:2"


def test_what_is_left_out_is_not_linked_to(settings: Settings) -> None:
    services = _services(settings, without=frozenset({"mlflow", "evidently"}))
    assert list(services) == ["dashboard", "code-server", "dagster", "daemon"]
    assert "STOCK_ASSETS_EVIDENTLY_UI_URL" not in services["dashboard"].environment


@pytest.mark.parametrize(("store", "why"), [("off", "nothing is tracked"), ("https://ml.example", "names a server")])
def test_mlflow_is_not_started_where_it_has_nothing_to_show(settings: Settings, store: str, why: str) -> None:
    elsewhere = replace(settings, mlflow=store)
    assert "mlflow" not in _services(elsewhere)
    assert why in str(mlflow_elsewhere(elsewhere))


def test_mlflow_is_started_light_and_its_store_is_in_no_command_line(settings: Settings) -> None:
    store = "postgresql://desk:secret@127.0.0.1/mlflow"
    mlflow = _services(replace(settings, mlflow=store))["mlflow"]
    assert mlflow.environment["MLFLOW_BACKEND_STORE_URI"] == store
    assert mlflow.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert mlflow.command[-2:] == ("--workers", "1")
    assert "secret" not in f"{mlflow.command} {mlflow!r}"


def test_a_relative_folder_of_csv_files_is_found_from_the_home(settings: Settings) -> None:
    with_csv = replace(settings, csv_dir=Path("/somewhere/bars"))
    assert _services(with_csv)["code-server"].environment["STOCK_ASSETS_CSV_DIR"] == "/somewhere/bars"
