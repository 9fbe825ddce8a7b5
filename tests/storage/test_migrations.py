"""Each step, on files as the version before wrote them: their columns are spelled out here, not taken from today's."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.lake import Lake
from storage.migrate import migrate
from storage.version import write_version
from tests.storage.frames import partition, rows

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
    for table, names in NEW_IN_2.items():
        for path in (root / table).rglob("*.parquet"):
            pq.write_table(pq.ParquetFile(path).read().drop_columns(names), path)
    write_version(root, 1)
    return root


def test_version_1_rows_are_all_there_and_fit_the_contracts_of_version_2(version_1: Path) -> None:
    before = pq.ParquetFile(version_1 / "predictions/ticker=AAPL/model=random_walk.parquet").read().to_pandas()
    migrate(version_1, target=2)
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
    migrate(version_1, target=2)
    first = Lake(version_1).read("predictions")
    old.write_bytes(content)
    write_version(version_1, 1)
    migrate(version_1, target=2)
    assert not old.exists()
    pd.testing.assert_frame_equal(Lake(version_1).read("predictions"), first)
