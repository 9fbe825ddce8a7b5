"""The doctor finds what is missing, says how to get it, and fails only where commands would."""

import importlib.metadata
import shutil
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from stock_assets.cli import checkup, checkup_home
from stock_assets.forecasting import sessions
from stock_assets.forecasting.sessions import last_known_session
from stock_assets.settings import Settings
from storage import files
from storage.lake import Lake
from storage.tables import SCHEMA_VERSION
from tests.cli.conftest import Say


def test_a_sound_machine_passes_and_every_line_is_about_something(say: Say) -> None:
    said = say("doctor")
    assert said.code == 0
    for name in ("Python", "packages", "disk", "memory", "cores", "port 3000", "home", "source", "sample data"):
        assert f"\n{name} " in said.out, name
    assert "missing" not in said.out


def test_something_missing_fails_and_is_named_with_its_cure(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_SOURCE", "bloomberg")
    said = say("doctor")
    assert said.code == 1
    assert "STOCK_ASSETS_SOURCE is 'bloomberg'" in said.out
    assert said.err.splitlines()[-1].startswith("error: missing: source — ")


def test_an_unsupported_python_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    result = checkup.check_python()
    assert (result.state, result.found) == ("missing", "3.9.2")


def test_a_package_that_is_absent_or_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importlib.metadata, "requires", lambda _: ["surely-absent>=1", "typer>=99", "numpy", "x; extra == 'dev'"]
    )
    absent, other = checkup.check_packages()
    assert (absent.name, absent.state, absent.found) == ("surely-absent", "missing", "not installed")
    assert "pip install 'surely-absent>=1'" in absent.cure
    assert (other.name, other.state) == ("typer", "missing")
    assert "expected >=99" in other.found


def test_a_full_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    assert checkup.check_disk(tmp_path / "not" / "yet").state == "warn"


def test_little_memory_and_one_core_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "WANTED_MEMORY_GIB", 10**6)
    monkeypatch.setattr(checkup, "WANTED_CORES", 10**6)
    assert [checkup.check_memory().state, checkup.check_cores().state] == ["warn", "warn"]


def test_a_port_in_use_is_a_warning_and_a_free_one_is_not() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert checkup.check_port(port, "dashboard").state == "warn"
    assert checkup.check_port(port, "dashboard").state == "ok"


def test_an_unreachable_host_is_a_warning_and_a_reachable_one_is_not() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert checkup.check_network(*listener.getsockname()).state == "ok"
        port = listener.getsockname()[1]
    refused = checkup.check_network("127.0.0.1", port)
    assert refused.state == "warn"
    assert "--source sample" in refused.cure


def test_the_network_is_probed_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "YAHOO", ("127.0.0.1", 1))
    assert "network" not in [result.name for result in checkup.check_machine(tmp_path, network=False)]
    assert "network" in [result.name for result in checkup.check_machine(tmp_path, network=True)]


def test_a_home_below_a_file_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert checkup_home.check_writable(tmp_path / "file" / "home").state == "missing"
    assert checkup_home.check_writable(tmp_path / "home").state == "ok"


def test_the_csv_source_needs_its_folder(tmp_path: Path) -> None:
    without = checkup_home.check_source(Settings(tmp_path, source="csv"))
    assert (without.state, without.cure) == ("missing", "set STOCK_ASSETS_CSV_DIR to a folder of TICKER.csv files")
    (tmp_path / "AAPL.csv").write_text("")
    assert checkup_home.check_source(Settings(tmp_path, source="csv", csv_dir=tmp_path)).found.startswith(
        "csv: 1 files"
    )


def test_a_home_in_use_is_described(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL")
    (home / "lake" / "tickers" / ".x.parquet.nowhere.1.0.tmp").touch()
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    (home / "lake" / "tickers" / f".x.parquet.{files.host()}.{dead.stdout.strip()}.0.tmp").touch()
    said = say("doctor")
    assert said.code == 0
    assert f"schema version {SCHEMA_VERSION}, 1 tickers" in said.out
    assert "1 temporary files of killed processes" in said.out
    assert "answers; 0 forecasts" in said.out


def test_a_damaged_published_database_is_missing_and_publish_cures_it(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL")
    for path in (home / "published").glob("*.duckdb"):
        path.write_bytes(b"not a database" * 1000)
    said = say("doctor")
    assert said.code == 1
    assert "stock-assets publish" in said.out
    assert say("publish").code == 0
    assert say("doctor").code == 0


def test_a_calendar_is_named_from_a_month_before_its_end() -> None:
    last = last_known_session("XBOM")
    assert checkup_home.ending_calendars(["XBOM", "XNYS"], last - timedelta(days=32)) == []
    assert checkup_home.ending_calendars(["XBOM", "XNYS"], last - timedelta(days=31)) == [
        f"XBOM is known to {last} only"
    ]
    [unknown] = checkup_home.ending_calendars(["XXXX"], last)
    assert "'XXXX' is not an exchange calendar" in unknown


def test_the_calendars_of_a_home_are_looked_at(home: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    say("tickers", "add", "AAPL")
    lake = Lake(home / "lake")
    rows = lake.read("tickers")
    lake.write("tickers", rows.assign(calendar="XBOM"), ticker="AAPL")
    assert say("publish").code == 0
    assert checkup_home.check_calendars(Settings(home)).state in {"ok", "warn"}
    monkeypatch.setattr(sessions, "CALENDAR_ENDS_SOON", timedelta(days=40_000))
    found = checkup_home.check_calendars(Settings(home))
    assert (found.state, found.found) == ("warn", f"XBOM is known to {last_known_session('XBOM')} only")
