"""The schema version a lake carries, so that code never reads or writes what it does not understand."""

import json
from pathlib import Path

from storage.errors import SchemaVersionMismatch
from storage.files import write_text
from storage.tables import SCHEMA_VERSION, TABLES

FILE = "schema_version.json"


def read_version(root: Path) -> int | None:
    """The version of the lake at `root`; None where there is no lake yet.

    `SchemaVersionMismatch` where the version file cannot be read, or there are tables without one.
    """
    path = root / FILE
    try:
        version = json.loads(path.read_text(encoding="utf-8"))["schema_version"]
    except FileNotFoundError:
        # The version is written before any table, so tables without one are not ours.
        if any((root / name).is_dir() for name in TABLES):
            problem = f"{root} has tables but no {FILE}"
            raise SchemaVersionMismatch(problem, cure="restore the file, or the home from a backup") from None
        return None
    except (ValueError, KeyError, TypeError) as error:
        problem = f"{path} is damaged: {error!r}"
        raise SchemaVersionMismatch(problem, cure='write {"schema_version": N} into it') from error
    if not isinstance(version, int):
        raise SchemaVersionMismatch(f"{path} says version {version!r}, expected a number", cure="correct the file")
    return version


def write_version(root: Path, version: int) -> None:
    """Set the version, atomically."""
    write_text(root / FILE, json.dumps({"schema_version": version}) + "\n")


def require_current(root: Path) -> bool:
    """Refuse a lake of another version: `SchemaVersionMismatch` with the cure. Returns whether there is a lake yet."""
    version = read_version(root)
    if version is None:
        return False
    if version < SCHEMA_VERSION:
        problem = f"the lake at {root} has schema version {version}, this program expects {SCHEMA_VERSION}"
        raise SchemaVersionMismatch(problem, cure="run `stock-assets migrate`")
    if version > SCHEMA_VERSION:
        problem = f"the lake at {root} has schema version {version}, newer than this program's {SCHEMA_VERSION}"
        raise SchemaVersionMismatch(problem, cure="update stock-assets")
    return True
