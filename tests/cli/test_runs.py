"""What the commands that work say of many tickers: one run a market, failures by name, what is left when stopped."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stock_assets import runs
from stock_assets.runs import Outcome, Work
from storage.lake import Lake
from tests.cli.conftest import Say

TICKERS = ("AAPL", "BTC-USD", "IBM")


@pytest.fixture
def worked(say: Say, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Outcome]], list[Work]]:
    """Three tickers of two markets, whose runs end as a test says."""
    say("tickers", "add", *TICKERS)
    made: list[Work] = []

    def end_as(outcomes: dict[str, Outcome]) -> list[Work]:
        def execute(_instance: object, _settings: object, work: Work) -> Outcome:
            made.append(work)
            return outcomes.get(work.market, Outcome(work.tickers))

        monkeypatch.setattr(runs, "execute", execute)
        return made

    return end_as


def test_each_market_has_one_run_for_its_tickers(worked: Callable[..., list[Work]], say: Say) -> None:
    made = worked({})
    said = say("fetch")
    assert said.code == 0
    assert [(work.market, work.tickers) for work in made] == [("XNYS", ("AAPL", "IBM")), ("24/7", ("BTC-USD",))]
    assert said.err.splitlines()[1:] == ["XNYS: run 1 of 2, 2 tickers", "24/7: run 2 of 2, 1 ticker"]


def test_the_failed_are_named_with_stage_reason_and_cure(worked: Callable[..., list[Work]], say: Say) -> None:
    reason = "raw_prices: the source has no bars — correct the name"
    worked({"XNYS": Outcome(("AAPL", "IBM"), {"IBM": reason})})
    said = say("fetch")
    assert said.code == 1
    assert said.err.splitlines()[-2:] == [
        f"FAILED IBM: {reason}",
        "error: 1 of 3 failed: IBM; the others are complete — each line above says why and what to do; what is not "
        "wanted: `stock-assets tickers remove NAME`",
    ]


def test_a_ticker_that_cannot_be_started_stops_no_other(worked: Callable[..., list[Work]], say: Say) -> None:
    made = worked({})
    said = say("train")
    assert said.code == 1
    assert made == []
    for ticker in TICKERS:
        assert f"FAILED {ticker}: it has no bars in" in said.err
    assert "error: 3 of 3 failed: AAPL, BTC-USD, IBM — each line" in said.err


def test_who_stops_a_run_hears_what_is_unfinished_and_what_was_not_begun(
    worked: Callable[..., list[Work]], say: Say
) -> None:
    made = worked({"XNYS": Outcome(("AAPL", "IBM"), is_interrupted=True)})
    said = say("fetch")
    assert said.code == 130
    assert [work.market for work in made] == ["XNYS"]
    assert "interrupted: AAPL, IBM unfinished, BTC-USD not begun\nfinished fits are kept — run it again\n" in said.err


def test_of_many_names_ten_are_shown(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"T{number:02d}" for number in range(12)]
    say("tickers", "add", *names)
    monkeypatch.setattr(
        runs, "execute", lambda _instance, _settings, work: Outcome(work.tickers, dict.fromkeys(work.tickers, "why"))
    )
    said = say("fetch")
    assert said.err.count("\nFAILED ") == 12
    assert "error: 12 of 12 failed: T00, T01, T02, T03, T04, T05, T06, T07, T08, T09 and 2 more — " in said.err


@pytest.mark.slow
def test_a_real_run_goes_on_without_the_ticker_that_fails(home: Path, say: Say) -> None:
    said = say("fetch", "--ticker", "AAPL", "--ticker", "NOPE", "--source", "sample")
    assert said.code == 1
    (line,) = [line for line in said.err.splitlines() if line.startswith("FAILED")]
    assert line.startswith("FAILED NOPE: raw_prices: ")
    assert " — " in line
    tickers = Lake(home / "lake").read("tickers").set_index("ticker")
    assert tickers["status"].to_dict() == {"AAPL": "fetched", "NOPE": "failed"}
    told = tickers.loc["NOPE"]
    assert line == f"FAILED NOPE: {told['stage']}: {told['reason']} — {told['cure']}"
    assert len(Lake(home / "lake").read("prices", ticker="AAPL"))
