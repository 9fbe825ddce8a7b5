"""Runs the body of a step over the tickers of a run: isolation, progress, workers, what is written when.

A body is a function of one ticker that returns what it made. Where it needs cores, it is a generator: it yields units
of work (`workers.py`) and is sent their results, in order; units of many tickers are out at the same time. A vectorised
body is given several tickers and returns what it made of each.

One bad ticker never stops the others: its failure, expected or a bug, is written to `tickers` and takes it out of the
rest of the run, and its last good rows stay.
"""

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import isgenerator
from typing import Any, TypeVar, cast

import dagster as dg

from stock_assets import health
from stock_assets.access import Access, Rows
from stock_assets.bodies import Made, OneTicker, Tickers
from stock_assets.checks import check_results, first_of, marks_metadata, notes_metadata
from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.units import Steps, Unit
from stock_assets.health import Failure
from stock_assets.lineage import Declaration, Output
from stock_assets.resources import Universe, Warehouse
from stock_assets.stops import stops_noticed
from stock_assets.workers import Workers
from storage.lake import Lake

AT_A_TIME = 50
"""Tickers whose rows are in memory together."""
_TOLD = 3
"""Most tickers of a run whose every word is told; of more, only how many are done."""
_TELL_EVERY = 10.0  # seconds
_WARNINGS = 20  # of one step that are logged in full; each is an event in Dagster's store
_Any = TypeVar("_Any")


@dataclass
class _Talk:
    """A body that waits for its units."""

    one: OneTicker
    body: Steps[Made]
    units: Sequence[Unit]
    results: dict[int, Any] = field(default_factory=dict)


class Step:
    """One step of one run; `more` are the resources of its body."""

    def __init__(
        self,
        declaration: Declaration,
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        universe: Universe,
        **more: Any,
    ) -> None:
        """Find out whom it is about; InvalidTicker, NoTickers: the run's configuration cannot be followed."""
        self.declaration, self.context, self.warehouse = declaration, context, warehouse
        self.lake: Lake = warehouse.lake
        self.access = Access(declaration, self.lake)
        self.outputs = [one for one in declaration.outputs if one.asset_key in context.selected_asset_keys]
        self._more = {name: resource for name, resource in more.items() if name != "workers"}
        self._workers: Workers = more.get("workers") or Workers(n=1)
        self.asked = universe.asked(self.lake, context.partition_key, context.run.run_id)
        self._out = universe.failures(self.lake, context.run.run_id)
        self._absent: dict[str, Failure] = {}
        self._made: dict[str, Made] = {}
        self.rows = Rows(self.outputs, self.access)
        self._n_warnings = 0
        self._told_at = time.monotonic()

    def results(self) -> Iterator[dg.MaterializeResult[None]]:
        """Work through the tickers, then tell Dagster what was made; `dagster.Failure` where no ticker is left."""
        tickers = [ticker for ticker in self.asked if ticker not in self._out]
        with self._answering_for(tickers), stops_noticed() as self._stopped:
            for chunk in _batched(tickers, AT_A_TIME):
                self._work(chunk)
        self.warehouse.publish_later(self.context.log.warning)
        if not self._made and not self._absent:
            lines = [f"{ticker}: {self._out[ticker].line}" for ticker in self.asked if ticker in self._out]
            raise dg.Failure(first_of(lines, "; ", _WARNINGS), allow_retries=False)
        yield from (self._result(output) for output in self.outputs)

    def say(self, ticker: str, message: str) -> None:
        """A ticker's word of progress, where the run has few."""
        if len(self.asked) <= _TOLD:
            self.context.log.info(message if len(self.asked) == 1 else f"{ticker}: {message}")

    def warn(self, message: str) -> None:
        """A line that people see; of many, the first ones, and how many there were."""
        self._n_warnings += 1
        if self._n_warnings <= _WARNINGS:
            self.context.log.warning(message)

    def _work(self, chunk: Sequence[str]) -> None:
        self.access.work_on(chunk)
        ones = [OneTicker(ticker, self) for ticker in chunk]
        if self.declaration.at_once > 1:
            self._ask_for_many(ones)
        else:
            self._ask_for_each(ones)
        self.rows.append_kept()
        made = {ticker: self._made[ticker].status for ticker in chunk if ticker in self._made}
        health.succeeded(self.lake, made, {self.declaration.stage, self.context.run.job_name})
        self._tell_progress()

    def _ask_for_many(self, ones: Sequence[OneTicker]) -> None:
        """Several tickers at once; where that fails, one after another, so that the bad one fails alone."""
        for some in _batched(ones, self.declaration.at_once):
            try:
                made = self.declaration.body(Tickers(some), **self._more)
            except Exception:  # noqa: BLE001 - whoever is to blame fails alone in the next lines
                self._require_going_on()
                made = {}
            for one in some:
                with self._isolated(one.ticker):
                    found = made.get(one.ticker) or self.declaration.body(Tickers([one]), **self._more)[one.ticker]
                    self._keep(one, found)

    def _ask_for_each(self, ones: Sequence[OneTicker]) -> None:
        talks: dict[str, _Talk] = {}
        for one in ones:
            with self._isolated(one.ticker):
                begun = self.declaration.body(one, **self._more)
                if isgenerator(begun):
                    self._go_on(_Talk(one, cast("Steps[Made]", begun), ()), None, talks)
                else:
                    self._keep(one, begun)
        while talks:
            self._work_off(talks)

    def _work_off(self, talks: dict[str, _Talk]) -> None:
        """One round: all units that bodies wait for now. A body whose last unit is back goes on at once."""
        waiting = [(ticker, place) for ticker, talk in talks.items() for place in range(len(talk.units))]
        units = [talks[ticker].units[place] for ticker, place in waiting]
        more: dict[str, _Talk] = {}
        for number, result in self._workers.run(units):
            ticker, place = waiting[number]
            talk = talks[ticker]
            talk.results[place] = result
            if len(talk.results) == len(talk.units):
                del talks[ticker]
                with self._isolated(ticker):
                    self._go_on(talk, [talk.results[place] for place in range(len(talk.units))], more)
        talks.update(more)

    def _go_on(self, talk: _Talk, results: list[Any] | None, waiting: dict[str, _Talk]) -> None:
        try:
            failed = next((one for one in results or () if isinstance(one, Exception)), None)
            units = talk.body.throw(failed) if failed is not None else talk.body.send(results)  # type: ignore[arg-type]  # None begins it
            while not units:
                units = talk.body.send([])
        except StopIteration as done:
            self._keep(talk.one, done.value)
            return
        waiting[talk.one.ticker] = _Talk(talk.one, talk.body, units)

    def _keep(self, one: OneTicker, made: Made) -> None:
        self.rows.keep(one.ticker, made.tables, unchanged=made.unchanged)
        self._made[one.ticker] = replace(made, tables={})  # rows are in memory no longer than it takes to write them

    @contextmanager
    def _isolated(self, ticker: str) -> Iterator[None]:
        """The one place where every error is caught: a ticker's failure is told, and the others go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - told in `tickers`, in the check, in the log and by the command
            self._require_going_on()
            failure = Failure.of(error, self.declaration.stage)
            if not isinstance(error, StockAssetsError):
                self.context.log.error(f"{ticker}: {traceback.format_exc()}")
            if self.declaration.is_required:
                self._out[ticker] = failure
                health.failed(self.lake, ticker, failure, self.context.run.run_id)
            else:
                self._absent[ticker] = failure
            self.warn(f"{ticker}: {failure.line}")

    def _require_going_on(self) -> None:
        """Ctrl-C ends the step, not a ticker."""
        if self._stopped():
            raise KeyboardInterrupt

    @contextmanager
    def _answering_for(self, tickers: Sequence[str]) -> Iterator[None]:
        """What ends the whole step leaves no ticker looking well."""
        try:
            yield
        except BaseException as error:
            failure = Failure.of_stop(self.declaration.stage)
            if isinstance(error, Exception):
                failure = Failure.of(error, self.declaration.stage)
            for ticker in tickers:
                if ticker not in self._out:
                    self._out[ticker] = failure
                    health.failed(self.lake, ticker, failure, self.context.run.run_id)
            self.warehouse.publish_later(self.context.log.warning)
            raise

    def _tell_progress(self) -> None:
        n_done = len(self._made) + len(self._absent) + sum(ticker in self._out for ticker in self.asked)
        if len(self.asked) > _TOLD and time.monotonic() - self._told_at >= _TELL_EVERY:
            self.context.log.info(f"{n_done} of {len(self.asked)} tickers")
            self._told_at = time.monotonic()

    def _result(self, output: Output) -> dg.MaterializeResult[None]:
        if self._n_warnings > _WARNINGS:
            self.context.log.warning(f"… and {self._n_warnings - _WARNINGS} more warnings")
            self._n_warnings = 0
        failures = {ticker: self._out[ticker] for ticker in self.asked if ticker in self._out} | self._absent
        findings = {ticker: made.findings for ticker, made in self._made.items()}
        return dg.MaterializeResult(
            asset_key=output.asset_key,
            metadata={
                "dagster/row_count": self.rows.n[output.key],
                "tickers": dg.MetadataValue.json(sorted(self._made)),
                **marks_metadata({ticker: made.marks for ticker, made in self._made.items()}),
                **notes_metadata({ticker: made.notes for ticker, made in self._made.items()}),
            },
            check_results=check_results(
                output.key, failures, findings, is_required=self.declaration.is_required or bool(self._out)
            ),
        )


def _batched(many: Sequence[_Any], n: int) -> Iterator[Sequence[_Any]]:
    return (many[start : start + n] for start in range(0, len(many), n))
