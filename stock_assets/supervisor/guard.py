"""Stands between the supervisor and one service, so that the service ends when the supervisor is killed outright.

Started as a script, without site packages: `python -I -S guard.py LIFELINE GRACE COMMAND…`. Imports the standard
library only. LIFELINE is a pipe that nobody writes to: it reads as ended once the supervisor, which holds its other
end, is gone, however that happened. Then the whole process group is asked to end, and killed after GRACE seconds.
"""

import os
import select
import signal
import subprocess
import sys

_NOT_STARTED = 127
_BY_SIGNAL = 128


def guard(lifeline: int, grace: float, command: list[str]) -> int:
    """Run the command; its exit code (128 and the signal's number where a signal ended it)."""
    woken = _woken_by_signals()
    try:
        child = subprocess.Popen(command)  # noqa: S603  (the supervisor's own list)
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        return _NOT_STARTED
    while (code := child.poll()) is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if lifeline in ready:
            _end(child, grace)
    return code if code >= 0 else _BY_SIGNAL - code


def _woken_by_signals() -> int:
    """A pipe that can be read after any signal. Those that end a service end it, not its guard."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # not ignored: the command would inherit that
    return reading


def _end(child: "subprocess.Popen[bytes]", grace: float) -> None:
    os.killpg(os.getpgrp(), signal.SIGTERM)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        sys.stderr.write("the supervisor is gone, and the service did not end when asked to: killed\n")
    os.killpg(os.getpgrp(), signal.SIGKILL)  # what is left of it, and this guard


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
