"""Bars: `raw_prices` keeps every fetch, `prices` is the one consistent vintage everything else reads."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.prices import build_prices, check_prices, count_restated, reconcile
from stock_assets.forecasting.sessions import lookback_start
from stock_assets.lineage import Output, lineage_asset
from stock_assets.resources import PriceSource

GROUP = "1_prices"


@lineage_asset(
    Output(
        "raw_prices",
        "raw_prices",
        GROUP,
        "Every bar as it was fetched, kept for ever. Only new or changed bars are added; a restated history is added "
        "whole, as a new vintage.",
    ),
    kinds=["yfinance"],
)
def raw_prices(one: OneTicker, price_source: PriceSource, clock: Clock) -> Made:
    """Fetch the ticker's history and keep what is new."""
    one.learn()  # in the universe from now on, whatever becomes of it
    now, stored = clock.now(), one.read("raw_prices")
    source = price_source.open(stored["source"].iloc[-1] if len(stored) else one.chosen_source)
    if stored.empty:
        one.learn(source=source.name)  # known even if the fetch fails
    end = source.last_session(one.ticker) or now.date()
    start = lookback_start(end, price_source.reach)
    if len(stored):
        start = min(start, stored["session"].min().date())
    bars = source.fetch(one.ticker, start, end, now=now)
    news = reconcile(stored, bars.frame, ticker=one.ticker, source=source.name, fetched_at=now)
    one.learn(calendar=bars.calendar, currency=bars.currency, source=source.name)
    for session, reason in bars.dropped.items():
        one.warn(f"{session}: no usable bar ({reason})")
    return Made(
        {"raw_prices": news.rows},
        notes={
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
    Output(
        "prices", "prices", GROUP, "One vintage of bars per ticker: splicing two would make up a return at the seam."
    ),
    reads=["raw_prices"],
    kinds=["pandas"],
)
def prices(one: OneTicker) -> Made:
    """Take the latest consistent history and refuse bars that cannot be true."""
    before = one.read("prices")
    bars = build_prices(one.read("raw_prices"), calendar=one.calendar)
    findings = check_prices(bars, one.calendar)
    # A hole in the history is shown red, but the bars around it are right: refusing them would stop the ticker.
    refuse(findings, subject=f"{one.ticker} prices", tolerated={"missing_session"})
    for finding in findings:
        one.warn(f"{finding.name}: {finding.message}")
    return Made(
        {"prices": bars},
        findings,
        notes={
            "first_session": str(bars["session"].min().date()),
            "last_session": str(bars["session"].max().date()),
            "last_close": float(bars["close"].iloc[-1]),
            **one.pictures(last_bars=lambda: bars.tail(5).drop(columns=["ticker"]).to_markdown(index=False)),
        },
        marks={"restated_sessions": count_restated(before, bars)},
        status="fetched",
    )
