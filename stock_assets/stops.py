"""Whether somebody wants the work to stop, even where a library makes an error of its own of Ctrl-C, as DuckDB does."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOPS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def stops_noticed() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether Ctrl-C or SIGTERM came since it was last called or the block began."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's matter
        yield lambda: False
        return
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield lambda: bool(_STOPS & set(_available(reading)))
        finally:
            signal.set_wakeup_fd(before)


def _available(reading: socket.socket) -> bytes:
    try:
        return reading.recv(4096)
    except BlockingIOError:
        return b""
