"""Each step, on files as the version before wrote them: their columns are spelled out here, not taken from today's."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.lake import Lake
from storage.migrations import migrate
from storage.tables import TABLES
from storage.version import write_version
from tests.storage.frames import NEW_IN_3, drop_columns, make_version_2, partition, rows

NEW_IN_2 = {
    "predictions": ["scheme", "capped"],
    "evaluation": [
        *("rows_version", "skill_lower", "skill_upper", "minimum_detectable_skill", "dm_hln_abs_p", "mcs_p", "crps"),
        *("pesaran_timmermann_p", "directional_accuracy_lower", "up_share"),
    ],
    "champion": ["review", "rule_holds", "failed_reviews"],
    "models": ["run_id"],
    "forecasts": ["run_id"],
}


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A lake as version 1 wrote it: predictions of both schemes in one file, without the later columns."""
    root = tmp_path / "lake"
    lake = Lake(root)
    lake.write("evaluation", rows("evaluation"), ticker="AAPL")
    lake.append("champion", rows("champion"))
    lake.write("models", rows("models"), **partition("models"))
    lake.append("forecasts", rows("forecasts"))
    for scheme in ("holdout", "live"):
        part = rows("predictions", 4, seed=len(scheme)).assign(fold=scheme, scheme=scheme, capped=0)
        lake.write("predictions", part, **partition("predictions", scheme=scheme))
    folder = root / "predictions" / "ticker=AAPL" / "model=random_walk"
    both = pa.concat_tables([pq.ParquetFile(path).read() for path in sorted(folder.iterdir())])
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    pq.write_table(both, folder.with_suffix(".parquet"))
    drop_columns(root, NEW_IN_2)
    write_version(root, 1)
    return root


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    """A lake as version 2 wrote it: every table, and a failed ticker whose reason says everything in one line."""
    root = tmp_path / "lake"
    lake = Lake(root)
    for name, table in TABLES.items():
        if table.append_only:
            lake.append(name, rows(name))
        elif name != "tickers":
            lake.write(name, rows(name), **partition(name))
    for ticker, status, reason in (("AAPL", "ok", None), ("IBM", "failed", "prices: 2 closes are zero — correct them")):
        lake.write("tickers", rows("tickers", ticker=ticker, status=status, reason=reason), ticker=ticker)
    make_version_2(root)
    return root


def _stored(root: Path) -> dict[str, pa.Table]:
    """Every file's rows, by its path."""
    files = sorted(root.rglob("[!.]*.parquet"))
    return {path.relative_to(root).as_posix(): pq.ParquetFile(path).read() for path in files}


def test_version_2_rows_are_all_there_and_a_failed_ticker_has_room_for_stage_cure_and_run(version_2: Path) -> None:
    before = _stored(version_2)
    assert [step.to for step in migrate(version_2)] == [3]
    after = _stored(version_2)
    assert after.keys() == before.keys()
    for name, content in before.items():
        kept = [column for column in content.column_names if (name[:8], column) != ("tickers/", "reason")]
        assert after[name].select(kept).equals(content.select(kept)), name
        assert (after[name].num_columns > content.num_columns) is (name.split("/")[0] in NEW_IN_3), name
    lake = Lake(version_2)
    for name in TABLES:
        assert len(lake.read(name)), name
    tickers = lake.read("tickers").set_index("ticker")
    assert tickers["status"].to_dict() == {"AAPL": "ok", "IBM": "failed"}
    # What the reason said in one line is told apart; which run it was, nobody knows any more.
    told = tickers.loc["IBM", ["stage", "reason", "cure", "run_id"]].tolist()
    assert told == ["prices", "2 closes are zero", "correct them", None]
    assert tickers.loc["AAPL", ["stage", "reason", "cure", "run_id"]].isna().all()
    assert lake.read("predictions")["bars_version"].isna().all()


def test_a_step_to_version_3_that_was_killed_half_way_is_taken_again(version_2: Path) -> None:
    content = (version_2 / "tickers/ticker=IBM.parquet").read_bytes()
    migrate(version_2)
    first = _stored(version_2)
    (version_2 / "tickers/ticker=IBM.parquet").write_bytes(content)
    write_version(version_2, 2)
    assert [step.to for step in migrate(version_2)] == [3]
    assert _stored(version_2) == first


def test_version_1_rows_are_all_there_and_fit_the_contracts_of_today(version_1: Path) -> None:
    before = pq.ParquetFile(version_1 / "predictions/ticker=AAPL/model=random_walk.parquet").read().to_pandas()
    migrate(version_1)
    lake = Lake(version_1)
    after = lake.read("predictions")
    assert len(after) == len(before) == 8
    assert (after["scheme"] == after["fold"]).all()
    assert after["capped"].eq(0).all()
    expected = before.sort_values(["fold", "target_session"])["predicted"].tolist()
    assert after.sort_values(["fold", "target_session"])["predicted"].tolist() == expected
    assert lake.partitions("predictions") == [partition("predictions", scheme=scheme) for scheme in ("holdout", "live")]
    assert len(lake.read("evaluation")) == len(lake.read("champion")) == 3
    assert lake.read("evaluation")["crps"].isna().all()
    assert lake.read("champion")["failed_reviews"].eq(0).all()
    for table in ("models", "forecasts"):
        assert len(lake.read(table)) == 3
        assert lake.read(table)["run_id"].isna().all()


def test_a_step_that_was_killed_before_the_old_file_was_gone_is_taken_again(version_1: Path) -> None:
    old = version_1 / "predictions/ticker=AAPL/model=random_walk.parquet"
    content = old.read_bytes()
    migrate(version_1)
    first = Lake(version_1).read("predictions")
    old.write_bytes(content)
    write_version(version_1, 1)
    migrate(version_1)
    assert not old.exists()
    pd.testing.assert_frame_equal(Lake(version_1).read("predictions"), first)
