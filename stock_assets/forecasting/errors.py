"""Errors of the domain. Tree: see `stock_assets.errors`."""

from stock_assets.errors import StockAssetsError


class TooFewRows(StockAssetsError):
    """There are fewer rows than the work needs; the message names both numbers."""


class ArtifactMismatch(StockAssetsError):
    """A stored model was changed, is incomplete, or belongs to another model."""


class InvalidBars(StockAssetsError):
    """Bars that cannot be true: a high below a low, a price that is not positive, a session twice."""
