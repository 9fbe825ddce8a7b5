"""Why nothing was started."""

from stock_assets.errors import StockAssetsError


class PortTaken(StockAssetsError):
    """A port that a service is to listen on is in use."""


class AlreadyUp(StockAssetsError):
    """Another supervisor keeps this home."""


class AllGaveUp(StockAssetsError):
    """Every service died more often than it is started again."""
