"""Whether somebody wants the work to stop, even where a library makes an error of its own of Ctrl-C, as DuckDB does."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_STOPS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def stops_noticed() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether Ctrl-C or SIGTERM has come since the block began.

    Blocks may be nested: what an inner one notices, the outer one has noticed, too.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's matter
        yield lambda: False
        return
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        seen: set[int] = set()

        def was_stopped() -> bool:
            with suppress(BlockingIOError):
                seen.update(reading.recv(4096))
            return bool(_STOPS & seen)

        try:
            yield was_stopped
        finally:
            signal.set_wakeup_fd(before)
            if was_stopped() and before != -1:
                os.write(before, bytes(_STOPS & seen))
