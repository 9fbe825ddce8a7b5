"""Errors of price sources. Tree: see `stock_assets.errors`."""

from stock_assets.errors import StockAssetsError


class SourceError(StockAssetsError):
    """A source could not deliver bars."""


class UnknownTicker(SourceError):
    """The source does not know this symbol."""


class NoDataInRange(SourceError):
    """The symbol exists, but has no bar between the dates asked for."""


class RateLimited(SourceError):
    """The source refuses for now because it was asked too often."""


class Unreachable(SourceError):
    """The source did not answer."""


class NoConnection(Unreachable):
    """The source could not even be asked: its name does not resolve, or the connection was refused."""


class MalformedData(SourceError):
    """The source answered with something that is not bars."""


class UnknownSource(StockAssetsError):
    """No price source of that name."""


class SourceNotConfigured(SourceError):
    """The source lacks something it needs before it can be asked, such as a folder."""


class UnknownExchange(SourceError):
    """The symbol trades on an exchange whose calendar is not known here."""
