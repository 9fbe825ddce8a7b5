"""A home that was moved or restored elsewhere: its MLflow store has absolute addresses of artifacts."""

import sqlite3
from contextlib import closing
from pathlib import Path

# MLflow offers no call for this; these columns of its schema are as old as its registry.
_MOVE = (
    "UPDATE runs SET artifact_uri = :new || substr(artifact_uri, length(:old) + 1) "
    "WHERE substr(artifact_uri, 1, length(:old) + 1) = :old || '/'",
    "UPDATE model_versions SET storage_location = :new || substr(storage_location, length(:old) + 1) "
    "WHERE substr(storage_location, 1, length(:old) + 1) = :old || '/'",
    "UPDATE experiments SET artifact_location = :new WHERE artifact_location = :old",
)


def move_artifacts(file: Path, old: str, new: str) -> None:
    """Let every address of artifacts in a SQLite store that begins with `old` begin with `new`, all or none of them.

    Args:
        old: address of the folder of artifacts as the store has it.
        new: where that folder is now.
    """
    with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        for statement in _MOVE:
            connection.execute(statement, {"old": old, "new": new})
