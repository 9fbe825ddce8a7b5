"""Merging the many files of an append-only table into one, so that a kill at any moment loses and repeats nothing.

A journal file is the moment of decision: before it exists the old files count, after it the merged one does. Whoever
next takes the table's lock finds the journal and finishes the work first.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from stock_assets.durable import sync_file, sync_folder
from storage.files import temporary_for, write_text

_JOURNAL = ".compaction.json"


def is_pending(folder: Path) -> bool:
    """Whether a compaction was decided and not finished."""
    return (folder / _JOURNAL).exists()


def merge(merged: list[Path], final: Path, write: Callable[[Path], object]) -> None:
    """Replace the files `merged` by `final`, which `write` fills. The caller holds the table's lock alone."""
    staged = temporary_for(final)
    try:
        write(staged)
        sync_file(staged)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    names = {"staged": staged.name, "final": final.name, "merged": [path.name for path in merged]}
    write_text(final.parent / _JOURNAL, json.dumps(names))
    finish(final.parent)


def finish(folder: Path) -> None:
    """Carry out the journal in `folder`, if there is one. The caller holds the table's lock alone."""
    journal = folder / _JOURNAL
    try:
        names = json.loads(journal.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    staged, final = folder / names["staged"], folder / names["final"]
    if staged.exists():
        os.replace(staged, final)
        sync_folder(folder)
    if final.exists():
        for name in names["merged"]:
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)
    journal.unlink()
    sync_folder(folder)
