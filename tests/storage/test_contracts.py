import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from storage.contracts import arrow_schema, conform, to_frame
from storage.errors import ContractViolation, InvalidTicker
from storage.schema import Table, count, flag, text
from storage.tables import TABLES
from tests.storage.frames import rows

PRICES = TABLES["prices"]
TICKERS = TABLES["tickers"]
MODELS = TABLES["models"]
COUNTED = Table(
    "counted",
    "Nullable counts and flags, which no table has so far.",
    "nobody",
    ("id",),
    (
        text("id", "name"),
        count("n", "count", nullable=True),
        flag("is_good", "flag", nullable=True),
    ),
)


@pytest.mark.parametrize("name", TABLES)
def test_valid_rows_of_every_table_come_back_equal_in_contract_order(name: str) -> None:
    table = TABLES[name]
    frame = rows(name, 4)
    shuffled = frame[frame.columns[::-1]].sample(frac=1, random_state=1)
    back = to_frame(table, conform(table, shuffled))
    expected = frame.sort_values(list(table.key), ignore_index=True)
    pd.testing.assert_frame_equal(back, expected)


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_frame_keeps_its_types(name: str) -> None:
    table = TABLES[name]
    empty = pd.DataFrame(columns=list(table.column_names))
    arrow = conform(table, empty)
    assert arrow.num_rows == 0
    assert arrow.schema == arrow_schema(table)
    assert to_frame(table, arrow).dtypes.equals(rows(name).dtypes)


def test_the_frame_given_is_not_changed() -> None:
    frame = rows("prices").iloc[::-1]
    before = frame.copy(deep=True)
    conform(PRICES, frame)
    pd.testing.assert_frame_equal(frame, before)


def test_columns_are_matched_by_name_so_a_reordered_frame_swaps_nothing() -> None:
    frame = rows("prices")
    swapped = frame[["close", "open", *[c for c in frame.columns if c not in ("open", "close")]]]
    assert conform(PRICES, swapped)["open"].to_pylist() == frame["open"].tolist()


def _set(frame: pd.DataFrame, column: str, row: int, value: object) -> pd.DataFrame:
    values = frame[column].astype(object).tolist()
    values[row] = value
    return frame.assign(**{column: values})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (rows("prices").drop(columns="open"), r"^prices: column 'open' is missing — add it"),
        (rows("prices").drop(columns=["open", "low"]), r"'open' is missing \(and 1 more: low\)"),
        (rows("prices").rename(columns={"close": "Close"}), r"'close' is missing — rename 'Close' or add it"),
        (rows("prices").assign(volumes=1.0), r"'volumes' is not in the .* — leave it out; did you mean volume"),
        (pd.concat([rows("prices"), rows("prices")[["open"]]], axis=1), r"column 'open' comes twice — keep one"),
        (rows("prices").assign(close="12.5"), r"'close' is object, expected a floating-point number.*'12.5' at row 0"),
        (rows("prices").assign(close=True), r"'close' is bool, expected a floating-point number"),
        (
            _set(rows("prices"), "close", 1, math.nan).astype({"close": float}),
            r"null at row 1 \(ticker AAPL, session 2024-01-02\)",
        ),
        (rows("prices").assign(close=[1.0, 2.0, math.inf]), r"infinite \(inf\) at row 2 .* — give a finite number$"),
        (rows("prices").assign(dividends=[0.0, -math.inf, 0.0]), r"infinite \(-inf\) at row 1.* or NaN$"),
        (rows("prices").assign(volume=[0, 1, 2**53 + 1]), r"'volume' is int64, expected a float.*at row 2"),
        (rows("prices").assign(source=["a", 1, "c"]), r"'source' is object, expected text \(str\); 1 at row 1"),
        (rows("prices").assign(source=["a", None, "c"]), r"'source' is null at row 1"),
        (rows("prices").assign(source=["a", "b", "\ud800"]), r"'source' holds .*no Unicode text — clean the text"),
        (rows("prices").assign(is_final=1), r"'is_final' is int64, expected true or false"),
        (rows("prices").assign(session="2024-01-02"), r"is object, expected a session \(datetime64, no time"),
        (rows("prices").assign(session=rows("prices")["session"].dt.tz_localize("UTC")), r"expected a session"),
        (
            rows("prices").assign(session=pd.date_range("2024-01-01 09:30", periods=3)),
            r"is 2024-01-01 09:30:00 at row 0.*normalise",
        ),
        (
            pd.concat([rows("prices"), rows("prices")], ignore_index=True),
            r"the key \(ticker, session\) comes twice: row 3 \(ticker AAPL, session 2024-01-01\)",
        ),
    ],
)
def test_a_price_frame_that_does_not_fit_is_refused_with_column_value_row_and_cure(
    frame: pd.DataFrame, message: str
) -> None:
    with pytest.raises(ContractViolation, match=message):
        conform(PRICES, frame)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("n_train", [1.0, 2.0, 3.0], r"'n_train' is float64, expected a whole number \(int64\); .*1.0.* at row 0"),
        ("n_train", np.array([1, 2, 2**63], dtype="uint64"), r"'n_train' is uint64, expected a whole number.*at row 2"),
        ("fitted_at", pd.date_range("2024-01-01", periods=3), r"'fitted_at' is datetime64\[ns\], expected a time with"),
        (
            "fitted_at",
            pd.to_datetime([0, 1_000, 1_001], unit="ns", utc=True),
            r"'fitted_at' is .*000001001.* at row 2 .* finer than the microseconds stored — round it",
        ),
    ],
)
def test_a_models_frame_that_does_not_fit_is_refused(column: str, values: object, message: str) -> None:
    with pytest.raises(ContractViolation, match=message):
        conform(MODELS, rows("models").assign(**{column: values}))


@pytest.mark.parametrize("ticker", ["../x", "a'b", "A,B", "CON", "aapl", "A...B", ""])
def test_a_hostile_ticker_is_refused_at_the_table_too(ticker: str) -> None:
    with pytest.raises(InvalidTicker, match=r"^prices: .* is not a ticker"):
        conform(PRICES, rows("prices", ticker=ticker))


def test_rows_of_another_partition_are_refused() -> None:
    frame = rows("prices").assign(ticker=["AAPL", "AAPL", "MSFT"])
    message = r"'ticker' is 'MSFT' at row 2, in the partition ticker='AAPL' — write one partition at a time"
    with pytest.raises(ContractViolation, match=message):
        conform(PRICES, frame, {"ticker": "AAPL"})


def test_whole_numbers_may_stand_in_a_column_of_floats() -> None:
    assert conform(PRICES, rows("prices", volume=[1, 2, 3]))["volume"].to_pylist() == [1.0, 2.0, 3.0]


def test_an_all_null_column_of_any_type_may_stand_where_null_is_allowed() -> None:
    assert conform(PRICES, rows("prices", dividends=None))["dividends"].null_count == 3
    well = dict.fromkeys(("stage", "reason", "cure", "run_id"))
    back = to_frame(TICKERS, conform(TICKERS, rows("tickers", 1, calendar=np.nan, **well)))
    assert back[list(well)].iloc[0].to_dict() == well
    assert back["calendar"].tolist() == [None]


def test_times_of_another_zone_are_stored_as_the_same_moment_in_utc() -> None:
    frame = rows("models")
    local = frame.assign(fitted_at=frame["fitted_at"].dt.tz_convert("America/New_York"))
    pd.testing.assert_frame_equal(to_frame(MODELS, conform(MODELS, local)), frame)


def test_nullable_counts_and_flags_keep_their_gaps() -> None:
    flags = pd.array([None, True], "boolean")
    frame = pd.DataFrame({"id": ["a", "b"], "n": pd.array([1, None], "Int64"), "is_good": flags})
    arrow = conform(COUNTED, frame)
    assert arrow.to_pylist() == [{"id": "a", "n": 1, "is_good": None}, {"id": "b", "n": None, "is_good": True}]
    assert to_frame(COUNTED, arrow)["n"].isna().tolist() == [False, True]
    assert isinstance(arrow, pa.Table)
