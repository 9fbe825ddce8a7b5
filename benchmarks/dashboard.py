"""The dashboard with 500 tickers × 8 models published: queries, browser, twenty viewers, two hundred sessions.

`python -m benchmarks.dashboard [--tickers 500] [--models 8] [--sessions 200]`. Budgets: a query of a page in at most
50 ms and a choice in the browser in at most 500 ms (95th percentiles); 20 viewers while a pipeline publishes without an
error; memory after 200 sessions opened and closed at most 1.1 × that after 50. Needs Chromium.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from bokeh.client import ClientSession, pull_session

from benchmarks.publish import build_lake, change, realistic, timed
from dashboard.selection import Selection
from dashboard.store import Snapshot, Store
from dashboard.views import all_views
from dashboard.views._base import Context
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings
from storage.publisher import Publisher
from tests.dashboard.browser import chromium, tab
from tests.dashboard.servers import serving_process

CHOICES = 40
VIEWERS = 20
PUBLICATIONS = 5
TIMED = """(chart, text) => {
  window.drawn = new Promise((resolve) => {
    let clicked
    addEventListener("click", () => { clicked = performance.now() }, { capture: true, once: true })
    const look = () => requestAnimationFrame(() => {
      if (!chart.getAttribute("aria-label").startsWith(text)) { look(); return }
      setTimeout(() => resolve(performance.now() - clicked))  // after this frame
    })
    look()
  })
}"""
# The server lets a closed session go after this long (dashboard/app.py), and looks every few seconds.
SESSIONS_GONE_SECONDS = 80


def build_home(home: Path, tickers: list[str], models: list[str]) -> Publisher:
    """A published home of simulated rows in which every ticker has a champion and a forecast of every model."""
    build_lake(home / "lake", tickers, models)
    publisher = Publisher(home)
    pairs = len(tickers) * len(models)
    forecasts = realistic("forecasts", pairs, model=models * len(tickers)).assign(
        ticker=np.repeat(tickers, len(models)),
        as_of_session=pd.Timestamp("2027-06-08"),
        target_session=pd.Timestamp("2027-06-09"),
        is_champion=[model == models[0] for model in models] * len(tickers),
    )
    publisher.lake.append("forecasts", forecasts)
    publisher.lake.append("champion", realistic("champion", len(tickers)).assign(ticker=tickers))
    publisher.publish()
    return publisher


def measure_queries(home: Path, tickers: list[str]) -> dict[str, float]:
    """95th percentile in ms of each query that the pages ask for one ticker, none of them asked before."""
    seconds: dict[str, list[float]] = {}
    original = Snapshot._run

    def recorded(self: Snapshot, query, arguments, filters):  # type: ignore[no-untyped-def]
        began = time.perf_counter()
        frame = original(self, query, arguments, filters)
        seconds.setdefault(query.__name__, []).append(time.perf_counter() - began)
        return frame

    store = Store(home)
    pages = [view(Context(store, Settings(home=home))) for view in all_views()]
    Snapshot._run = recorded  # type: ignore[method-assign]
    try:
        for ticker in np.random.default_rng(0).choice(tickers, min(100, len(tickers)), replace=False):
            for page in pages:
                _show(page, store.newest(), str(ticker))
    finally:
        Snapshot._run = original  # type: ignore[method-assign]
    return {name: round(float(np.percentile(times, 95) * 1e3), 1) for name, times in sorted(seconds.items())}


def _show(page, shown: Snapshot, ticker: str) -> None:  # type: ignore[no-untyped-def]
    try:
        page.update(shown, Selection(ticker=ticker))
    except StockAssetsError:  # a page that has nothing to show has asked all the same
        return


def measure_choices(address: str, tickers: list[str]) -> tuple[float, float]:
    """Seconds until the first chart of a fresh browser, and the 95th percentile in ms of choosing another ticker."""
    with chromium() as browser, tab(browser) as opened:
        page = opened.page
        began = time.perf_counter()
        page.goto(f"{address}/forecast?ticker={tickers[0]}", wait_until="commit")
        chart = page.locator("[role=img]").first
        chart.wait_for()
        first = time.perf_counter() - began
        page.wait_for_timeout(2000)
        took = [_choose(page, chart, ticker) for ticker in tickers[1 : CHOICES + 1]]
    return first, float(np.percentile(took, 95))


def _choose(page, chart, ticker: str) -> float:  # type: ignore[no-untyped-def]
    """Milliseconds in the browser from the click on a ticker until its chart has been drawn."""
    page.get_by_label("Ticker").first.click()
    entry = page.get_by_role("option", name=ticker, exact=True)
    entry.scroll_into_view_if_needed()
    chart.evaluate(TIMED, f"Candlesticks of {ticker},")
    entry.click()
    return float(page.evaluate("drawn"))


def measure_viewers(address: str, publisher: Publisher, tickers: list[str], models: list[str]) -> int:
    """Errors of 20 viewers who all look at different tickers while a pipeline publishes."""
    errors: list[str] = []
    publishing = threading.Event()

    def look(number: int) -> None:
        try:
            while not publishing.is_set():
                with _session(f"{address}/forecast", ticker=tickers[number * 7 % len(tickers)]) as session:
                    if not any("Candlesticks" in text for text in _chart_texts(session)):
                        errors.append(f"viewer {number} saw no chart")
        except (OSError, RuntimeError) as error:
            errors.append(f"viewer {number}: {error}")

    viewers = [threading.Thread(target=look, args=(number,)) for number in range(VIEWERS)]
    for viewer in viewers:
        viewer.start()
    for seed in range(PUBLICATIONS):
        change(publisher, tickers[seed * 7 % len(tickers)], models, seed)
        publisher.publish()
    publishing.set()
    for viewer in viewers:
        viewer.join()
    print("\n".join(errors[:5]), end="\n" if errors else "")
    return len(errors)


def measure_memory(address: str, process: psutil.Process, sessions: int) -> tuple[float, float]:
    """Resident MB of the server after 50 and after `sessions` browser sessions were opened and closed."""
    after: dict[int, float] = {}
    for number in range(1, sessions + 1):
        with _session(f"{address}/forecast"):
            pass
        if number in (50, sessions):
            time.sleep(SESSIONS_GONE_SECONDS)
            after[number] = process.memory_info().rss / 1e6
    return after.get(50, after[sessions]), after[sessions]


@contextmanager
def _session(address: str, **arguments: str) -> Iterator[ClientSession]:
    session = pull_session(url=address, arguments=arguments)
    try:
        yield session
    finally:
        session.close()


def _chart_texts(session: ClientSession) -> list[str]:
    return [
        model.html_attributes.get("aria-label", "")
        for model in session.document.models
        if getattr(model, "html_attributes", None)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=200)
    given = parser.parse_args()
    _know_the_models_of_pages()
    tickers = [f"T{i:03d}" for i in range(given.tickers)]
    models = ["random_walk", *(f"m{i}" for i in range(1, given.models))]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        build = timed(lambda: build_home(home, tickers, models))
        print(f"{given.tickers} tickers × {given.models} models built and published in {build:.0f} s", flush=True)
        asked = measure_queries(home, tickers)
        print(f"slowest query: {max(asked.values()):.0f} ms at the 95th percentile (budget 50 ms)", flush=True)
        with serving_process(home) as served:
            first, chosen = measure_choices(served.address, tickers)
            print(
                f"first chart after {first:.1f} s; another ticker in {chosen:.0f} ms, 95th percentile (budget 500 ms)"
            )
            small, large = measure_memory(served.address, psutil.Process(served.process.pid), given.sessions)
            print(f"{large:.0f} MB after {given.sessions} sessions, {large / small:.2f} × that after 50 (budget 1.1 ×)")
            errors = measure_viewers(served.address, Publisher(home), tickers, models)
            print(f"{VIEWERS} viewers while a pipeline published {PUBLICATIONS} times: {errors} errors (budget 0)")
            said = len(served.errors())
    figures = {
        "benchmark": "dashboard",
        "query_p95_ms": asked,
        "first_chart_s": round(first, 2),
        "choice_p95_ms": round(chosen),
        "memory_ratio": round(large / small, 3),
        "viewer_errors": errors,
        "server_errors": said,
    }
    print(json.dumps(figures))


def _know_the_models_of_pages() -> None:
    """What the server sends is read by the classes of these."""
    import panel as pn
    import panel_material_ui  # noqa: F401 (it registers its classes)

    pn.extension("tabulator")


if __name__ == "__main__":
    main()
