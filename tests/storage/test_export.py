import json
from pathlib import Path

import pandas as pd
import pytest

from storage.errors import ExportRefused, NothingPublished, UnknownTable
from storage.export import export_table
from storage.publisher import Publisher
from tests.storage.frames import rows

PRICES = rows("prices", 3, dividends=[0.5, float("nan"), 0.0])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    publisher = Publisher(tmp_path_factory.mktemp("home"))
    publisher.lake.write("prices", PRICES, ticker="AAPL")
    publisher.publish()
    return publisher.home


def test_csv_has_every_row_with_plain_dates(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "it's prices.csv"
    assert export_table("prices", file, published) == 3
    assert file.read_text().splitlines()[1].startswith("AAPL,2024-01-01,")
    pd.testing.assert_frame_equal(pd.read_csv(file, parse_dates=["session"]), PRICES)


def test_parquet_has_every_row_with_its_types(published: Path, tmp_path: Path) -> None:
    export_table("prices", tmp_path / "p.parquet", published)
    back = pd.read_parquet(tmp_path / "p.parquet")
    pd.testing.assert_frame_equal(back.astype({"session": "datetime64[ns]"}), PRICES)


def test_json_is_a_list_of_objects(published: Path, tmp_path: Path) -> None:
    export_table("prices", tmp_path / "p.JSON", published)
    back = json.loads((tmp_path / "p.JSON").read_text())
    assert [row["session"] for row in back] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert [row["dividends"] for row in back] == [0.5, None, 0.0]


def test_a_view_and_an_empty_table_are_exported_too(published: Path, tmp_path: Path) -> None:
    assert export_table("leaderboard", tmp_path / "l.csv", published) == 0
    assert (tmp_path / "l.csv").read_text().startswith("ticker,scheme,role,model")
    assert export_table("forecasts", tmp_path / "f.parquet", published) == 0


def test_an_existing_file_is_replaced_and_nothing_else_is_left(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("old")
    export_table("prices", file, published)
    assert file.read_text() != "old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_exported_is_refused_with_the_cure(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownTable, match=r"no table 'price' — did you mean prices\?"):
        export_table("price", tmp_path / "p.csv", published)
    with pytest.raises(
        ExportRefused, match=r"cannot export to 'p.xlsx': .* one of .csv, .parquet, .json — name it p.csv"
    ):
        export_table("prices", tmp_path / "p.xlsx", published)
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(ExportRefused, match=r"folder.csv is a folder — name a file in it"):
        export_table("prices", folder, published)
    with pytest.raises(ExportRefused, match=r"there is no folder .*nowhere — create it"):
        export_table("prices", tmp_path / "nowhere" / "p.csv", published)
    with pytest.raises(ExportRefused, match=r"cannot write .* — name a place you may write to"):
        export_table("prices", tmp_path / ("x" * 250 + ".csv"), published)
    with pytest.raises(NothingPublished, match="run `stock-assets run`"):
        export_table("prices", tmp_path / "p.csv", tmp_path)
