"""Errors of storage. Tree: see `stock_assets.errors`."""

from stock_assets.errors import StockAssetsError


class InvalidTicker(StockAssetsError):
    """A ticker name that no exchange uses or that no file system is safe with."""


class ContractViolation(StockAssetsError):
    """A frame does not fit its table's contract; nothing was written."""


class UnknownTable(StockAssetsError):
    """No table of that name."""


class SchemaVersionMismatch(StockAssetsError):
    """The lake was written by another version of this project."""


class QueryRefused(StockAssetsError):
    """Typed SQL that is not exactly one SELECT, or that failed."""


class QueryCancelled(QueryRefused):
    """Typed SQL that somebody stopped."""


class NothingPublished(StockAssetsError):
    """No database has been published in this home yet."""


class DamagedGeneration(StockAssetsError):
    """The published database file cannot be read; it can be made anew from the lake."""


class ExportRefused(StockAssetsError):
    """A file that cannot be exported to."""


class BackupRefused(StockAssetsError):
    """A backup cannot be written there, or there is nothing to back up."""


class DamagedBackup(StockAssetsError):
    """A file that is no backup, is damaged, or holds what no backup holds; nothing was restored."""


class RestoreRefused(StockAssetsError):
    """There is something already where a backup was to be restored."""


class SourceIsFixed(StockAssetsError):
    """A ticker's bars come from one source for ever in one home."""
