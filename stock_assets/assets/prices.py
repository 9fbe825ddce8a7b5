"""Bars: `raw_prices` keeps every fetch, `prices` is the one consistent vintage everything else reads."""

import dagster as dg
import pandas as pd

from stock_assets.checks import check_results
from stock_assets.clock import Clock
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.prices import build_prices, check_prices, count_restated, reconcile
from stock_assets.forecasting.sessions import lookback_start
from stock_assets.lineage import lineage_asset, record_facts, record_status, ticker_facts
from stock_assets.resources import PriceSource, Warehouse

GROUP = "1_prices"


@lineage_asset(
    key=["raw_prices"],
    table="raw_prices",
    group=GROUP,
    kinds={"yfinance"},
    description="Every bar as it was fetched, kept for ever. Only new or changed bars are added; a restated history is "
    "added whole, as a new vintage.",
)
def raw_prices(
    context: dg.AssetExecutionContext, warehouse: Warehouse, price_source: PriceSource, clock: Clock
) -> dg.MaterializeResult[pd.DataFrame]:
    """Fetch the ticker's history and keep what is new."""
    ticker, now = context.partition_key, clock.now()
    stored = warehouse.lake.read("raw_prices", ticker=ticker)
    source = price_source.open(stored["source"].iloc[-1] if len(stored) else _chosen_source(warehouse, ticker))
    if stored.empty:
        record_status(warehouse.lake, ticker, "added", source=source.name)  # known even if the fetch fails
    end = source.last_session(ticker) or now.date()
    start = lookback_start(end, price_source.reach)
    if len(stored):
        start = min(start, stored["session"].min().date())
    bars = source.fetch(ticker, start, end, now=now)
    news = reconcile(stored, bars.frame, ticker=ticker, source=source.name, fetched_at=now)
    record_facts(warehouse.lake, ticker, calendar=bars.calendar, currency=bars.currency, source=source.name)
    for session, reason in bars.dropped.items():
        context.log.warning(f"{ticker} {session}: no usable bar ({reason})")
    return dg.MaterializeResult(
        value=news.rows,
        metadata={
            "source": source.name + (" (sample data: not today's market)" if source.name == "sample" else ""),
            "first_session": str(bars.frame["session"].min().date()),
            "last_session": str(bars.frame["session"].max().date()),
            "new_bars": news.n_new,
            "restated_bars": news.n_restated,
            "revised_volumes": news.n_revised,
            "carried_bars": news.n_carried,
            "bars_missing_from_the_restated_history": len(news.missing),
            "dropped_bars": len(bars.dropped),
        },
    )


@lineage_asset(
    key=["prices"],
    table="prices",
    group=GROUP,
    kinds={"pandas"},
    description="One vintage of bars per ticker: splicing two would make up a return at the seam.",
    deps=[dg.AssetKey("raw_prices")],
)
def prices(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[pd.DataFrame]:
    """Take the latest consistent history and refuse bars that cannot be true."""
    ticker = context.partition_key
    calendar = ticker_facts(warehouse.lake, ticker)["calendar"]
    before = warehouse.lake.read("prices", ticker=ticker)
    bars = build_prices(warehouse.lake.read("raw_prices", ticker=ticker), calendar=calendar)
    record_status(warehouse.lake, ticker, "fetched")  # the rows of raw_prices are there: they were read
    findings = check_prices(bars, calendar)
    # A hole in the history is shown red, but the bars around it are right: refusing them would stop the ticker.
    refuse(findings, subject=f"{ticker} prices", tolerated={"missing_session"})
    for finding in findings:
        context.log.warning(f"{finding.name}: {finding.message}")
    return dg.MaterializeResult(
        value=bars,
        check_results=check_results(["prices"], findings),
        metadata={
            "first_session": str(bars["session"].min().date()),
            "last_session": str(bars["session"].max().date()),
            "last_close": float(bars["close"].iloc[-1]),
            "restated_sessions": count_restated(before, bars),
            "last_bars": dg.MetadataValue.md(bars.tail(5).drop(columns=["ticker"]).to_markdown(index=False)),
        },
    )


def _chosen_source(warehouse: Warehouse, ticker: str) -> str | None:
    row = warehouse.lake.read("tickers", ticker=ticker)
    return row["source"].iloc[0] if len(row) else None
