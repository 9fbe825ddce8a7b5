"""Writing a published table or view to a file of one's own."""

from pathlib import Path

import duckdb

from storage import engine
from storage.errors import ExportRefused
from storage.files import replace_atomically
from storage.names import find_relation
from storage.published import open_newest

_FORMATS = {
    ".csv": "FORMAT csv, HEADER true",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".json": "FORMAT json, ARRAY true",
}


def export_table(table: str, file: Path, home: Path) -> int:
    """Write all rows of `table` (of the newest generation) to `file`, in the format its suffix names.

    An existing file is replaced, atomically.

    Returns:
        The number of rows written.

    Raises:
        UnknownTable: no such table or view. ExportRefused: the suffix or the place will not do.
        NothingPublished: there is nothing to export yet.
    """
    name = find_relation(table)
    options = _FORMATS.get(file.suffix.lower())
    if options is None:
        problem = f"cannot export to {file.name!r}: the suffix names the format, one of {', '.join(_FORMATS)}"
        raise ExportRefused(problem, cure=f"name it {file.stem or table}.csv, for example")
    if file.is_dir():
        raise ExportRefused(f"{file} is a folder", cure=f"name a file in it, like {file.name}/{table}.csv")
    if not file.parent.is_dir():
        raise ExportRefused(f"there is no folder {file.parent}", cure="create it, or name another place")
    _, connection = open_newest(home)
    with connection:
        sql = f'COPY (SELECT * FROM "{name}") TO ? ({options})'  # noqa: S608 (names are ours, from the contracts)
        try:
            replace_atomically(file, lambda temporary: connection.execute(sql, [str(temporary)]))
        except (OSError, duckdb.IOException) as error:
            reason = str(error).splitlines()[0]
            raise ExportRefused(f"cannot write {file}: {reason}", cure="name a place you may write to") from error
        rows = engine.fetch(connection.execute(f'SELECT count(*) AS n FROM "{name}"'))  # noqa: S608 (as above)
    return int(rows["n"].iloc[0])
