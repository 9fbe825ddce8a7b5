"""Many runs one after another: progress, what is published when, and what is left when somebody interrupts."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from stock_assets.cli.context import note
from stock_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from stock_assets.resources import Warehouse
    from stock_assets.runs import Outcome, Work

_PUBLISH_EVERY = 30.0  # seconds between two publications of a batch


def execute_all(
    instance: "dg.DagsterInstance", settings: Settings, works: Sequence["Work"], *, are_short: bool
) -> list["Outcome"]:
    """Make the runs in turn; one that fails stops no other.

    Args:
        instance: of the home.
        settings: of the home.
        works: what to make.
        are_short: publish what they wrote together, twice a minute and at the end, rather than after each step.

    Raises:
        KeyboardInterrupt: somebody stopped it; what is done is kept, and published.
    """
    from stock_assets.runs import execute

    outcomes: list[Outcome] = []
    with _as_a_batch(settings) if are_short else nullcontext(lambda: None) as after_each:
        for number, work in enumerate(works, start=1):
            if len(works) > 1:
                note(f"{work.ticker}: {number} of {len(works)}")
            outcomes.append(execute(instance, settings, work))
            if outcomes[-1].is_interrupted:
                _say_what_is_left(works, number)
                raise KeyboardInterrupt
            after_each()
    return outcomes


@contextmanager
def _as_a_batch(settings: Settings) -> Iterator[Callable[[], None]]:
    """What many short runs share: publications, and what is to be done once a run has ended."""
    with _published_together(settings) as publish_if_due, _collected_after_each() as collect:

        def after_each() -> None:
            collect()
            publish_if_due()

        yield after_each


def _say_what_is_left(works: Sequence["Work"], number: int) -> None:
    waiting = ", ".join(later.ticker for later in works[number:])
    note(f"interrupted: {works[number - 1].ticker} is unfinished" + (f", {waiting} not begun" if waiting else ""))
    note("finished fits are kept — run it again")


@contextmanager
def _published_together(settings: Settings) -> Iterator[Callable[[], None]]:
    """Keep this process's steps from publishing, and do it for them: when due, and however the batch ends."""
    from stock_assets.resources import Warehouse

    warehouse = Warehouse(home=str(settings.home))
    published_at = time.monotonic()

    def publish_if_due() -> None:
        nonlocal published_at
        if time.monotonic() - published_at >= _PUBLISH_EVERY:
            _publish(warehouse)
            published_at = time.monotonic()

    try:
        with warehouse.published_later():
            yield publish_if_due
    finally:
        _publish(warehouse)


@contextmanager
def _collected_after_each() -> Iterator[Callable[[], None]]:
    """Collect garbage between runs only: inside them, looking through a million objects of libraries takes 5 %."""
    was_enabled = gc.isenabled()
    gc.disable()

    def collect() -> None:
        gc.collect()
        if not gc.get_freeze_count():
            gc.freeze()  # the first run has loaded the libraries: they stay, and are not looked at again

    try:
        yield collect
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _publish(warehouse: "Warehouse") -> None:
    from storage.parquet import CURE_OF_DAMAGE

    publication = warehouse.publish()
    for file in publication.moved_aside:
        note(f"someone's unfinished writes to warehouse.duckdb were moved to {file}")
    for file in publication.damaged:
        note(f"{file} is damaged and was not published: {CURE_OF_DAMAGE}")
