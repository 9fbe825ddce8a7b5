"""What a symbol, as Yahoo writes it, tells about where it trades: its suffix.

Only a first guess is made from it, for a ticker that has never been fetched: the source's own word replaces it.
"""

USUAL = "XNYS"

# Suffix → calendar of exchange_calendars.
_CALENDARS = {
    **{"TO": "XTSE", "V": "XTSE", "NE": "XTSE", "CN": "XTSE", "MX": "XMEX", "SA": "BVMF", "BA": "XBUE"},
    **{"SN": "XSGO", "LM": "XLIM", "L": "XLON", "IL": "XLON", "IR": "XDUB", "PA": "XPAR", "AS": "XAMS"},
    **{"BR": "XBRU", "LS": "XLIS", "DE": "XETR", "F": "XFRA", "MI": "XMIL", "MC": "XMAD", "SW": "XSWX"},
    **{"VI": "XWBO", "ST": "XSTO", "CO": "XCSE", "HE": "XHEL", "OL": "XOSL", "IC": "XICE", "WA": "XWAR"},
    **{"PR": "XPRA", "BD": "XBUD", "AT": "ASEX", "IS": "XIST", "TA": "XTAE", "JO": "XJSE", "T": "XTKS"},
    **{"HK": "XHKG", "SS": "XSHG", "SZ": "XSHG", "TW": "XTAI", "TWO": "XTAI", "KS": "XKRX", "KQ": "XKRX"},
    **{"SI": "XSES", "KL": "XKLS", "JK": "XIDX", "BK": "XBKK", "NS": "XBOM", "BO": "XBOM", "AX": "XASX"},
    **{"NZ": "XNZE", "SR": "XSAU"},
}
_CURRENCIES = "=X"
_CRYPTO = ("-USD", "-EUR", "-GBP", "-JPY")


def calendar_of_symbol(ticker: str) -> str:
    """The calendar that a symbol's form suggests, New York's where it suggests none."""
    if ticker.endswith(_CURRENCIES):
        return "24/5"
    if ticker.endswith(_CRYPTO):
        return "24/7"
    return _CALENDARS.get(ticker.rpartition(".")[2], USUAL) if "." in ticker else USUAL
