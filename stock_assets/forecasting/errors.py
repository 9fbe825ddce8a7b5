"""Errors of the domain. Tree: see `stock_assets.errors`."""

from stock_assets.errors import StockAssetsError


class TooFewRows(StockAssetsError):
    """There are fewer rows than the work needs; the message names both numbers."""


class ArtifactMismatch(StockAssetsError):
    """A stored model was changed, is incomplete, or belongs to another model."""


class InvalidBars(StockAssetsError):
    """Bars that cannot be true: a high below a low, a price that is not positive, a session twice."""


class MixedSources(StockAssetsError):
    """Bars of two sources under one ticker in one home."""


class IncompleteHistory(StockAssetsError):
    """A fetch restates prices but lacks so much of what is stored that it cannot replace it."""


class InvalidLookback(StockAssetsError):
    """A look-back that is not a number of years, months or days."""


class UnknownCalendar(StockAssetsError):
    """No exchange calendar of that name."""


class OutsideCalendar(StockAssetsError):
    """A date before or after what the exchange calendar knows."""


class NotASession(StockAssetsError):
    """A date on which the exchange does not trade."""


class StalePredictions(StockAssetsError):
    """Bars have arrived that the predictions were not made from."""


class NotConverged(StockAssetsError):
    """An optimiser did not find a maximum from any of its starting points."""


class RefusedData(StockAssetsError):
    """A check found data that must not be stored; what was stored before is untouched."""


class UnequalRows(StockAssetsError):
    """Models that are to be compared did not predict the same sessions."""


class NotTrained(StockAssetsError):
    """A model that is needed has no fit."""


class UnknownForecast(StockAssetsError):
    """No forecast, or more than one, has an id that begins so."""


class LostBars(StockAssetsError):
    """The bars that something was made from can no longer be put together from what is stored."""


class InvalidPlan(StockAssetsError):
    """A backtest whose window, step or cadence is out of range."""
