"""Keeping a home in order."""

import json
from pathlib import Path

from stock_assets.instance import open_instance
from stock_assets.settings import load_settings
from storage.sql import run_select
from storage.tables import SCHEMA_VERSION
from tests.cli.conftest import Say
from tests.storage.frames import make_version_2


def test_publish_rebuilds_the_database_to_the_same_content(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL")
    before = run_select("FROM tickers", home)
    said = say("publish")
    assert said.code == 0
    assert said.out.startswith("generation 2: ")
    assert run_select("FROM tickers", home).equals(before)


def test_migrate_of_a_current_lake_has_nothing_to_do(say: Say) -> None:
    say("tickers", "add", "AAPL")
    assert say("migrate").out == f"the lake is at schema version {SCHEMA_VERSION}: nothing to do\n"


def test_a_home_of_the_version_before_is_named_by_the_doctor_and_migrated_whole(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL", "IBM")
    with open_instance(load_settings()) as instance:
        instance.add_dynamic_partitions("ticker", ["AAPL", "IBM"])
    before = run_select("SELECT ticker, status, updated_at FROM tickers", home)
    make_version_2(home / "lake")
    for line in (["doctor"], ["forecast"], ["tickers", "add", "MSFT"]):
        said = say(*line)
        assert said.code == 1
        assert "has schema version 2, this program expects 3" in " ".join((said.out + said.err).split()), line
        assert "run `stock-assets migrate`" in said.out + said.err, line

    said = say("migrate")
    assert said.code == 0
    assert said.out == "the lake is at schema version 3\n"
    assert "to version 3: stage, cure and run of a failed ticker" in said.err
    assert run_select("SELECT ticker, status, updated_at FROM tickers", home).equals(before)
    with open_instance(load_settings()) as instance:
        assert instance.get_dynamic_partitions("ticker") == []
        assert instance.get_dynamic_partitions("market") == ["XNYS"]
    assert say("doctor").code == 0
    assert say("migrate").out.endswith(": nothing to do\n")


def test_a_lake_of_a_newer_program_is_refused_by_every_command_and_named_by_the_doctor(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL")
    (home / "lake" / "schema_version.json").write_text(json.dumps({"schema_version": 99}))
    for line in (["migrate"], ["publish"], ["tickers", "remove", "AAPL"]):
        said = say(*line)
        assert said.code == 1
        assert "schema version 99" in said.err
    doctor = say("doctor")
    assert doctor.code == 1
    assert "schema version 99" in doctor.out


def test_publish_says_where_somebodys_unfinished_writes_are_kept(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL")
    (home / "warehouse.duckdb.wal").write_bytes(b"unfinished")
    said = say("publish")
    assert said.code == 0
    assert "warning: someone's unfinished writes to warehouse.duckdb were moved to " in said.err
    kept = said.err.strip().rsplit(" ", 1)[-1]
    assert Path(kept).read_bytes() == b"unfinished"


def test_publish_names_damaged_files_with_the_cure_and_fails(home: Path, say: Say) -> None:
    for ticker in ("AAPL", "IBM", "MSFT"):
        say("tickers", "add", ticker)
    damaged = [home / "lake" / "tickers" / f"ticker={ticker}.parquet" for ticker in ("IBM", "MSFT")]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-20])
    said = say("publish")
    assert said.code == 1
    assert said.out.startswith("generation ")
    cure = "restore the file from a backup, or delete it and run that ticker again"
    assert said.err.splitlines()[1:] == [
        *(f"warning: {path} is damaged and was not published: {cure}" for path in damaged),
        "error: 2 damaged files of the lake could not be published — the lines above name them, and what to do",
    ]
    assert run_select("FROM tickers", home)["ticker"].tolist() == ["AAPL"]
