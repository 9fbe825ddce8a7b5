"""Moving a lake forward, version by version.

A migration is a function that changes the files of a lake so that they fit the next version's contracts
(`migrations.py`). Rules for it: every file is replaced atomically (`rewrite` does that), and applied to a file that is
already new it changes nothing. The version is set last, so a migration that was killed is simply run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage import locks, version
from storage.errors import SchemaVersionMismatch
from storage.migrations import to_version_2, to_version_3
from storage.tables import SCHEMA_VERSION


@dataclass(frozen=True)
class Migration:
    """One step.

    Attributes:
        to: the version reached; the one before is `to - 1`.
        what: a line people read while it runs.
    """

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


def _step_from(current: int, migrations: Sequence[Migration], root: Path) -> Migration:
    for migration in migrations:
        if migration.to == current + 1:
            return migration
    problem = f"no migration leads on from schema version {current} of the lake at {root}"
    raise SchemaVersionMismatch(problem, cure="restore a backup made with a version this program knows")
