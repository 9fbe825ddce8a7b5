"""`replicate` as people meet it."""

import json
from pathlib import Path

import pytest

from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource
from tests.cli.conftest import Say
from tests.sources.csv_files import HEADER, NOW, write

QUICK = ("--models", "xgboost", "--fast")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled bars of AAPL as a download would be."""
    made = tmp_path_factory.mktemp("csv")
    bars = SampleSource().fetch("AAPL", FIRST_SESSION, LAST_SESSION, now=NOW).frame
    columns = ["open", "high", "low", "close", "adj_close", "volume"]
    lines = (
        f"{row.session:%Y-%m-%d},{','.join(repr(float(getattr(row, name))) for name in columns)}"
        for row in bars.itertuples()
    )
    write(made, HEADER, *lines)
    return made


def test_bars_that_are_not_the_reference_s_are_said_to_be_so(say: Say, folder: Path, home: Path) -> None:
    said = say("replicate", "--csv-dir", str(folder), *QUICK)
    assert said.code == 0
    assert "NOT THE REFERENCE'S BARS (AAPL from 2020-10-05 to 2025-10-03, 1,256 bars)" in said.err
    assert "1,256 bars from 2008-03-06 to 2013-03-01; scored on 126 sessions" in said.err
    assert "--fast: small models" in said.err
    for whose in ("published", "reference", "default", "benchmark"):
        assert whose in said.out
    assert not home.exists()


@pytest.mark.slow
def test_the_path_of_the_published_sarima_is_named(say: Say, folder: Path) -> None:
    said = say("replicate", "--csv-dir", str(folder), "--models", "sarima", "--fast")
    assert "sarima, published: a path of 126 days, not one session ahead" in said.out


@pytest.mark.parametrize("style", ["csv", "json"])
def test_rows_are_written_for_programs(say: Say, folder: Path, style: str) -> None:
    said = say("replicate", "--csv-dir", str(folder), *QUICK, "--format", style)
    assert said.code == 0
    if style == "json":
        rows = json.loads(said.out)
        assert [row["formulation"] for row in rows] == ["benchmark", "published", "reference", "default"]
        assert rows[0]["last_session"] == "2013-03-01"
        assert rows[0]["n"] == 126
    else:
        assert said.out.splitlines()[0].startswith("model,formulation,rmse,mae,")
        assert ",126,2012-08-28,2013-03-01," in said.out


def test_a_model_without_published_numbers_is_refused(say: Say, folder: Path) -> None:
    said = say("replicate", "--csv-dir", str(folder), "--models", "prophet")
    assert said.code == 1
    assert said.err.endswith(
        "--models names 'prophet', for which the reference published nothing — choose among sarima, random_forest, "
        "xgboost, lstm_keras, lstm_pytorch\n"
    )


def test_a_folder_that_is_not_there_is_refused(say: Say, tmp_path: Path) -> None:
    said = say("replicate", "--csv-dir", str(tmp_path / "nothing"))
    assert said.code == 1
    assert "is not a folder" in said.err


def test_the_folder_must_be_named(say: Say) -> None:
    said = say("replicate")
    assert said.code == 2
    assert "--csv-dir" in said.err
