"""The commands `audit` and `champion`: can the pipeline be trusted, and who is trusted by it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from stock_assets.cli.context import note, open_home, output, read_ticker, require_known
from stock_assets.cli.runs import Tickers, work
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings


class ProofFailed(StockAssetsError):
    """Something stored could have seen the future."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("audit")(audit)
    app.command("champion")(champion)


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


def champion(
    ticker: Annotated[str | None, typer.Argument(metavar="TICKER", help="Only this ticker. Default: all.")] = None,
) -> None:
    """Who is trusted for each ticker, since when and why: every decision, the newest first."""
    from stock_assets.cli import show
    from storage import queries
    from storage.published import Reader

    settings = open_home()
    wanted = None if ticker is None else read_ticker(ticker)
    with Reader(settings.home) as reader:
        decisions = queries.champion_history(reader, wanted)
        universe = queries.tickers(reader)
    if wanted is not None:
        known = {*universe["ticker"], *decisions["ticker"]}
        require_known([wanted], known, settings.home, if_none=f"add it: stock-assets tickers add {wanted}")
    if decisions.empty:
        note(f"no champion{f' of {wanted}' if wanted else ''} yet: decide with `stock-assets run`")
        return
    show.decisions(decisions, output())


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
