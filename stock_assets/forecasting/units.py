"""Units of work: a fit, or a question to a stored fit. Each gets rows and settings, and gives back files and numbers.

A unit can be performed in another process or on another machine. What needs units is written as a generator (`Steps`):
it yields them, is sent their results in the same order, and returns what it made of them. So one ticker's training
reads from top to bottom, while whoever drives it has the units of many tickers at work together.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import pandas as pd

from stock_assets.forecasting.models._base import Fitted, Floats, Forecaster, Losses

Made = TypeVar("Made")


class Unit(Protocol):
    """A piece of work that can be sent to another process."""

    def perform(self) -> Any:
        """Do it; the result can be sent back."""
        ...


Steps = Generator[Sequence[Unit], list[Any], Made]
"""Work that yields units and is sent their results."""


@dataclass(frozen=True)
class Fit:
    """What a fit gave.

    Attributes:
        predicted: its raw log return for every row that was asked, shape (len(asked),).
        files: the artifact, file name → content; empty where nobody keeps it.
        seconds: wall time of fit and predictions.
    """

    predicted: Floats
    files: Mapping[str, bytes]
    seconds: float


@dataclass(frozen=True)
class FitUnit:
    """Fit a model and ask it.

    Attributes:
        forecaster: the model and its settings.
        known: history to learn from; every row has a label.
        asked: history to predict.
        is_kept: whether the artifact is wanted.
    """

    forecaster: Forecaster
    known: pd.DataFrame = field(repr=False)
    asked: pd.DataFrame = field(repr=False)
    is_kept: bool = True

    def perform(self) -> Fit:
        """Errors as `Forecaster.fit`."""
        started = time.perf_counter()
        fitted = self.forecaster.fit(self.known)
        predicted = fitted.predict(self.asked)
        files = pack(fitted) if self.is_kept else {}
        return Fit(predicted, files, time.perf_counter() - started)


@dataclass(frozen=True)
class AskUnit:
    """Ask a stored fit.

    Attributes:
        fitted: the fit, as files.
        asked: history to predict.
    """

    fitted: "Packed"
    asked: pd.DataFrame = field(repr=False)

    def perform(self) -> Fit:
        """What the fit says of every row."""
        started = time.perf_counter()
        predicted = self.fitted.predict(self.asked)
        return Fit(predicted, self.fitted.files, time.perf_counter() - started)


@dataclass(frozen=True)
class Packed(Fitted):
    """A fit as files, which is made of them when it is first asked.

    Attributes:
        forecaster: the model and its settings.
        files: what `Fitted.save` wrote, checked against a manifest or just made; file name → content.
    """

    forecaster: Forecaster
    files: Mapping[str, bytes] = field(repr=False)

    @cached_property
    def unpacked(self) -> Fitted:
        """The fit itself."""
        with TemporaryDirectory(prefix="stock-assets-") as folder:
            self.save(Path(folder))
            return type(self.forecaster).load(Path(folder), self.forecaster.settings())

    def __getstate__(self) -> dict[str, Any]:
        """Only files travel between processes."""
        return {"forecaster": self.forecaster, "files": self.files}

    @property
    def losses(self) -> Losses | None:  # type: ignore[override]  # read from its file, so that no library is loaded
        """How the fit went, of models that learn in epochs."""
        return Losses.from_files(self.files)

    def predict(self, history: pd.DataFrame) -> Floats:
        """See `Fitted.predict`."""
        return self.unpacked.predict(history)

    def standardisation(self) -> Mapping[str, Floats]:
        """See `Fitted.standardisation`."""
        return self.unpacked.standardisation()

    def save(self, folder: Path) -> None:
        """Write the files."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def pack(fitted: Fitted) -> dict[str, bytes]:
    """A fit as files, file name → content."""
    if isinstance(fitted, Packed):
        return dict(fitted.files)
    with TemporaryDirectory(prefix="stock-assets-") as folder:
        fitted.save(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def drive(work: Steps[Made]) -> Made:
    """Perform every unit here, one after another. An error of a unit is raised where it was yielded."""
    try:
        units = next(work)
        while True:
            try:
                results = [unit.perform() for unit in units]
            except Exception as error:  # noqa: BLE001 - the work itself says what an error of a unit means
                units = work.throw(error)
            else:
                units = work.send(results)
    except StopIteration as done:
        made: Made = done.value
        return made


def together(works: Sequence[Steps[Made]]) -> Steps[list[Made]]:
    """Several works as one: the units that all of them wait for are yielded together. An error of one ends all."""
    made: dict[int, Made] = {}
    waiting: dict[int, Sequence[Unit]] = {}
    for number, work in enumerate(works):
        _advance(number, work, None, waiting, made)
    while waiting:
        results = iter((yield [unit for units in waiting.values() for unit in units]))
        answered = {number: [next(results) for _ in units] for number, units in waiting.items()}
        waiting = {}
        for number, parts in answered.items():
            _advance(number, works[number], parts, waiting, made)
    return [made[number] for number in range(len(works))]


def _advance(
    number: int,
    work: Steps[Made],
    results: list[Any] | None,
    waiting: dict[int, Sequence[Unit]],
    made: dict[int, Made],
) -> None:
    try:
        waiting[number] = work.send(results)  # type: ignore[arg-type]  # None begins it
    except StopIteration as done:
        made[number] = done.value
