import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from storage.errors import InvalidTicker
from storage.layout import partition_of, partition_path, scan
from storage.tables import TABLES
from storage.tickers import validate_ticker

PREDICTIONS = TABLES["predictions"]
ROOT = Path("/lake")


def _is_ticker(name: str) -> bool:
    try:
        validate_ticker(name)
    except InvalidTicker:
        return False
    return True


tickers = st.text(string.ascii_uppercase + string.digits + ".-^=&", min_size=1, max_size=20).filter(_is_ticker)
models = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@given(ticker=tickers, model=models)
def test_every_ticker_and_model_come_back_from_their_path(ticker: str, model: str) -> None:
    path = partition_path(ROOT, PREDICTIONS, {"scheme": "live", "model": model, "ticker": ticker})
    relative = path.relative_to(ROOT).as_posix()
    assert partition_of(PREDICTIONS, relative) == {"ticker": ticker, "model": model, "scheme": "live"}
    assert len(path.relative_to(ROOT).parts) == 4
    assert not any(part.startswith(".") for part in path.relative_to(ROOT).parts)


@given(first=tickers, second=tickers)
def test_two_tickers_never_share_a_path_not_even_where_case_is_ignored(first: str, second: str) -> None:
    paths = {str(partition_path(ROOT, TABLES["prices"], {"ticker": name})).lower() for name in (first, second)}
    assert len(paths) == len({first, second})


@given(name=st.text(max_size=30))
def test_any_text_is_either_a_ticker_that_stays_in_the_lake_or_refused(name: str) -> None:
    if _is_ticker(name):
        assert partition_path(ROOT, TABLES["prices"], {"ticker": name}).parent == ROOT / "prices"


def test_only_finished_files_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "predictions" / "ticker=AAPL" / "model=a"
    folder.mkdir(parents=True)
    (folder / "scheme=live.parquet").touch()
    (folder / "scheme=holdout.parquet").touch()
    (folder / ".scheme=live.parquet.host.1.0.tmp").touch()
    (folder / "notes.txt").touch()
    (tmp_path / "predictions" / "stray.parquet").mkdir()
    assert list(scan(tmp_path, PREDICTIONS)) == [
        f"predictions/ticker=AAPL/model=a/scheme={scheme}.parquet" for scheme in ("holdout", "live")
    ]


def test_a_scan_for_some_partitions_lists_what_a_whole_scan_has_of_them(tmp_path: Path) -> None:
    table = TABLES["predictions"]
    wanted = {"ticker": ["^GSPC", "BRK-B"], "model": ["sarima"]}
    for ticker in ("^GSPC", "BRK-B", "AAPL"):
        for model in ("sarima", "xgboost"):
            path = partition_path(tmp_path, table, {"ticker": ticker, "model": model, "scheme": "live"})
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    everything = scan(tmp_path, table)
    expected = {
        path: content
        for path, content in everything.items()
        if all(partition_of(table, path)[name] in values for name, values in wanted.items())
    }
    assert scan(tmp_path, table, wanted) == expected
    assert len(expected) == 2
    assert scan(tmp_path, table, {"scheme": ["live"]}) == everything
    assert scan(tmp_path, table, {"ticker": [5, None]}) == {}
