"""Moving a lake forward, version by version: what each schema version changed in its files, and taking the steps.

Every file is replaced atomically (`rewrite` does that), and applied to a file that is already new a step changes
nothing. The version is set last, so a migration that was killed is simply run again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage import locks, version
from storage.errors import SchemaVersionMismatch
from storage.files import replace_atomically
from storage.parquet import write_rows
from storage.tables import SCHEMA_VERSION

Rows = Callable[[pa.Table], pa.Table]


def rewrite(root: Path, table: str, change: Rows) -> None:
    """Replace every file of `table` by what `change` makes of its rows, each atomically, in order of their names."""
    for path in sorted((root / table).rglob("[!.]*.parquet")):
        _replace(path, change(pq.ParquetFile(path).read()))


def to_version_2(root: Path) -> None:
    """Predictions get a file per scheme and the counter of capped widths; other tables get new columns."""
    _divide_predictions(root / "predictions")
    rewrite(root, "evaluation", lambda rows: _with(rows, _EVALUATION_2))
    rewrite(root, "champion", lambda rows: _with(rows, _CHAMPION_2))
    rewrite(root, "models", lambda rows: _with(rows, _MODELS_2))
    rewrite(root, "forecasts", lambda rows: _with(rows, _FORECASTS_2))


def to_version_3(root: Path) -> None:
    """A failed ticker's stage, cure and run get columns of their own; predictions say which bars they are from."""
    rewrite(root, "tickers", lambda rows: _told_apart(_with(rows, _TICKERS_3)))
    rewrite(root, "predictions", lambda rows: _with(rows, _PREDICTIONS_3))


def _told_apart(rows: pa.Table) -> pa.Table:
    """`stage: reason — cure`, as version 2 wrote a reason, in three columns."""
    found = rows.to_pylist()
    for row in found:
        stage, colon, rest = (row["reason"] or "").partition(": ")
        if row["stage"] is None and colon and " " not in stage:
            reason, _, cure = rest.rpartition(" — ")
            row |= {"stage": stage, "reason": reason or rest, "cure": cure if reason else None}
    return pa.Table.from_pylist(found, schema=rows.schema)


# Columns that version 2 put in: (the column before, name and type, value of the old rows).
_EVALUATION_2 = (
    ("role", pa.field("rows_version", pa.string()), None),
    *(
        (before, pa.field(name, pa.float64()), None)
        for before, name in pairwise(("std_ratio", "skill_lower", "skill_upper", "minimum_detectable_skill"))
    ),
    *(
        (before, pa.field(name, pa.float64()), None)
        for before, name in pairwise(
            (
                *("dm_hln_p", "dm_hln_abs_p", "pesaran_timmermann_p", "directional_accuracy_lower", "up_share"),
                *("mcs_p", "crps"),
            )
        )
    ),
)
_CHAMPION_2 = (
    ("model_version", pa.field("review", pa.string()), None),
    ("review", pa.field("rule_holds", pa.bool_()), None),
    ("rule_holds", pa.field("failed_reviews", pa.int64(), nullable=False), 0),
)
_MODELS_2 = (("mlflow_run_id", pa.field("run_id", pa.string()), None),)
_TICKERS_3 = (
    ("status", pa.field("stage", pa.string()), None),
    ("reason", pa.field("cure", pa.string()), None),
    ("cure", pa.field("run_id", pa.string()), None),
)
_PREDICTIONS_3 = (("model_version", pa.field("bars_version", pa.int64()), None),)
_FORECASTS_2 = (("code_version", pa.field("run_id", pa.string()), None),)
# Version 1 knew two schemes, each of one fold that bears its name.
_SCHEMES_1 = ("holdout", "live")


def _divide_predictions(folder: Path) -> None:
    """`model=sarima.parquet` becomes `model=sarima/scheme=….parquet`; the old file goes last."""
    for path in sorted(folder.glob("ticker=*/model=*.parquet")):
        rows = pq.ParquetFile(path).read()
        for scheme in _SCHEMES_1:
            columns = (
                ("model", pa.field("scheme", pa.string(), nullable=False), scheme),
                ("upper_95", pa.field("capped", pa.int64(), nullable=False), 0),
            )
            target = path.with_suffix("") / f"scheme={scheme}.parquet"
            target.parent.mkdir(exist_ok=True)
            _replace(target, _with(rows.filter(pc.equal(rows["fold"], scheme)), columns))
        path.unlink()


def _with(rows: pa.Table, columns: Iterable[tuple[str, pa.Field, object]]) -> pa.Table:
    """`rows` with each column it lacks, behind the one named, filled with one value."""
    for before, field, value in columns:
        if field.name not in rows.column_names:
            filled = pa.repeat(pa.scalar(value, field.type), len(rows))
            rows = rows.add_column(rows.column_names.index(before) + 1, field, filled)
    return rows


def _replace(path: Path, rows: pa.Table) -> None:
    replace_atomically(path, lambda temporary: write_rows(rows, temporary))


@dataclass(frozen=True)
class Migration:
    """One step to a version from the one before; `what` is a line people read while it runs."""

    to: int
    what: str
    apply: Callable[[Path], None]


# In order; the first leads from version 1 to 2.
MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, "a file of predictions for each scheme; new columns of five tables", to_version_2),
    Migration(
        3, "stage, cure and run of a failed ticker in columns of their own; the bars a prediction is from", to_version_3
    ),
)


def migrate(
    root: Path, migrations: Sequence[Migration] = MIGRATIONS, *, target: int = SCHEMA_VERSION
) -> list[Migration]:
    """Bring the lake at `root` to version `target`. Readers and writers wait meanwhile. Returns the steps taken.

    Raises:
        SchemaVersionMismatch: the lake is newer than this program, or no migration leads on from its version.
    """
    taken: list[Migration] = []
    with locks.exclusive(root / ".locks" / "lake.lock"):
        current = version.read_version(root)
        if current is not None and current > target:
            problem = f"the lake at {root} has schema version {current}, newer than this program's {target}"
            raise SchemaVersionMismatch(problem, cure="update stock-assets")
        while current is not None and current < target:
            step = next((one for one in migrations if one.to == current + 1), None)
            if step is None:
                problem = f"no migration leads on from schema version {current} of the lake at {root}"
                raise SchemaVersionMismatch(problem, cure="restore a backup made with a version this program knows")
            step.apply(root)
            version.write_version(root, step.to)
            current = step.to
            taken.append(step)
    return taken
