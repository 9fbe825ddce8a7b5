import pytest

from storage.errors import InvalidTicker
from storage.tickers import validate_ticker


@pytest.mark.parametrize("name", ["AAPL", "BRK-B", "^GSPC", "BF.B", "M&M.NS", "EURUSD=X", "0700.HK", "CON.DE", "F"])
def test_names_yahoo_uses_are_accepted(name: str) -> None:
    assert validate_ticker(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "../x", "A/B", "A\\B", "a'b", 'A"B', "A,B", "A...B", ".A", "A.", "-A", "A B", "A\nB", "AAPL\n"),
        *("CON", "LPT1", "NUL", "A" * 21, "ÄPFL", "A*", "A?", "A%", "$A", "A;B", "~A"),
    ],
)
def test_names_no_exchange_uses_or_no_file_system_is_safe_with_are_refused(name: str) -> None:
    with pytest.raises(InvalidTicker, match=r"is not a ticker: expected 1–20 of A–Z"):
        validate_ticker(name)


def test_a_lower_case_name_is_answered_with_the_upper_case_one() -> None:
    with pytest.raises(InvalidTicker, match=r"'brk-b' is not a ticker.*— did you mean BRK-B\?"):
        validate_ticker("brk-b")
    with pytest.raises(InvalidTicker, match=r"check the symbol on finance\.yahoo\.com"):
        validate_ticker("con")
