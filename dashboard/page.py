"""What surrounds every view: navigation, choices, banners, what is wrong, how old the data is, and the glossary."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

from dashboard import glossary, words
from dashboard.parts import Notice, Text
from dashboard.selection import Choices, Control, InvalidAddress, Selection, read_selection
from dashboard.store import Snapshot
from dashboard.theme import MATERIAL
from dashboard.views import all_views
from dashboard.views._base import Context, NothingToShow, View
from stock_assets.errors import StockAssetsError
from storage import queries

_LOOK_EVERY_MS = 2000
_THEME_COOKIE = "stock_assets_theme"

# The theme is decided before anything is drawn; what is mended in Panel is mended once it is there.
_TEMPLATE = """{% extends "base.html" %}
{% block preamble %}{{ super() }}<script src="own/theme.js"></script>{% endblock %}
{% block postamble %}<script src="own/tables.js"></script><script src="own/fields.js"></script>
{{ super() }}{% endblock %}"""


class Page:
    """One page in one browser tab. `address` is the query of the address, name → value."""

    def __init__(self, view: View, context: Context, address: dict[str, str], *, dark: bool = False) -> None:
        self.view = view
        self._store = context.store
        self._generation: int | None = None
        self._problem = Notice()
        self._banner = Notice()
        self._title = Text(kind="h1")
        self._age = Text(kind="small")
        self._links = pmui.MenuList(items=[], dense=False, highlight=True, sizing_mode="stretch_width")
        try:
            selection, wrong = read_selection(address), None
        except InvalidAddress as error:
            selection, wrong = Selection(), error
        self.choices = Choices(view.controls, selection, self._chosen)
        self._body = pn.Column(view.layout(), sizing_mode="stretch_width")
        self._name(selection)
        self.refresh()
        if wrong is not None:
            self._say(wrong)
        self.root = self._surround(dark)

    def refresh(self) -> None:
        """Show the newest generation, if it is not shown yet; what is wrong with it is said in the page."""
        try:
            shown = self._store.newest()
            if shown.generation == self._generation:
                return
            self._generation = shown.generation
            self._offer(shown)
        except StockAssetsError as error:
            self._generation = None
            self._say(error)
        else:
            self._show(shown)

    def _offer(self, shown: Snapshot) -> None:
        tickers = shown.get(queries.tickers)["ticker"].tolist()
        if not self.choices.selection.ticker and tickers:
            self.choices.selection = replace(self.choices.selection, ticker=tickers[0])
        self.choices.offer(tickers, shown.get(queries.model_names)["model"].tolist())

    def _chosen(self, selection: Selection) -> None:
        if pn.state.location is not None:
            pn.state.location.search = selection.query()
        try:
            shown = self._store.newest()
        except StockAssetsError as error:
            self._say(error)
        else:
            self._show(shown)

    def _name(self, selection: Selection) -> None:
        """The question as the title, and links to the other pages with the same choices."""
        self._title.say(self.view.question.format(ticker=selection.ticker or "this stock"))
        self._links.items = [
            {"label": view.label, "icon": view.icon, "href": f"{view.name}{selection.query()}"} for view in all_views()
        ]

    def _show(self, shown: Snapshot) -> None:
        selection = self.choices.selection
        self._name(selection)
        try:
            self._require_known(shown, selection)
            self.view.update(shown, selection)
        except StockAssetsError as error:
            self._say(error)
        else:
            self._problem.hide()
            self._body.visible = True
        self._tell_age(shown, selection)

    def _require_known(self, shown: Snapshot, selection: Selection) -> None:
        if Control.TICKER not in self.view.controls:
            return
        known = shown.get(queries.tickers)["ticker"].tolist()
        if not known:
            problem = "no ticker yet"
            raise NothingToShow(problem, cure="`stock-assets run --ticker AAPL` fetches, trains and forecasts one")
        if selection.ticker not in known:
            raise NothingToShow(f"{selection.ticker!r} is not in the universe", cure="choose a ticker above")

    def _tell_age(self, shown: Snapshot, selection: Selection) -> None:
        """The banner for sample or old bars, and the line at the foot of the page."""
        newest = shown.get(queries.newest_sessions).set_index("ticker")
        age = f"Generation {shown.generation} of {self._store.place}. {words.NOT_ADVICE}"
        self._banner.hide()
        if selection.ticker in newest.index:
            row, today = newest.loc[selection.ticker], datetime.now(UTC).date()
            as_of = row["newest_session"].date()
            age = f"Newest bar of {selection.ticker}: {as_of:%Y-%m-%d}, {words.age(as_of, today)}. {age}"
            warning = words.data_warning(str(row["source"]), as_of, today)
            if warning:
                self._banner.say("warning", warning)
        self._age.say(age)

    def _say(self, error: StockAssetsError) -> None:
        """Put an error, with its cure, in place of the view."""
        severity = "info" if isinstance(error, NothingToShow) else "error"
        self._problem.tell(severity, error)
        self._body.visible = not self.view.needs_data

    def _surround(self, dark: bool) -> pmui.Page:
        head = pn.FlexBox(self._title, self.choices.layout, justify_content="space-between", align_items="center")
        main = pn.Column(
            self._banner,
            head,
            self._problem,
            self._body,
            glossary.explain(self.view.terms),
            self._age,
            sizing_mode="stretch_width",
            margin=(4, 20),
        )
        page = pmui.Page(
            title="stock-assets",
            main=[main],
            sidebar=[self._links],
            sidebar_open=False,
            sidebar_variant="auto",
            sidebar_width=220,
            dark_theme=dark,
            theme_config=MATERIAL,
            template=_TEMPLATE,
            meta_title=f"{self.view.label} · stock-assets",
        )
        _without_busy(page)
        page.jscallback(dark_theme="stockAssetsRememberTheme(cb_obj.dark_theme ? 'dark' : 'light')")
        return page


def _without_busy(page: pmui.Page) -> None:
    """Take a page's link to the server's state of being busy.

    By it each look for a new generation says "busy" and "idle" to the browser, which draws the page again; and the
    state, which lives as long as the server, holds every page that was ever open.
    """
    with edit_readonly(page):
        page.busy = False
    for watcher in pn.state.param.watchers["busy"]["value"]:
        if getattr(getattr(watcher.fn, "__self__", None), "self", None) is page:
            pn.state.param.unwatch(watcher)


def opener(view: type[View], context: Context) -> Callable[[], pmui.Page]:
    """What the server calls for each new browser session: its page, as address and cookie say, kept up to date."""

    def open_page() -> pmui.Page:
        address = {name: values[0].decode() for name, values in pn.state.session_args.items() if values}
        page = Page(view(context), context, address, dark=pn.state.cookies.get(_THEME_COOKIE) == "dark")
        pn.state.onload(partial(_follow, page))
        return page.root

    return open_page


def _follow(page: Page) -> None:
    """Keep a page up to date from when the browser has drawn it: of what changes before, Panel tells it a part only."""
    page.refresh()
    pn.state.add_periodic_callback(page.refresh, period=_LOOK_EVERY_MS)
    page.view.start()
