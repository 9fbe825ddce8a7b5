"""Whether somebody wants the work to stop: noticed also where a library turns Ctrl-C into an error of its own."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from stock_assets.stops import stops_noticed


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """Ctrl-C and SIGTERM are heard by somebody who does nothing about them."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_noticed_for_the_rest_of_its_block_and_not_in_the_next_one(sent: signal.Signals) -> None:
    with stops_noticed() as was_stopped:
        assert not was_stopped()
        os.kill(os.getpid(), sent)
        assert was_stopped()
        assert was_stopped()
    with stops_noticed() as was_stopped:
        assert not was_stopped()


def test_what_an_inner_block_notices_the_outer_one_has_noticed_too() -> None:
    """A step notices Ctrl-C first, and the run that it is a part of has to know."""
    with stops_noticed() as run_was_stopped:
        with stops_noticed() as step_was_stopped:
            os.kill(os.getpid(), signal.SIGINT)
            assert step_was_stopped()
        with stops_noticed() as next_step_was_stopped:
            assert not next_step_was_stopped()
        assert run_was_stopped()


def test_other_signals_and_other_threads_stop_nothing() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with stops_noticed() as was_stopped:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not was_stopped()
    finally:
        signal.signal(signal.SIGUSR1, before)
    said: list[bool] = []

    def elsewhere() -> None:
        with stops_noticed() as was_stopped:
            said.append(was_stopped())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert said == [False]
