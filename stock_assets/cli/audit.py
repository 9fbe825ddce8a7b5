"""The command `audit`: can what is stored be trusted?"""

from collections.abc import Sequence

from stock_assets.cli.context import output
from stock_assets.cli.runs import Tickers, work
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings


class ProofFailed(StockAssetsError):
    """Something stored could have seen the future."""


def audit(ticker: Tickers = None) -> None:
    """Prove that nothing stored could have seen the future, and look for scores too good to be believed.

    Leaves with exit code 1 if a proof failed. A raised flag is no verdict: it blocks promotion until the proofs hold.
    """
    failed: list[str] = []
    work("leak_audit", ticker, report=lambda settings, tickers: failed.extend(_report(settings, tickers)))
    _require_proven(failed)


def _require_proven(failed: Sequence[str]) -> None:
    if failed:
        raise ProofFailed(
            f"{len(failed)} proof{'s' if len(failed) > 1 else ''} failed: {', '.join(failed)}",
            cure="each line above says what was found; correct the code or train again, then audit again",
        )


def _report(settings: Settings, tickers: Sequence[str]) -> list[str]:
    """Print each ticker's table; the names of what failed."""
    from stock_assets.cli import show
    from stock_assets.forecasting.audit import failed_proofs
    from storage import queries
    from storage.published import Reader

    failed = []
    for ticker in tickers:
        with Reader(settings.home) as reader:
            found = queries.relation(reader, "audit", ticker=ticker)
        show.audit(found, output())
        names = failed_proofs(found)[["subject", "name"]].itertuples(index=False)
        failed += [f"{ticker} {subject} {name}" for subject, name in names]
    return failed
