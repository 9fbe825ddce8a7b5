"""The commands `audit` and `champion`: what they print, and how they leave."""

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from stock_assets.cli import run, show
from stock_assets.cli.examining import ProofFailed, _report_audit, _require_proven
from stock_assets.settings import Settings
from storage.lake import Lake
from storage.publisher import Publisher
from tests.storage.frames import rows


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path))
    return tmp_path


def examined(**changed: object) -> pd.DataFrame:
    """A proof of features, a proof and a flag of sarima."""
    return rows(
        "audit",
        3,
        subject=["features", "sarima", "sarima"],
        name=["features_truncated", "scaler_provenance", "skill"],
        kind=["proof", "proof", "flag"],
        message=["same bit for bit", "inputs differ", "skill +3 %"],
        **({"passed": True, "statistic": [0.0, None, 0.0312]} | changed),
    )


def printed(capsys: pytest.CaptureFixture[str], frame: pd.DataFrame) -> str:
    show.audit(frame, Console(width=120))
    return capsys.readouterr().out


def test_the_table_says_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, examined())
    assert "AAPL, leak audit" in out
    assert out.count("holds") == 2
    assert "not raised" in out
    assert "inputs differ" not in out


def test_what_failed_or_was_flagged_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, examined(passed=False))
    assert out.count("FAILED") == 2
    assert "RAISED" in out
    assert "sarima, scaler_provenance: inputs differ" in out
    assert "0.0312" in out


def test_only_failed_proofs_are_reported_as_failed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Lake(home / "lake").write("audit", examined(passed=[True, False, False]), ticker="AAPL")
    Publisher(home).publish()
    assert _report_audit(Settings(home=home), ["AAPL"]) == ["AAPL sarima scaler_provenance"]
    assert "leak audit" in capsys.readouterr().out


def test_failed_proofs_are_an_error_that_names_them() -> None:
    _require_proven([])
    with pytest.raises(ProofFailed, match=r"^2 proofs failed: AAPL features features_truncated, AAPL sarima scaler.*—"):
        _require_proven(["AAPL features features_truncated", "AAPL sarima scaler_provenance"])


def test_an_untrained_ticker_is_refused_with_the_cure(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Lake(home / "lake").write("tickers", rows("tickers", 1, status="added"), ticker="AAPL")
    assert run(["audit"]) == 1
    assert "it was never trained" in capsys.readouterr().err


def test_the_decisions_are_shown_the_newest_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decisions = rows("champion", 2, reason=["older reason", "newer reason"], model=["sarima", "xgboost"])
    Lake(home / "lake").append("champion", decisions)
    Publisher(home).publish()
    assert run(["champion", "AAPL"]) == 0
    out = capsys.readouterr().out
    assert out.index("newer reason") < out.index("older reason")
    assert "xgboost — newer reason" in out


def test_without_a_decision_the_command_says_how_to_get_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Publisher(home).publish()
    assert run(["champion"]) == 0
    assert "no champion yet" in capsys.readouterr().err
    assert run(["champion", "IBM"]) == 1
    assert "IBM is not in the universe" in capsys.readouterr().err
