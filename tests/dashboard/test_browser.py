"""What a person meets in a real browser: every page, light and dark, wide and on a phone."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.views import all_views
from storage.publisher import Publisher
from tests.dashboard.browser import PATIENCE_MS, PHONE, WIDE, Tab, tab

pytestmark = pytest.mark.slow
PASSWORD = "open sesame"  # noqa: S105 (of the tests)
expect.set_options(timeout=PATIENCE_MS)
# A table that asks in a loop whether it may draw sends itself some 50,000 messages a second (docs/adr/0107).
COUNT_MESSAGES = """(() => {
  const send = MessagePort.prototype.postMessage
  window.messages = 0
  MessagePort.prototype.postMessage = function (...given) { window.messages += 1; return send.apply(this, given) }
})()"""
# Screens of this run, to be looked at.
SCREENS = Path("build") / "screens"


def open_page(opened: Tab, address: str) -> Page:
    """Go there and wait until the page has its title."""
    opened.page.goto(address, wait_until="commit")
    expect(opened.page.locator("h1")).to_be_visible()
    return opened.page


def at_rest(pages: dict[str, Page]) -> set[str]:
    """Names of the pages that soon stop sending themselves messages. All of them are watched at once."""
    restless = dict(pages)
    for _ in range(10):
        before = {name: page.evaluate("messages") for name, page in restless.items()}
        next(iter(restless.values())).wait_for_timeout(3000)
        restless = {name: page for name, page in restless.items() if page.evaluate("messages") - before[name] >= 50}
        if not restless:
            break
    return pages.keys() - restless.keys()


def chart_texts(page: Page) -> list[str]:
    """The text alternatives of a page's charts."""
    return [str(chart.get_attribute("aria-label")) for chart in page.locator("[role=img]").all()]


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option from the list of a field with completions."""
    page.get_by_label(label).first.click()
    page.get_by_role("option", name=option, exact=True).click()


@dataclass(frozen=True)
class Opened:
    """Every page, each in a tab of its own, after a while.

    Attributes:
        tabs: by the page's name.
        at_rest: names of those that came to rest.
    """

    tabs: dict[str, Tab]
    at_rest: set[str]


@pytest.fixture(scope="module", params=[(WIDE, False), (PHONE, True)], ids=["wide light", "phone dark"])
def opened(request: pytest.FixtureRequest, browser: Browser, served: str) -> Iterator[Opened]:
    """Every page of the desk, opened beside the others: they are waited for once."""
    size, dark = request.param
    with ExitStack() as stack:
        tabs = {view.name: stack.enter_context(tab(browser, size=size, dark=dark)) for view in all_views()}
        for view, one in tabs.items():
            one.page.add_init_script(COUNT_MESSAGES)
            open_page(one, f"{served}/{view}?ticker=AAPL")
        one.page.wait_for_timeout(1500)
        SCREENS.mkdir(parents=True, exist_ok=True)
        for view, one in tabs.items():
            one.page.screenshot(path=SCREENS / f"{view}-{'phone-dark' if dark else 'wide-light'}.png")
        yield Opened(tabs, at_rest({view: one.page for view, one in tabs.items()}))


@pytest.mark.parametrize("view", [view.name for view in all_views()])
def test_a_page_opens_without_an_error_or_a_request_to_elsewhere(opened: Opened, view: str) -> None:
    shown = opened.tabs[view]
    assert view in opened.at_rest
    assert shown.errors == []
    assert shown.outside == []
    expect(shown.page.locator("[role=alert]")).to_have_count(0)
    overflow = shown.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "the page is wider than the screen"


def test_another_ticker_changes_charts_and_address_and_charts_are_reached_by_keyboard(
    browser: Browser, served: str
) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{served}/forecast?ticker=AAPL")
        candles = page.locator("[role=img]").first
        expect(candles).to_have_attribute("aria-label", re.compile("AAPL"))
        assert candles.get_attribute("tabindex") == "0"
        choose(page, "Ticker", "MSFT")
        expect(candles).to_have_attribute("aria-label", re.compile("MSFT"))
        expect(page.locator("h1")).to_have_text("Where will MSFT close next session?")
        page.wait_for_url("**/forecast?ticker=MSFT")
        assert opened.errors == []


def test_a_ticker_is_chosen_by_typing_and_a_field_that_is_left_shows_what_is_chosen(
    browser: Browser, served: str
) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{served}/forecast?ticker=AAPL")
        expect(page.locator("[role=img]").first).to_have_attribute("aria-label", re.compile("AAPL"))
        field = page.get_by_label("Ticker").first
        field.fill("ms")
        field.press("Enter")
        expect(page.locator("h1")).to_have_text("Where will MSFT close next session?")
        expect(field).to_have_value("MSFT")
        for abandoned in ("nonsense", ""):
            field.fill(abandoned)
            expect(field).to_have_value(abandoned)
            page.locator("h1").click()
            expect(field).to_have_value("MSFT")
        page.wait_for_url("**/forecast?ticker=MSFT")
        assert opened.errors == []


def test_light_or_dark_is_remembered(browser: Browser, served: str) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{served}/forecast")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_role("button", name=re.compile("theme|mode", re.IGNORECASE)).first.click()
        page.wait_for_function(f"{ground} !== '{light}'")
        dark = page.evaluate(ground)
        open_page(opened, f"{served}/forecast")
        page.wait_for_function(f"{ground} === '{dark}'")


def test_an_empty_home_says_what_to_do_and_shows_what_is_published_later(
    browser: Browser, serve: Callable[..., str], desk: Path, tmp_path: Path
) -> None:
    with tab(browser) as opened:
        page = open_page(opened, f"{serve(tmp_path)}/forecast")
        expect(page.locator("[role=alert]")).to_contain_text("stock-assets run")
        (tmp_path / "lake").symlink_to(desk / "lake")
        Publisher(tmp_path).publish()
        expect(page.locator("[role=img]").first).to_have_attribute("aria-label", re.compile("AAPL"))
        expect(page.locator("[role=alert]")).to_have_count(0)


def test_one_database_file_is_enough_and_a_missing_or_damaged_one_is_said(
    browser: Browser, serve: Callable[..., str], desk: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "desk.duckdb"
    address = serve(tmp_path / "nowhere", "--database", str(alone))
    with tab(browser) as opened:
        page = open_page(opened, f"{address}/forecast?ticker=AAPL")
        expect(page.locator("[role=alert]")).to_contain_text("There is no file")
        newest = max((desk / "published").glob("*.duckdb"))
        alone.write_bytes(newest.read_bytes()[:30_000])
        expect(page.locator("[role=alert]")).to_contain_text("cannot be read")
        alone.write_bytes(newest.read_bytes())
        expect(page.locator("[role=img]").first).to_have_attribute("aria-label", re.compile("AAPL"))
    assert not (tmp_path / "nowhere").exists()


def test_a_password_covers_every_page(browser: Browser, serve: Callable[..., str], desk: Path) -> None:
    address = serve(desk, STOCK_ASSETS_DASHBOARD_PASSWORD=PASSWORD)
    for view in all_views():
        with tab(browser) as opened:
            opened.page.goto(f"{address}/{view.name}")
            assert opened.page.url.startswith(f"{address}/login")
    with tab(browser) as opened:
        page = opened.page
        page.goto(f"{address}/forecast?ticker=AAPL")
        page.locator("input[type=text]").first.fill("analyst")
        page.locator("input[type=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Where will AAPL close next session?")
