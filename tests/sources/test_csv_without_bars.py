"""A csv folder that has no bar to give: what is said then is true, and its cure fits."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from stock_assets.sources.base import MalformedData, NoDataInRange, UnknownTicker
from stock_assets.sources.csv import CsvSource
from tests.sources.csv_files import HEADER, NOW, ROWS, fetch, write


def test_rows_of_nulls_alone_are_none_at_all(tmp_path: Path) -> None:
    write(tmp_path, HEADER, "2024-01-03,null,null,null,null,null,null")

    with pytest.raises(NoDataInRange, match=r"csv has no complete bar of AAPL .* it has none at all"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("now", "end", "message"),
    [
        (
            NOW,
            date(2024, 1, 1),
            "to 2024-01-01; its bars are from 2024-01-02 to 2024-01-04, all after that — fetch again",
        ),
        (
            datetime(2023, 6, 1, tzinfo=UTC),
            date(2024, 1, 4),
            "to 2024-01-04; its bars are from 2024-01-02 to 2024-01-04, none complete yet — fetch again",
        ),
        (datetime(2023, 6, 1, tzinfo=UTC), date(2023, 6, 1), "its bars are from 2024-01-02 to 2024-01-04, all after"),
    ],
    ids=["after the range", "in the future", "after the range in the future"],
)
def test_bars_after_the_range_or_the_day_are_said_to_be(tmp_path: Path, now: datetime, end: date, message: str) -> None:
    write(tmp_path, HEADER, *ROWS)

    with pytest.raises(NoDataInRange, match=message):
        CsvSource(tmp_path).fetch("AAPL", date(2023, 1, 1), end, now=now)


def test_bars_before_the_range_ask_for_another(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *ROWS)

    with pytest.raises(NoDataInRange, match=r"its bars are from 2024-01-02 to 2024-01-04 — ask for .* \(--lookback\)"):
        CsvSource(tmp_path).fetch("AAPL", date(2025, 1, 1), date(2025, 12, 31), now=NOW)


def test_a_folder_of_the_files_name_is_called_a_folder(tmp_path: Path) -> None:
    (tmp_path / "DIR.csv").mkdir()

    with pytest.raises(MalformedData, match=r"DIR\.csv is a folder; expected a file"):
        fetch(tmp_path, "DIR")
    with pytest.raises(UnknownTicker, match="it holds 0 files — put DIRT"):
        fetch(tmp_path, "DIRT")


@pytest.mark.parametrize("name", ["low.csv", "LOW.CSV"])
def test_a_file_in_other_letters_is_to_be_renamed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("\n".join([HEADER, *ROWS]))

    if (tmp_path / "LOW.csv").exists():
        pytest.skip("this file system takes both names for one")
    with pytest.raises(UnknownTicker, match=rf"has no LOW\.csv.*rename {name} to LOW\.csv"):
        fetch(tmp_path, "LOW")


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *ROWS, name="AAPL")
    write(tmp_path, HEADER, *ROWS, name="MSFT")

    with pytest.raises(UnknownTicker, match=r"has no APPL\.csv; it holds 2 files — did you mean AAPL\?"):
        fetch(tmp_path, "APPL")
    with pytest.raises(UnknownTicker, match=r"put XYZ\.csv into"):
        fetch(tmp_path, "XYZ")
