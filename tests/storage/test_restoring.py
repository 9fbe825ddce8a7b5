"""What is no whole backup is refused, and nothing is in place then."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.backup import MANIFEST, back_up
from storage.errors import DamagedBackup, RestoreRefused, SchemaVersionMismatch
from storage.lake import Lake
from storage.restoring import restore
from tests.storage.frames import rows

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def good(home: Path, tmp_path: Path) -> Path:
    """A backup with one table's rows."""
    Lake(home / "lake").write("prices", rows("prices"), ticker="AAPL")
    file = tmp_path / "good.tar.gz"
    back_up(home, file, made_at=datetime(2024, 5, 6, tzinfo=UTC), progress=lambda _: None)
    return file


@pytest.fixture
def changed(good: Path, tmp_path: Path) -> Callable[[Callable[[Members], Members]], Path]:
    """The good backup with other members."""

    def make(change: Callable[[Members], Members]) -> Path:
        with tarfile.open(good) as archive:
            members = [(member, _content(archive, member)) for member in archive]
        file = tmp_path / "bad.tar.gz"
        with tarfile.open(file, "w:gz") as archive:
            for member, content in change(members):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return file

    return make


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    handle = archive.extractfile(member)
    assert handle is not None
    return handle.read()


def put_back(file: Path, tmp_path: Path) -> None:
    restore(file, tmp_path / "new", progress=lambda _: None)


def member(name: str, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def in_manifest(**changes: object) -> Callable[[Members], Members]:
    def change(members: Members) -> Members:
        made = [(info, content) for info, content in members if info.name != MANIFEST]
        (stored,) = [json.loads(content) for info, content in members if info.name == MANIFEST]
        return [*made, (member(MANIFEST), json.dumps(stored | changes).encode())]

    return change


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "lake/../../escaped"])
def test_a_path_out_of_the_home_is_refused(
    name: str, changed: Callable[[Callable[[Members], Members]], Path], tmp_path: Path
) -> None:
    file = changed(lambda members: [*members, (member(name), b"hostile")])
    with pytest.raises(DamagedBackup, match=r"no backup holds|is not what was backed up"):
        put_back(file, tmp_path)
    assert not list((tmp_path / "new").iterdir())
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_what_is_no_plain_file_is_refused(
    kind: bytes, changed: Callable[[Callable[[Members], Members]], Path], tmp_path: Path
) -> None:
    file = changed(lambda members: [(member("link", type=kind, linkname="/etc/passwd"), b""), *members])
    with pytest.raises(DamagedBackup, match="'link', which no backup holds"):
        put_back(file, tmp_path)
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda members: members[1:], "is missing"),
        (lambda members: [(members[0][0], members[0][1][:-1] + b"X"), *members[1:]], "is not what was backed up"),
        (lambda members: [*members, (member("extra"), b"x")], "extra is not what was backed up"),
        (lambda members: [members[0], *members], "which no backup holds"),
        (lambda members: [m for m in members if m[0].name != MANIFEST], "has no manifest.json"),
        (lambda members: [*members[:-1], (member(MANIFEST), b"[]")], "cannot be read"),
        (lambda members: [*members[:-1], (member(MANIFEST), b"{")], "cannot be read"),
    ],
)
def test_an_archive_that_is_not_what_was_backed_up_is_refused_before_anything_is_in_place(
    change: Callable[[Members], Members],
    message: str,
    changed: Callable[[Callable[[Members], Members]], Path],
    tmp_path: Path,
) -> None:
    with pytest.raises(DamagedBackup, match=message):
        put_back(changed(change), tmp_path)
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("changes", [{"format": 2}, {"schema_version": 99}])
def test_a_backup_of_a_newer_program_is_refused(
    changes: dict[str, object], changed: Callable[[Callable[[Members], Members]], Path], tmp_path: Path
) -> None:
    with pytest.raises(SchemaVersionMismatch, match="this program knows"):
        put_back(changed(in_manifest(**changes)), tmp_path)
    assert not list((tmp_path / "new").iterdir())


def test_a_cut_off_or_foreign_file_is_refused(good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    for damaged in (content[: len(content) // 2], b"no archive at all", gzip.compress(b"no archive either"), b""):
        good.write_bytes(damaged)
        with pytest.raises(DamagedBackup, match=r"is damaged or no backup|has no manifest"):
            put_back(good, tmp_path)
        assert not list((tmp_path / "new").iterdir())
    with pytest.raises(DamagedBackup, match="there is no file"):
        put_back(tmp_path / "none", tmp_path)


def test_a_home_with_anything_in_it_is_left_alone(good: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("x")
    with pytest.raises(RestoreRefused, match="is not empty"):
        put_back(good, tmp_path)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]
