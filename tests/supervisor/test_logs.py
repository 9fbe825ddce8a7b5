"""Logs stay small and keep what came just before."""

from pathlib import Path

from stock_assets.supervisor import logs


def test_the_log_of_the_last_start_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "one.log"
    logs.begin(log)
    log.parent.mkdir()
    log.write_text("first\n", encoding="utf-8")
    logs.begin(log)
    assert not log.exists()
    assert (tmp_path / "logs" / "one.log.1").read_text(encoding="utf-8") == "first\n"


def test_a_log_that_grows_too_long_is_put_aside_while_its_writer_writes_on(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    with log.open("a", encoding="utf-8") as writer:
        for text in ("long before\n", "after\n"):
            writer.write(text)
            writer.flush()
            logs.bound(log, limit=10)
    assert log.read_text(encoding="utf-8") == "after\n"
    assert (tmp_path / "one.log.1").read_text(encoding="utf-8") == "long before\n"


def test_last_lines_are_the_newest_of_this_start_and_never_all_of_a_huge_log(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    log.write_text("old\n" + "x" * 20_000 + "\n\nlast but one\nlast \n", encoding="utf-8")
    assert logs.last_lines(log, 2) == ["last but one", "last"]
    assert logs.last_lines(log, 9, since=log.stat().st_size - len("last \n")) == ["last"]
    assert logs.last_lines(log, 9, since=1_000_000)[-1] == "last", "a log that was begun anew since is read as it is"
    assert sum(map(len, logs.last_lines(log, 9))) < 10_000
