"""Homes that cannot be written to, and homes that were only mistyped: said in one line, and nothing is made."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stock_assets.cli.context import HomeNotWritable, require_writable
from tests.cli.conftest import Say

READING = (["tickers", "list"], ["tickers", "remove", "AAPL"], ["leaderboard"], ["sql", "FROM tickers"], ["doctor"])
WRITING = (["tickers", "add", "AAPL"], ["publish"], ["migrate"])


@pytest.fixture(params=["below a file", "/proc/nowhere"])
def impossible(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """A home that nobody can make, not even root."""
    if request.param == "below a file":
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "home"
    else:
        path = Path(request.param)
        if sys.platform != "linux":
            pytest.skip("only Linux has /proc")
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(path))
    return path


@pytest.fixture
def read_only(home: Path, say: Say) -> Iterator[Path]:
    """A home in use whose owner has taken the right to write away."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    say("tickers", "add", "AAPL")
    folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield home
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.parametrize("line", WRITING)
def test_a_home_that_cannot_be_made_is_refused_in_one_line_with_its_cure(
    line: list[str], impossible: Path, say: Say
) -> None:
    said = say(*line)
    assert said.code == 1
    assert f"error: {impossible} cannot be written to" in said.err
    assert "STOCK_ASSETS_HOME=" in said.err
    assert said.err.count("\n") == 2  # the home, and the error


def test_reading_an_impossible_home_finds_nothing_and_the_doctor_names_it(impossible: Path, say: Say) -> None:
    assert "nothing published" in say("tickers", "list").err
    assert "nothing has been published" in say("leaderboard").err
    doctor = say("doctor")
    assert doctor.code == 1
    assert "cannot be written to" in doctor.out
    assert doctor.err.splitlines()[-1].startswith("error: missing: home — ")


@pytest.mark.parametrize("line", READING)
def test_looking_at_a_mistyped_home_makes_nothing_there(line: list[str], home: Path, say: Say) -> None:
    say(*line)
    assert not home.exists()


@pytest.mark.parametrize("line", READING)
def test_looking_at_a_home_in_use_changes_no_file(line: list[str], home: Path, say: Say) -> None:
    say("tickers", "add", "IBM")
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    say(*line)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if ".locks" not in path.parts} == {
        path: time for path, time in before.items() if ".locks" not in path.parts
    }


def test_a_read_only_home_can_be_listed_and_the_doctor_says_what_is_wrong(read_only: Path, say: Say) -> None:
    assert say("tickers", "list").out.splitlines()[1].split()[0] == "AAPL"
    doctor = say("doctor")
    assert doctor.code == 1
    assert "1 tickers" in doctor.out
    assert "cannot be written to (Permission denied)" in doctor.out
    for line in (["tickers", "add", "IBM"], ["tickers", "remove", "AAPL"], ["publish"]):
        assert f"error: {read_only} cannot be written to (Permission denied)" in say(*line).err


def test_a_writable_home_is_made_and_stays_empty(home: Path) -> None:
    require_writable(home)
    assert list(home.iterdir()) == []


def test_a_folder_in_the_home_that_cannot_be_written_to_is_named(read_only: Path) -> None:
    read_only.chmod(0o755)
    with pytest.raises(HomeNotWritable, match=r"home/\w+ cannot be written to \(Permission denied\), expected"):
        require_writable(read_only)
