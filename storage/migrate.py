"""Moving a lake forward, version by version.

A migration is a function that changes the files of a lake so that they fit the next version's contracts. Rules for it:
every file is replaced atomically (`rewrite` does that), and applied to a file that is already new it changes nothing.
The version is set last, so a migration that was killed is simply run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage import locks, version
from storage.errors import SchemaVersionMismatch
from storage.files import replace_atomically
from storage.parquet import write_rows
from storage.tables import SCHEMA_VERSION


@dataclass(frozen=True)
class Migration:
    """One step.

    Attributes:
        to: the version reached; the one before is `to - 1`.
        what: a line people read while it runs.
        apply: changes the lake at the given root.
    """

    to: int
    what: str
    apply: Callable[[Path], None]


# In order. Version 1 is the first, so there is nothing to migrate from.
MIGRATIONS: tuple[Migration, ...] = ()


def migrate(
    root: Path, migrations: Sequence[Migration] = MIGRATIONS, *, target: int = SCHEMA_VERSION
) -> list[Migration]:
    """Bring the lake at `root` to version `target`. Readers and writers wait meanwhile.

    Returns:
        The steps taken; none if the lake is current or not there yet.

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
            step = _step_from(current, migrations, root)
            step.apply(root)
            version.write_version(root, step.to)
            current = step.to
            taken.append(step)
    return taken


def rewrite(root: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace every file of `table` by what `change` makes of its rows, each atomically, in order of their names."""
    for path in sorted((root / table).rglob("[!.]*.parquet")):
        rows = change(pq.ParquetFile(path).read())
        replace_atomically(path, lambda temporary, rows=rows: write_rows(rows, temporary))  # type: ignore[misc]


def _step_from(current: int, migrations: Sequence[Migration], root: Path) -> Migration:
    for migration in migrations:
        if migration.to == current + 1:
            return migration
    problem = f"no migration leads on from schema version {current} of the lake at {root}"
    raise SchemaVersionMismatch(problem, cure="restore a backup made with a version this program knows")
