from datetime import date
from types import SimpleNamespace

import pytest

from dashboard import words
from dashboard.parts import Notice, Text


@pytest.mark.parametrize(
    ("value", "currency", "said"),
    [
        (430.466, "USD", "$430.47"),
        (12345.6, "EUR", "€12,345.60"),
        (0.01234, "USD", "$0.0123"),
        (430.466, "SEK", "430.47 SEK"),
        (430.466, None, "430.47"),
        (float("nan"), "USD", "—"),
    ],
)
def test_a_price_carries_its_currency(value: float, currency: str | None, said: str) -> None:
    assert words.money(value, currency) == said


@pytest.mark.parametrize(
    ("newest", "said", "stale"),
    [
        (date(2026, 11, 26), "of today", False),
        (date(2026, 11, 25), "1 day old", False),
        (date(2026, 11, 21), "5 days old", False),  # a weekend with a holiday on either side
        (date(2026, 11, 20), "6 days old", True),
        (date(2026, 5, 1), "6 months old", True),
        (date(2013, 3, 1), "13 years old", True),
    ],
)
def test_the_age_of_bars_is_said_and_warned_of(newest: date, said: str, stale: bool) -> None:
    today = date(2026, 11, 26)
    assert words.age(newest, today) == said
    assert bool(words.data_warning("yahoo", newest, today)) is stale


def test_sample_data_is_warned_of_whatever_its_age() -> None:
    assert words.data_warning("sample", date(2026, 11, 26), date(2026, 11, 26)).startswith("Sample data")


@pytest.mark.parametrize(
    ("model", "p", "std_ratio", "said"),
    [
        ("random_walk", None, None, "benchmark"),
        ("sarima", 0.2, 0.0, "same as the random walk"),
        ("sarima", float("nan"), 0.1, "cannot be tested"),
        ("sarima", 0.049, 0.1, "better (p = 0.049, this test alone)"),
        ("sarima", 0.05, 0.1, "no evidence (p = 0.05)"),
    ],
)
def test_a_test_is_said_in_words_that_do_not_flatter(model: str, p: float, std_ratio: float, said: str) -> None:
    assert words.verdict(model, p, std_ratio) == said


def test_the_leading_sentence_names_the_champion_only_where_there_is_one_but_the_random_walk() -> None:
    forecast = {"lower_90": 90.0, "upper_90": 110.0, "predicted": 101.0, "naive": 100.0}
    walk = words.forecast_sentence("AAPL", SimpleNamespace(model="random_walk", **forecast), "USD")
    assert walk == (
        "No model has beaten “same as today” for AAPL; 90 % of next sessions should close between $90.00 and $110.00."
    )
    better = words.forecast_sentence("AAPL", SimpleNamespace(model="xgboost", **forecast), "USD")
    assert better.startswith("xgboost has beaten “same as today” for AAPL and expects $101.00 (+1.00 %); 90 %")


@pytest.mark.parametrize(
    ("stage", "cure", "said"),
    [
        ("raw_prices", "choose another", "raw_prices: no bars — choose another"),
        (None, float("nan"), "no bars"),  # an older version said it all in one
    ],
)
def test_a_failure_is_one_sentence_of_stage_reason_and_cure(stage: str | None, cure: object, said: str) -> None:
    assert words.failure(SimpleNamespace(stage=stage, reason="no bars", cure=cure)) == said


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;"])
def test_text_from_data_is_shown_as_it_is(hostile: str) -> None:
    text, notice = Text(hostile), Notice()
    notice.say("error", hostile, hostile)
    for shown in (text._pane.object, notice._pane.object):
        assert hostile not in shown
        assert "<script" not in shown
        assert "<img" not in shown
