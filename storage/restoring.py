"""Restoring a backup into an empty home, wherever that is: checked whole before anything of it is used."""

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stock_assets.durable import sync_folder
from storage.backup import FORMAT, MANIFEST, Content, Progress, is_sqlite
from storage.ddl import quoted
from storage.errors import DamagedBackup, RestoreRefused, SchemaVersionMismatch
from storage.files import remove_abandoned, temporary_for
from storage.tables import SCHEMA_VERSION

_OTHER_FILE = "name a file that `stock-assets backup` wrote, or an older backup"
_BLOCK = 1 << 20
_TEXT_COLUMNS = """
SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'
    AND substr(t.name, 1, 7) <> 'sqlite_' AND (c.type LIKE '%CHAR%' OR c.type LIKE '%TEXT%')
"""


@dataclass(frozen=True)
class Restored:
    """What was restored: how much, when it was backed up and from where, and the schema version of its lake."""

    content: Content
    made_at: str
    home: str
    schema_version: int


def restore(file: Path, home: Path, *, progress: Progress) -> Restored:
    """Fill the empty folder `home` from a backup. Until every file of it is verified, nothing is in place.

    Paths of the old home in SQLite stores become paths of the new one.

    Raises:
        RestoreRefused: `home` is not empty.
        DamagedBackup: `file` is no whole backup; nothing was restored.
        SchemaVersionMismatch: the backup comes from a newer program.
    """
    if not file.is_file():
        raise DamagedBackup(f"there is no file {file}", cure=_OTHER_FILE)
    home.mkdir(parents=True, exist_ok=True)
    remove_abandoned(home, deep=False)
    if any(home.iterdir()):
        problem = f"{home} is not empty, and a backup is restored into an empty folder only"
        raise RestoreRefused(problem, cure="name another one: STOCK_ASSETS_HOME=<empty folder>")
    staging = temporary_for(home / "restore")
    staging.mkdir()
    try:
        progress("unpack")
        found = _unpack(file, staging)
        progress("verify")
        manifest = _verified(file, staging, found)
        for database in sorted(path for path in staging.rglob("*") if path.is_file() and is_sqlite(path)):
            relocate(database, manifest["home"], str(home.resolve()))
        # The lake comes last: without it a home is empty for every command.
        for path in sorted(staging.iterdir(), key=lambda path: path.name == "lake"):
            os.replace(path, home / path.name)
        sync_folder(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    sizes = [entry["size"] for entry in manifest["files"].values()]
    return Restored(Content(len(sizes), sum(sizes)), manifest["made_at"], manifest["home"], manifest["schema_version"])


def _unpack(file: Path, staging: Path) -> dict[str, str]:
    """Write every file of the archive below `staging`; name → SHA-256."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                if not member.isreg() or member.name in found:
                    raise DamagedBackup(f"{file} holds {member.name!r}, which no backup holds", cure=_OTHER_FILE)
                checked = tarfile.data_filter(member, str(staging))
                found[member.name] = _write(archive, checked, staging / checked.name)
    except tarfile.FilterError as error:  # a path out of the home, for example
        raise DamagedBackup(f"{file} holds what no backup holds: {error}", cure=_OTHER_FILE) from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the archive's
            raise
        raise DamagedBackup(f"{file} is damaged or no backup: {error}", cure=_OTHER_FILE) from error
    return found


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    source = archive.extractfile(member)
    if source is None:
        raise DamagedBackup(f"the backup has no content for {member.name!r}", cure=_OTHER_FILE)
    with source, target.open("xb") as handle:
        while block := source.read(_BLOCK):
            digest.update(block)
            handle.write(block)
        handle.flush()
        os.fsync(handle.fileno())
    return digest.hexdigest()


def _verified(file: Path, staging: Path, found: Mapping[str, str]) -> dict[str, Any]:
    """The manifest, once it says of every file what was found."""
    try:
        manifest: dict[str, Any] = json.loads((staging / MANIFEST).read_text(encoding="utf-8"))
        wanted = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        number, schema_version, _, _ = (manifest[name] for name in ("format", "schema_version", "home", "made_at"))
    except FileNotFoundError:
        raise DamagedBackup(f"{file} has no {MANIFEST}: it is cut off, or no backup", cure=_OTHER_FILE) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBackup(f"{file} has a {MANIFEST} that cannot be read: {error!r}", cure=_OTHER_FILE) from error
    if number != FORMAT or schema_version > SCHEMA_VERSION:
        what = f"format {number}, schema version {schema_version}; this program knows {FORMAT} and {SCHEMA_VERSION}"
        raise SchemaVersionMismatch(f"{file} has {what}", cure="update stock-assets")
    for name in sorted(wanted.keys() | found.keys() - {MANIFEST}):
        if wanted.get(name) != found.get(name):
            what = "is missing" if name not in found else "is not what was backed up"
            raise DamagedBackup(f"{file} is damaged: {name} {what}", cure=_OTHER_FILE)
    (staging / MANIFEST).unlink()
    return manifest


def relocate(database: Path, old: str, new: str) -> int:
    """Lead every path and file URI in `old` of an SQLite database into `new`; returns the number of texts changed."""
    prefixes = {old: new, f"file://{old}": f"file://{new}", f"file://{quote(old)}": f"file://{quote(new)}"}
    changed = 0
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in [(quoted(table), quoted(column)) for table, column in connection.execute(_TEXT_COLUMNS)]:
            for before, after in prefixes.items():
                is_in = f"{column} = ?2 OR substr({column}, 1, length(?2) + 1) = ?2 || '/'"
                moved = f"?1 || substr({column}, length(?2) + 1)"
                # Names come from the database's own catalog and are quoted.
                update = f"UPDATE {table} SET {column} = {moved} WHERE typeof({column}) = 'text' AND ({is_in})"  # noqa: S608 (as said)
                changed += connection.execute(update, (after, before)).rowcount
    return changed
