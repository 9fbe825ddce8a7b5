"""`trace` as typed; what it finds is tested in tests/assets/test_provenance.py."""

from pathlib import Path

from tests.cli.conftest import Say


def test_an_unknown_id_is_refused_in_one_line_and_makes_nothing(home: Path, say: Say) -> None:
    said = say("trace", "abc")
    assert said.code == 1
    assert "error: no forecast has an id that begins with 'abc', of 0 forecasts — stock-assets sql" in said.err
    assert not (home / "dagster").exists()
