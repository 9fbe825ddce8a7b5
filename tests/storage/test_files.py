import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.files import host, is_abandoned, remove_abandoned, replace_atomically, temporary_for, write_text


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_replacement_happens_right_after_the_last_moment(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_text(path, "old")
    seen: list[str] = []
    replace_atomically(path, lambda t: t.write_text("new"), just_before=lambda: seen.append(path.read_text()))
    assert seen == ["old"]
    assert path.read_text() == "new"


def test_temporary_names_are_new_each_time_and_in_the_same_folder(tmp_path: Path) -> None:
    names = {temporary_for(tmp_path / "x.parquet") for _ in range(100)}
    assert len(names) == 100
    assert {name.parent for name in names} == {tmp_path}


def test_a_dead_writers_files_are_swept_and_nobody_elses(tmp_path: Path) -> None:
    dead = _dead_process()
    mine = temporary_for(tmp_path / "x.parquet")
    abandoned = [
        tmp_path / f".x.parquet.{host()}.{dead}.0.tmp",
        tmp_path / f".1.duckdb.{host()}.{dead}.3.tmp.wal",
    ]
    kept = [
        mine,
        tmp_path / f".x.parquet.{host()}.1.0.tmp",  # process 1 is alive, and may be somebody else's
        tmp_path / f".x.parquet.another-host.{dead}.0.tmp",
        tmp_path / "x.parquet",
        tmp_path / "x.tmp",
    ]
    for path in (*abandoned, *kept):
        path.touch()
    spilled = tmp_path / f".spill.{host()}.{dead}.7.tmp"
    spilled.mkdir()
    (spilled / "block").touch()
    assert remove_abandoned(tmp_path) == sorted([*abandoned, spilled])
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_process_one_may_not_signal_counts_as_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)  # as root, which may signal anybody, this cannot be had for real
    assert not is_abandoned(tmp_path / f".x.{host()}.4242.0.tmp")


def test_only_the_folder_itself_is_swept_unless_asked_to_go_deep(tmp_path: Path) -> None:
    below = tmp_path / "models" / f".x.{host()}.{_dead_process()}.0.tmp"
    below.parent.mkdir()
    below.touch()
    assert remove_abandoned(tmp_path, deep=False) == []
    assert remove_abandoned(tmp_path) == [below]
