"""Checking a frame against its table's contract, by name, before anything is touched.

What belongs here: what a frame must be, and the conversion to and from Arrow. What does not: where it is stored.

Frames: sessions are datetime64 naive at midnight; times are datetime64 with a zone; missing numbers are NaN;
text is str.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import ContractViolation, InvalidTicker
from storage.names import suggest
from storage.schema import Column, Table, Type
from storage.tickers import validate_ticker

_ARROW: dict[Type, pa.DataType] = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
}
_EXACT_INTEGER = 2**53  # beyond it a float64 no longer holds every integer


@lru_cache
def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table's files: the contract's columns in order, nullability included."""
    return pa.schema([pa.field(c.name, _ARROW[c.type], nullable=c.nullable) for c in table.columns])


def conform(table: Table, frame: pd.DataFrame, partition: Mapping[str, str] | None = None) -> pa.Table:
    """Check `frame` and return it as Arrow in the contract's column order, sorted by key.

    Columns of `frame` may be in any order; it is not changed. All rows must belong to the `partition`, which gives the
    value of every partition column; None for append-only tables.

    Raises:
        ContractViolation: names table, column, the offending value and row, and the cure.
        InvalidTicker: a value of column `ticker` is no ticker.
    """
    _check_columns(table, frame)
    schema = arrow_schema(table)
    arrow = pa.Table.from_arrays([_convert(table, column, frame) for column in table.columns], schema=schema)
    if partition is not None:
        _check_partition(table, arrow, partition)
    _check_tickers(table, arrow)
    _check_key(table, frame, arrow)
    return arrow.sort_by([(name, "ascending") for name in table.key])


def to_frame(table: Table, arrow: pa.Table) -> pd.DataFrame:
    """Arrow rows of `table` as a frame with the project's pandas types."""
    frame: pd.DataFrame = arrow.select(table.column_names).to_pandas(
        date_as_object=False, coerce_temporal_nanoseconds=True, use_threads=False
    )
    return frame


def _check_columns(table: Table, frame: pd.DataFrame) -> None:
    given = [str(name) for name in frame.columns]
    repeated = sorted({name for name in given if given.count(name) > 1})
    if repeated:
        raise ContractViolation(f"{table.name}: column {repeated[0]!r} comes twice", cure="keep one of them")
    missing = [name for name in table.column_names if name not in given]
    extra = [name for name in given if name not in table.column_names]
    if missing:
        problem = f"{table.name}: column {missing[0]!r} is missing"
        rest = f" (and {len(missing) - 1} more: {', '.join(missing[1:])})" if len(missing) > 1 else ""
        cure = f"rename {extra[0]!r} or add it" if extra else f"add it; the table has {', '.join(table.column_names)}"
        raise ContractViolation(problem + rest, cure=cure)
    if extra:
        problem = f"{table.name}: column {extra[0]!r} is not in the table's contract"
        raise ContractViolation(problem, cure=f"leave it out; {suggest(extra[0], table.column_names)}")


def _convert(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    plain = _plain_array(column, series.to_numpy()) if isinstance(series.dtype, np.dtype) else None
    if plain is not None:
        return plain
    nulls = series.isna()
    if nulls.all() and (column.nullable or not len(series)):
        return pa.nulls(len(series), _ARROW[column.type])
    if nulls.any() and not column.nullable:
        problem = f"is null at {_row(table, frame, _first(nulls))}"
        raise _violation(table, column, problem, "give a value or drop the row; the column may not be null")
    return _CONVERTERS[column.type](table, column, frame)


def _plain_array(column: Column, values: np.ndarray[Any, Any]) -> pa.Array | None:
    """What is of the column's type and has nothing to object to; None where a closer look is needed."""
    if column.type == "DATE" and values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
        if (np.isnat(values) | (days == values)).all():
            values = days
    if column.type == "DOUBLE" and values.dtype.kind == "f" and np.isinf(values).any():
        return None
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError):
        return None
    return array if array.type == _ARROW[column.type] and (column.nullable or not array.null_count) else None


def _text_array(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    if pd.api.types.infer_dtype(series, skipna=True) != "string":
        wrong = [not isinstance(value, str) and not pd.isna(value) for value in series]
        raise _wrong_type(table, column, frame, wrong, "text (str)")
    try:
        return pa.array(series.astype(object), type=pa.string(), from_pandas=True)
    except UnicodeEncodeError as error:  # half a surrogate pair, which UTF-8 cannot hold
        problem = f"holds {error.object!r}, which is no Unicode text"
        raise _violation(table, column, problem, "clean the text") from error


def _number_array(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    is_whole = pd.api.types.is_integer_dtype(series)
    is_number = is_whole or pd.api.types.is_float_dtype(series)
    if not is_number or (is_whole and (series.abs() > _EXACT_INTEGER).any()):
        wrong = [not _is_plain_number(value) for value in series]
        raise _wrong_type(table, column, frame, wrong, "a floating-point number (float64)")
    values = series.to_numpy(dtype="float64", na_value=math.nan)
    infinite = np.isinf(values)
    if infinite.any():
        problem = f"is infinite ({values[_first(infinite)]}) at {_row(table, frame, _first(infinite))}"
        raise _violation(table, column, problem, "give a finite number" + (" or NaN" if column.nullable else ""))
    return pa.array(values, type=pa.float64(), from_pandas=True)


def _is_plain_number(value: object) -> bool:
    if isinstance(value, (bool, np.bool_)):
        return False
    if isinstance(value, (int, np.integer)):
        return abs(int(value)) <= _EXACT_INTEGER
    return isinstance(value, (float, np.floating))


def _count_array(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    largest = np.iinfo(np.int64).max
    if not pd.api.types.is_integer_dtype(series) or (series > largest).any():
        wrong = [not isinstance(v, (int, np.integer)) or isinstance(v, bool) or int(v) > largest for v in series]
        raise _wrong_type(table, column, frame, wrong, "a whole number (int64)")
    return pa.array(series, type=pa.int64(), from_pandas=True)


def _flag_array(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    if not pd.api.types.is_bool_dtype(series):
        wrong = [not isinstance(value, (bool, np.bool_)) for value in series]
        raise _wrong_type(table, column, frame, wrong, "true or false (bool)")
    return pa.array(series, type=pa.bool_(), from_pandas=True)


def _date_array(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    if not pd.api.types.is_datetime64_dtype(series):
        raise _wrong_type(table, column, frame, [True] * len(series), "a session (datetime64, no time zone)")
    values = series.to_numpy()
    days = values.astype("datetime64[D]")
    row = _first(~np.isnat(values) & (values != days))
    problem = f"is {series.iloc[row]} at {_row(table, frame, row)}, expected a date at midnight"
    raise _violation(table, column, problem, "normalise the session: .dt.normalize()")


def _time_array(table: Table, column: Column, frame: pd.DataFrame) -> pa.Array:
    series = frame[column.name]
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        raise _wrong_type(table, column, frame, [True] * len(series), "a time with a zone (datetime64[ns, UTC])")
    values = series.to_numpy(dtype="datetime64[ns]")  # in UTC
    micros = values.astype("datetime64[us]")
    finer = ~np.isnat(values) & (values != micros)
    if finer.any():
        row = _first(finer)
        utc = series.dt.tz_convert("UTC").iloc[row]
        problem = f"is {utc} at {_row(table, frame, row)}, finer than the microseconds stored"
        raise _violation(table, column, problem, 'round it: .dt.floor("us")')
    return pa.array(micros, type=pa.timestamp("us", tz="UTC"), from_pandas=True)


_CONVERTERS: dict[Type, Callable[[Table, Column, pd.DataFrame], pa.Array]] = {
    "VARCHAR": _text_array,
    "DOUBLE": _number_array,
    "BIGINT": _count_array,
    "BOOLEAN": _flag_array,
    "DATE": _date_array,
    "TIMESTAMPTZ": _time_array,
}


def _check_partition(table: Table, rows: pa.Table, partition: Mapping[str, str]) -> None:
    for name, value in partition.items():
        foreign = pc.not_equal(rows[name], value)
        if pc.any(foreign).as_py():
            row = pc.index(foreign, True).as_py()
            problem = f"is {rows[name][row].as_py()!r} at row {row}, in the partition {name}={value!r}"
            raise ContractViolation(f"{table.name}: column {name!r} {problem}", cure="write one partition at a time")


def _check_tickers(table: Table, rows: pa.Table) -> None:
    if "ticker" not in table.column_names:
        return
    for ticker in pc.unique(rows["ticker"].drop_null()).to_pylist():  # a null where it is allowed names no ticker
        try:
            validate_ticker(ticker)
        except InvalidTicker as error:
            raise InvalidTicker(f"{table.name}: {error.problem}", cure=error.cure) from error


def _check_key(table: Table, frame: pd.DataFrame, rows: pa.Table) -> None:
    if rows.group_by(list(table.key), use_threads=False).aggregate([]).num_rows < rows.num_rows:
        again = frame.duplicated(list(table.key))
        problem = f"{table.name}: the key ({', '.join(table.key)}) comes twice: {_row(table, frame, _first(again))}"
        raise ContractViolation(problem, cure="keep one row for each key")


def _wrong_type(
    table: Table, column: Column, frame: pd.DataFrame, wrong: list[bool], expected: str
) -> ContractViolation:
    series = frame[column.name]
    problem = f"is {series.dtype}, expected {expected}"
    if any(wrong):
        row = wrong.index(True)
        problem += f"; {series.iloc[row]!r} at {_row(table, frame, row)}"
    return _violation(table, column, problem, "convert the column before writing")


def _violation(table: Table, column: Column, problem: str, cure: str) -> ContractViolation:
    return ContractViolation(f"{table.name}: column {column.name!r} {problem}", cure=cure)


def _first(mask: "pd.Series[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    return int(np.asarray(mask).argmax())


def _row(table: Table, frame: pd.DataFrame, row: int) -> str:
    key: dict[Hashable, object] = frame.iloc[row][list(table.key)].to_dict()
    return f"row {row} ({', '.join(f'{name} {_short(value)}' for name, value in key.items())})"


def _short(value: object) -> str:
    if isinstance(value, pd.Timestamp) and value.tz is None and value == value.normalize():
        return str(value.date())
    return str(value)
