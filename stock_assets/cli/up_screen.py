"""How `up` looks: what is waited for, what happened, and the table of addresses."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stock_assets.cli.context import output
from stock_assets.cli.layout import grid
from stock_assets.supervisor.loop import log_of
from stock_assets.supervisor.service import Service
from stock_assets.supervisor.watch import Kind, News

_STYLES = {Kind.ANSWERS: "green", Kind.DIED: "yellow", Kind.GAVE_UP: "bold red", Kind.STOPPING: "bold"}


class Screen:
    """Talk on stderr, with a line that moves for each service that is waited for; the table on stdout.

    `opens` is the service whose address is opened in a browser once all have been started; empty: none.
    """

    def __init__(self, services: Sequence[Service], home: Path, *, opens: str) -> None:
        self._services, self._home, self._opens = services, home, opens
        self._console = Console(stderr=True, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._tasks = {one.name: self._progress.add_task(f"waiting for {one.name}") for one in services}
        self._answering: set[str] = set()

    def __enter__(self) -> "Screen":
        """Begin to show what is waited for."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def tell(self, news: News) -> None:
        """Show one thing that happened."""
        if news.kind is Kind.SETTLED:
            self._settled()
            return
        for line in news.log_tail:
            self._console.print(f"  {escape(news.service)} | {escape(line)}", style="dim", soft_wrap=True)
        self._console.print(escape(news.text), style=_STYLES[news.kind], soft_wrap=True)
        if news.kind is Kind.ANSWERS:
            self._progress.update(self._tasks[news.service], visible=False)
            self._answering.add(news.service)
        else:
            self._answering.discard(news.service)

    def _settled(self) -> None:
        self._progress.stop()
        output().print(self._addresses())
        self._console.print("Ctrl-C stops everything.")
        for one in self._services:
            if one.name == self._opens and one.name in self._answering:
                webbrowser.open(one.address)

    def _addresses(self) -> Table:
        table = grid("service", "", "address", "log")
        for one in self._services:
            state = "[green]answers[/]" if one.name in self._answering else "[red]does not answer[/]"
            table.add_row(one.name, state, one.address, escape(_short(log_of(self._home, one.name))))
        return table


def _short(path: Path) -> str:
    """As it can be opened from here, without what goes without saying."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
