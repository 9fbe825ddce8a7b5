"""The page *SQL*, as a plain object: real queries in real processes, no browser."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from dashboard.page import Page
from dashboard.selection import Selection
from dashboard.sql_examples import EXAMPLES
from dashboard.sql_parts import Rows, relations, shown_as
from dashboard.store import Store
from dashboard.views import sql as page
from dashboard.views._base import Context
from dashboard.views.sql import Sql
from stock_assets.settings import Settings
from storage import queries
from storage.publisher import Publisher
from storage.sql import WORKERS, Limits, run_select
from storage.tables import TABLES
from storage.views import VIEWS
from tests.storage.frames import rows

pytestmark = pytest.mark.slow  # processes

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(1000000) b"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which thirty bars of AAPL are published."""
    publisher = Publisher(tmp_path_factory.mktemp("home"))
    publisher.lake.write("prices", rows("prices", 30), ticker="AAPL")
    publisher.publish()
    return publisher.home


@pytest.fixture
def view(bars: Path) -> Iterator[Sql]:
    made = Sql(Context(Store(bars), Settings(home=bars)))
    yield made
    WORKERS.close()


def _run(view: Sql, sql: str) -> None:
    view.editor.value = sql
    asyncio.run(view.run())


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_example_runs(bars: Path, title: str) -> None:
    assert len(run_select(EXAMPLES[title], bars).columns) > 1


def test_the_schema_holds_every_table_and_view_with_its_meaning_and_columns(view: Sql) -> None:
    view.update(view.context.store.newest(), Selection())
    listed = {one["name"]: one for one in view.schema.relations}
    assert set(listed) == {*TABLES, *(one.name for one in VIEWS)}
    assert listed["prices"]["meaning"] == TABLES["prices"].meaning
    close = next(column for column in listed["prices"]["columns"] if column["name"] == "close")
    assert close == {
        "name": "close",
        "type": "double",
        "meaning": "last price of the session, split-adjusted [ticker's currency]",
    }
    assert all(column["meaning"] for one in listed.values() for column in one["columns"])


def test_rows_are_shown_counted_and_downloaded(view: Sql) -> None:
    _run(view, "SELECT session, ticker, close FROM prices ORDER BY session")
    shown = view.rows.grid
    assert shown.visible
    assert shown.value["session"].tolist()[:2] == ["2024-01-01", "2024-01-02"]
    assert shown.text_align == {"session": "left", "ticker": "left", "close": "right"}
    assert shown.pagination == "remote"
    assert view.status.text.startswith("30 rows. ")
    downloaded = pd.read_csv(io.StringIO(view.download.callback().getvalue()))
    assert downloaded["close"].tolist() == pytest.approx(shown.value["close"].tolist())
    assert (view.download.visible, view.cancel_button.visible, view.run_button.disabled) == (True, False, False)


def test_a_cut_result_says_so(view: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LIMITS", Limits(rows=10))
    _run(view, "FROM prices")
    assert view.status.text.startswith("The first 10 rows; there are more. ")
    monkeypatch.setattr(page, "LIMITS", Limits(size=2**20))
    _run(view, "SELECT repeat('x', 100000) FROM range(100)")
    assert ", 1 MB; there are more. " in view.status.text


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("FROM '/etc/passwd'", "Table with name /etc/passwd does not exist"),
        ("DROP TABLE prices", "Expected a SELECT statement, found DROP Only reading is possible here"),
        ("SELECT error('<img src=x onerror=alert(1)>')", "<img src=x onerror=alert(1)>"),
    ],
)
def test_a_refusal_is_said_with_its_cure_and_never_as_markup(view: Sql, sql: str, problem: str) -> None:
    _run(view, "FROM prices")
    _run(view, sql)
    assert problem in view.problem.text
    assert "<img" not in view.problem._pane.object
    assert not view.rows.grid.visible
    assert not view.download.visible
    _run(view, "FROM prices")
    assert view.problem.text == ""


def test_the_page_goes_on_while_a_query_runs_and_cancel_stops_it(view: Sql) -> None:
    async def press_cancel_while_it_runs() -> int:
        view.editor.value = ENDLESS
        running = asyncio.create_task(view.run())
        turns = 0
        while not running.done():
            await asyncio.sleep(0.05)
            turns += 1
            if turns == 10:
                assert (view.cancel_button.visible, view.run_button.disabled) == (True, True)
                await view.run()  # a second press changes nothing
                view.cancel()
        return turns

    assert asyncio.run(press_cancel_while_it_runs()) >= 10
    assert view.status.text == "Cancelled."
    assert (view.cancel_button.visible, view.run_button.disabled) == (False, False)


def test_the_address_fills_the_editor_and_runs_nothing(
    view: Sql, monkeypatch: pytest.MonkeyPatch, empty_context: Context
) -> None:
    assert view.editor.value == next(iter(EXAMPLES.values()))
    monkeypatch.setattr(page, "_asked", lambda: "SELECT 42")
    shared = Sql(view.context)
    shared.update(view.context.store.newest(), Selection())
    assert shared.editor.value == "SELECT 42"
    assert shared.result is None
    assert "Nothing has been run yet" in shared.status.text


def test_an_example_replaces_what_is_typed(view: Sql) -> None:
    title = list(EXAMPLES)[3]
    view._take_example({"label": title})
    assert view.editor.value == EXAMPLES[title]


def test_an_empty_home_is_a_state_with_its_cure(empty_context: Context) -> None:
    shown = Page(Sql(empty_context), empty_context, {})
    assert "stock-assets run" in shown._problem.text


def test_any_result_can_be_shown(bars: Path) -> None:
    sql = """SELECT 1 AS "a.b", 2 AS "<b>x</b>", [1, 2] AS list, {'k': 1} AS struct, NULL AS nothing, true AS flag,
        TIMESTAMPTZ '2024-01-02 03:04:05+00' AS moment, DATE '1600-01-01' AS early,
        repeat('x', 5000) AS long, 'x'::BLOB AS blob, sum(1) AS total, 'nan'::DOUBLE AS nan, INTERVAL 1 DAY AS span"""
    frame = shown_as(run_select(sql, bars))
    row = frame.iloc[0]
    assert row["list"] == "[1, 2]"
    assert row["moment"] == "2024-01-02 03:04:05"
    assert str(row["early"]).startswith("1600-01-01")
    assert len(row["long"]) == 1_001
    shown = Rows()
    shown.show(frame)
    assert shown.grid.titles["<b>x</b>"] == "&lt;b&gt;x&lt;/b&gt;"
    assert shown.grid.text_align["flag"] == "left"


def test_columns_of_one_name_are_told_apart() -> None:
    twice = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "a"])
    assert shown_as(twice).columns.tolist() == ["a", "a (2)", "a (3)"]


def test_columns_keep_their_order_in_the_schema(view: Sql) -> None:
    listed = relations(view.context.store.newest().get(queries.documented_columns))
    prices = next(one for one in listed if one["name"] == "prices")
    assert [column["name"] for column in prices["columns"]] == [column.name for column in TABLES["prices"].columns]
