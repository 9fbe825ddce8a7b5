"""Batches of short runs: what they do about garbage, and that nothing of it outlives them."""

import gc
import weakref
from contextlib import nullcontext

import pytest

from stock_assets.cli.batches import _collected_after_each


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        """Refer to itself."""
        self.itself = self


def test_garbage_goes_after_each_run_and_not_inside() -> None:
    with _collected_after_each() as collect:
        for _ in range(3):
            left = weakref.ref(Cycle())
            assert not gc.isenabled()
            assert left() is not None
            collect()
            assert left() is None


@pytest.mark.parametrize("ended", [None, KeyboardInterrupt])
def test_the_collector_is_as_it_was_after_a_batch_also_one_that_was_interrupted(
    ended: type[BaseException] | None,
) -> None:
    with nullcontext() if ended is None else pytest.raises(ended):
        _batch(ended)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def _batch(ended: type[BaseException] | None) -> None:
    with _collected_after_each() as collect:
        collect()
        assert gc.get_freeze_count() > 0
        if ended is not None:
            raise ended
