"""Which ticker names are accepted, at every door. Names become partition keys, file names and SQL parameters."""

import re

from storage.errors import InvalidTicker

_PATTERN = re.compile(r"[A-Z0-9^](?:[A-Z0-9&=-]|\.(?=[A-Z0-9])){0,19}")
# Device names that Windows file systems (also seen through WSL) cannot hold.
_RESERVED = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{d}{n}" for d in ("COM", "LPT") for n in range(1, 10))})


def validate_ticker(name: str) -> str:
    """Return `name` unchanged if it is a usable ticker; `InvalidTicker` with the value, the rule and the cure."""
    if _is_usable(name):
        return name
    upper = name.upper()
    if upper in _RESERVED:
        problem = f"{name!r} is not a ticker: the name is reserved by Windows file systems"
        raise InvalidTicker(problem, cure=f"name it with its exchange, like {upper}.DE")
    raise InvalidTicker(
        f"{name!r} is not a ticker: {'' if name else 'it is empty, '}expected 1–20 of A–Z, 0–9 and . - ^ = & "
        "(like AAPL, BRK-B, ^GSPC, BF.B)",
        cure=f"did you mean {upper}?" if _is_usable(upper) else "check the symbol on finance.yahoo.com",
    )


def read_ticker(name: str) -> str:
    """A ticker as typed: `aapl` is read as AAPL; `InvalidTicker`, as typed, for `A,B` or `../x`."""
    capitals = name.upper() if name.isascii() else name
    return capitals if _is_usable(capitals) else validate_ticker(name)


def _is_usable(name: str) -> bool:
    return _PATTERN.fullmatch(name) is not None and name not in _RESERVED
