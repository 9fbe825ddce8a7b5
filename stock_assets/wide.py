"""Runs the body of a step over the tickers of a run: isolation, progress, workers, what is written when.

A body is a function of one ticker that returns what it made. Where it needs cores, it is a generator: it yields units
of work (`workers.py`) and is sent their results, in order; units of many tickers are out at the same time. A vectorised
body is given several tickers and returns what it made of each.

One bad ticker never stops the others: its failure, expected or a bug, is written to `tickers` and takes it out of the
rest of the run, and its last good rows stay.
"""

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import isgenerator
from pathlib import Path
from typing import Any, TypeVar, cast

import dagster as dg
import pandas as pd

from stock_assets import health
from stock_assets.checks import check_results
from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.findings import Finding
from stock_assets.forecasting.units import Steps, Unit
from stock_assets.health import Failure
from stock_assets.lineage import Declaration, Output, Read
from stock_assets.resources import Universe, Warehouse
from stock_assets.stops import stops_noticed
from stock_assets.workers import Workers
from storage.contracts import conform
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.names import find_table
from storage.tables import TABLES

AT_A_TIME = 50
"""Tickers whose rows are in memory together."""
_TOLD = 3
"""Most tickers of a run whose every word is told; of more, only how many are done."""
_TELL_EVERY = 10.0  # seconds
_WARNINGS = 20  # of one step that are logged in full; each is an event in Dagster's store
_FACTS_SHOWN = 200  # tickers in a table of the metadata
_Any = TypeVar("_Any")


class UndeclaredAccess(StockAssetsError):
    """A body asked for a table, or made rows of one, that its asset does not declare."""


@dataclass(frozen=True)
class Made:
    """What a body made of one ticker.

    Attributes:
        tables: table → its rows.
        findings: what checks found in them.
        notes: what people look at: metadata of the asset.
        marks: numbers that sensors act on, by name; 0 marks nothing.
        status: what the ticker is from now on: fetched or ok; None: as it was.
    """

    tables: Mapping[str, pd.DataFrame]
    findings: Sequence[Finding] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, int] = field(default_factory=dict)
    status: str | None = None


class OneTicker:
    """What a body is given: a ticker, the tables its asset declares, and somebody to talk to."""

    def __init__(self, ticker: str, step: "Step") -> None:
        """Read nothing yet."""
        self.ticker = ticker
        self._step = step

    def read(self, table: str, **where: Any) -> pd.DataFrame:
        """The ticker's rows of a declared table; of models' rows, those of the models and schemes declared.

        Raises:
            UndeclaredAccess: the asset does not declare it.
        """
        return self._step.read(table, self.ticker, where)

    def makes(self, table: str) -> bool:
        """Whether rows of this table are wanted in this run."""
        return any(output.table == table for output in self._step.outputs)

    def facts(self) -> dict[str, Any]:
        """Its row of `tickers`: calendar, currency, source, status."""
        return health.facts(self._step.lake, self.ticker)

    @property
    def calendar(self) -> str:
        """Its exchange's calendar."""
        return str(self.facts()["calendar"])

    def join(self) -> None:
        """Be in the universe from now on, whatever becomes of it."""
        health.join(self._step.lake, self.ticker)

    def learn(self, **known: str) -> None:
        """Write down its calendar, currency or source; an unknown ticker is in the universe from then on."""
        health.learn(self._step.lake, self.ticker, **known)

    def chosen_source(self) -> str | None:
        """The source that was chosen for it; None where none was, or it is not in the universe yet."""
        rows = self._step.lake.read("tickers", ticker=self.ticker)
        return rows["source"].iloc[0] if len(rows) else None

    @property
    def is_alone(self) -> bool:
        """Whether the run is about this ticker only: then people look at what it says of itself."""
        return self._step.n_asked == 1

    @property
    def home(self) -> Path:
        """Folder of all state."""
        return self._step.warehouse.path

    @property
    def store(self) -> ArtifactStore:
        """Model artifacts."""
        return self._step.warehouse.models

    @property
    def context(self) -> dg.AssetExecutionContext:
        """Dagster's, for the tracking of runs."""
        return self._step.context

    @property
    def run_id(self) -> str:
        """Dagster's name of the run."""
        return str(self._step.context.run.run_id)

    def say(self, message: str) -> None:
        """A word of progress."""
        self._step.say(self.ticker, message)

    def warn(self, message: str) -> None:
        """Something that people should hear of."""
        self._step.warn(f"{self.ticker}: {message}")


class Tickers:
    """What a vectorised body is given: several tickers at once."""

    def __init__(self, ones: Sequence[OneTicker]) -> None:
        """Of the tickers of one step."""
        self.ones = ones

    def read(self, table: str, **where: Any) -> pd.DataFrame:
        """The rows of all of them."""
        return pd.concat([one.read(table, **where) for one in self.ones], ignore_index=True)


@dataclass
class _Talk:
    """A body that waits for its units."""

    one: OneTicker
    body: Steps[Made]
    units: Sequence[Unit]
    results: dict[int, Any] = field(default_factory=dict)


def make(
    declaration: Declaration, context: dg.AssetExecutionContext, warehouse: Warehouse, universe: Universe, **more: Any
) -> Iterator[dg.MaterializeResult[None]]:
    """Make the tables of a step for the tickers of a run.

    Raises:
        dagster.Failure: no ticker is left. InvalidTicker, NoTickers: the run's configuration cannot be followed.
    """
    step = Step(declaration, context, warehouse, universe, more)
    yield from step.results()


class Step:
    """One step of one run."""

    def __init__(
        self,
        declaration: Declaration,
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        universe: Universe,
        more: Mapping[str, Any],
    ) -> None:
        """Find out whom it is about."""
        self.declaration, self.context, self.warehouse = declaration, context, warehouse
        self.lake: Lake = warehouse.lake
        self.outputs = [one for one in declaration.outputs if one.asset_key in context.selected_asset_keys]
        self._more = {name: resource for name, resource in more.items() if name != "workers"}
        self._workers: Workers = more.get("workers") or Workers(n=1)
        self._asked = universe.asked(self.lake, context.partition_key, context.run.run_id)
        self._out = universe.failures(self.lake, context.run.run_id)
        self._absent: dict[str, Failure] = {}
        self._made: dict[str, Made] = {}
        self._rows = dict.fromkeys((output.key for output in self.outputs), 0)
        self._appending: dict[str, list[pd.DataFrame]] = {}
        self._reads: dict[tuple[str, str], dict[str, pd.DataFrame]] = {}
        self._chunk: tuple[str, ...] = ()
        self._n_warnings = 0
        self._told_at = time.monotonic()

    @property
    def n_asked(self) -> int:
        """Tickers that the run was asked for."""
        return len(self._asked)

    def results(self) -> Iterator[dg.MaterializeResult[None]]:
        """Work through the tickers, then tell Dagster what was made."""
        tickers = [ticker for ticker in self._asked if ticker not in self._out]
        with self._answering_for(tickers), stops_noticed() as self._stopped:
            for chunk in _batched(tickers, AT_A_TIME):
                self._work(chunk)
        self.warehouse.publish_later(self.context.log.warning)
        if not self._made and not self._absent:
            self._give_up()
        yield from (self._result(output) for output in self.outputs)

    def read(self, table: str, ticker: str, where: Mapping[str, Any]) -> pd.DataFrame:
        """A ticker's rows of a declared table."""
        contract, allowed = find_table(table), self._declared(table)
        asked = dict(where)
        if "model" in contract.partition_by:
            asked.setdefault("model", list(allowed.models or model_names()))
        if "scheme" in contract.partition_by and allowed.schemes:
            asked.setdefault("scheme", list(allowed.schemes))
        for name, bounds in (("model", allowed.models), ("scheme", allowed.schemes)):
            given = asked.get(name, ())
            foreign = set([given] if isinstance(given, str) else given) - set(bounds or given)
            if bounds is not None and foreign:
                raise self._undeclared(f"reads rows of {', '.join(sorted(foreign))} of {table}")
        if not contract.append_only:
            return self.lake.read(table, ticker=ticker, **asked)
        # Files of these tables hold many tickers: they are read once for the tickers that are worked on together.
        question = table, repr(sorted(asked.items()))
        if question not in self._reads:
            rows = self.lake.read(table, ticker=list(self._chunk), **asked)
            parts = {str(name): part.reset_index(drop=True) for name, part in rows.groupby("ticker")}
            self._reads[question] = {"": rows.iloc[:0]} | parts
        found = self._reads[question]
        return found.get(ticker, found[""]).copy()

    def say(self, ticker: str, message: str) -> None:
        """A ticker's word of progress, where the run has few."""
        if len(self._asked) <= _TOLD:
            self.context.log.info(message if len(self._asked) == 1 else f"{ticker}: {message}")

    def warn(self, message: str) -> None:
        """A line that people see; of many, the first ones, and how many there were."""
        self._n_warnings += 1
        if self._n_warnings <= _WARNINGS:
            self.context.log.warning(message)

    def _work(self, chunk: Sequence[str]) -> None:
        self._chunk, self._reads = tuple(chunk), {}
        begun = set(self._made)
        ones = [OneTicker(ticker, self) for ticker in chunk]
        if self.declaration.at_once > 1:
            self._ask_for_many(ones)
        else:
            self._ask_for_each(ones)
        self._append()
        job = self.context.run.job_name
        for ticker in chunk:
            if ticker in self._made and ticker not in begun:
                health.succeeded(self.lake, ticker, {self.declaration.stage, job}, self._made[ticker].status)
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
        """Write what a ticker's body made; append-only tables get one file for all tickers of the chunk."""
        self._check(one.ticker, made.tables)
        for output in self.outputs:
            rows = made.tables[output.table]
            if not TABLES[output.table].append_only:
                self._write(output, one.ticker, rows)
            self._rows[output.key] += len(rows)
        for name, rows in made.tables.items():
            if TABLES[name].append_only and len(rows):
                self._appending.setdefault(name, []).append(rows)
        self._made[one.ticker] = replace(made, tables={})  # rows are in memory no longer than it takes to write them

    def _check(self, ticker: str, tables: Mapping[str, pd.DataFrame]) -> None:
        """Refuse rows before any is written: what a ticker's body made is stored whole, or not at all."""
        allowed = {output.table for output in self.declaration.outputs} | set(self.declaration.logs)
        for name in tables.keys() - allowed:
            raise self._undeclared(f"makes rows of {name}")
        for name, rows in tables.items():
            if len(tables) > 1 or TABLES[name].append_only:  # one alone is checked where it is written
                conform(TABLES[name], rows, self._partition(name, ticker))
        for output in self.outputs:
            foreign = set(tables[output.table]["scheme"]).difference(output.schemes) if output.schemes else None
            if foreign:
                schemes = f"{', '.join(sorted(foreign))}, and writes {', '.join(output.schemes)}"
                raise ContractViolation(
                    f"{output.key} made rows of scheme {schemes}", cure="name the scheme where the asset is declared"
                )

    def _write(self, output: Output, ticker: str, rows: pd.DataFrame) -> None:
        partition = self._partition(output.table, ticker)
        if not output.schemes:
            self.lake.write(output.table, rows, **partition)
        for scheme in output.schemes:  # a scheme without rows is emptied
            self.lake.write(output.table, rows[rows["scheme"] == scheme], **partition, scheme=scheme)

    def _partition(self, table: str, ticker: str) -> dict[str, str]:
        is_of_a_model = "model" in TABLES[table].partition_by
        return {"ticker": ticker} | ({"model": str(self.declaration.model)} if is_of_a_model else {})

    def _append(self) -> None:
        for name, frames in self._appending.items():
            self.lake.append(name, pd.concat(frames, ignore_index=True), only_new=True)
        self._appending = {}

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
            failure = Failure(self.declaration.stage, "it was interrupted", "run it again; finished fits are kept")
            if isinstance(error, Exception):
                failure = Failure.of(error, self.declaration.stage)
            for ticker in tickers:
                if ticker not in self._out:
                    self._out[ticker] = failure
                    health.failed(self.lake, ticker, failure, self.context.run.run_id)
            self.warehouse.publish_later(self.context.log.warning)
            raise

    def _give_up(self) -> None:
        lines = [f"{ticker}: {self._out[ticker].line}" for ticker in self._asked if ticker in self._out]
        more = f" … and {len(lines) - _WARNINGS} more" if len(lines) > _WARNINGS else ""
        raise dg.Failure("; ".join(lines[:_WARNINGS]) + more, allow_retries=False)

    def _tell_progress(self) -> None:
        n_done = len(self._made) + len(self._absent) + sum(ticker in self._out for ticker in self._asked)
        if len(self._asked) > _TOLD and time.monotonic() - self._told_at >= _TELL_EVERY:
            self.context.log.info(f"{n_done} of {len(self._asked)} tickers")
            self._told_at = time.monotonic()

    def _result(self, output: Output) -> dg.MaterializeResult[None]:
        if self._n_warnings > _WARNINGS:
            self.context.log.warning(f"… and {self._n_warnings - _WARNINGS} more warnings")
            self._n_warnings = 0
        failures = {ticker: self._out[ticker] for ticker in self._asked if ticker in self._out} | self._absent
        findings = {ticker: made.findings for ticker, made in self._made.items()}
        return dg.MaterializeResult(
            asset_key=output.asset_key,
            metadata={
                "dagster/row_count": self._rows[output.key],
                "tickers": dg.MetadataValue.json(sorted(self._made)),
                **_marks({ticker: made.marks for ticker, made in self._made.items()}),
                **_summary({ticker: made.notes for ticker, made in self._made.items()}),
            },
            check_results=check_results(
                output.key, failures, findings, is_required=self.declaration.is_required or bool(self._out)
            ),
        )

    def _declared(self, table: str) -> Read:
        found = [read for read in self.declaration.reads if read.table == table]
        if any(output.table == table for output in self.declaration.outputs):
            own = (self.declaration.model,) if self.declaration.model else None
            return Read(table, own if not found else found[0].models and (*found[0].models, *(own or ())))
        if found:
            return found[0]
        if table in self.declaration.logs:
            return Read(table)
        raise self._undeclared(f"reads {table}")

    def _undeclared(self, what: str) -> UndeclaredAccess:
        return UndeclaredAccess(
            f"{self.declaration.stage} {what}, which it does not declare", cure="name it where the asset is declared"
        )


def _batched(many: Sequence[_Any], n: int) -> Iterator[Sequence[_Any]]:
    return (many[start : start + n] for start in range(0, len(many), n))


def _marks(of: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Name → ticker → number, without those that are 0: `sensors/_materialized.py` reads them back."""
    names = dict.fromkeys(name for marks in of.values() for name in marks)
    found = {name: {ticker: marks[name] for ticker, marks in of.items() if marks.get(name)} for name in names}
    return {name: dg.MetadataValue.json(by_ticker) for name, by_ticker in found.items() if by_ticker}


def _summary(notes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of one ticker all its notes; of several, a table of what is short enough for one."""
    if len(notes) == 1:
        (only,) = notes.values()
        return dict(only)
    short = {
        ticker: {name: value for name, value in of.items() if isinstance(value, (str, int, float, bool))}
        for ticker, of in sorted(notes.items())[:_FACTS_SHOWN]
    }
    frame = pd.DataFrame.from_dict(short, orient="index")
    return {} if frame.empty else {"by_ticker": dg.MetadataValue.md(frame.to_markdown())}
