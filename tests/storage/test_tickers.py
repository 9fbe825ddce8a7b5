import pytest

from storage.errors import InvalidTicker
from storage.tickers import read_ticker, validate_ticker


@pytest.mark.parametrize("name", ["AAPL", "BRK-B", "^GSPC", "BF.B", "M&M.NS", "EURUSD=X", "0700.HK", "CON.DE", "F"])
def test_names_yahoo_uses_are_accepted(name: str) -> None:
    assert validate_ticker(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(" ", "../x", "A/B", "A\\B", "a'b", 'A"B', "A,B", "A...B", ".A", "A.", "-A", "A B", "A\nB", "AAPL\n"),
        *("A" * 21, "ÄPFL", "A*", "A?", "A%", "$A", "A;B", "~A"),
    ],
)
def test_names_no_exchange_uses_or_no_file_system_is_safe_with_are_refused(name: str) -> None:
    with pytest.raises(InvalidTicker, match=r"is not a ticker: expected 1–20 of A–Z"):
        validate_ticker(name)


def test_a_lower_case_name_is_answered_with_the_upper_case_one() -> None:
    with pytest.raises(InvalidTicker, match=r"'brk-b' is not a ticker.*— did you mean BRK-B\?"):
        validate_ticker("brk-b")
    with pytest.raises(InvalidTicker, match=r"'../x' is not a ticker.*— check the symbol on finance\.yahoo\.com"):
        validate_ticker("../x")


@pytest.mark.parametrize("name", ["CON", "con", "LPT1", "NUL"])
def test_names_of_devices_are_said_to_be_reserved(name: str) -> None:
    message = rf"'{name}' is not a ticker: the name is reserved by Windows file systems — .* like {name.upper()}\.DE"
    with pytest.raises(InvalidTicker, match=message):
        validate_ticker(name)


def test_an_empty_name_is_said_to_be_empty() -> None:
    with pytest.raises(InvalidTicker, match=r"'' is not a ticker: it is empty, expected 1–20 of A–Z"):
        validate_ticker("")


def test_small_letters_are_read_as_capitals_and_nothing_else_is_changed() -> None:
    assert read_ticker("brk-b") == "BRK-B"
    for name in ("ß", "a b", "../x", "con"):
        with pytest.raises(InvalidTicker, match=f"^'{name}' is not a ticker"):
            read_ticker(name)
