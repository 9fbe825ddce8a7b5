"""One running service: its own process session behind a guard, its log, and the end of everything it started."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from stock_assets.supervisor.service import Service

_GUARD = Path(__file__).with_name("guard.py")


class Child:
    """A started service. The guard's process is the leader of its session and group.

    Args:
        log: file that everything it says is appended to.
        lifeline: reading end of the pipe whose other end only the supervisor holds.
        grace: seconds that the guard leaves it to end in, once the supervisor is gone.

    Attributes:
        started: when, as Unix time.
        log_start: bytes that were in the log before.
    """

    def __init__(self, service: Service, log: Path, *, lifeline: int, grace: float, folder: Path) -> None:
        self.started = time.time()
        guard = [sys.executable, "-I", "-S", str(_GUARD), str(lifeline), str(grace)]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as handle:
            self.log_start = handle.tell()
            self._process = subprocess.Popen(  # noqa: S603  (the supervisor's own list)
                [*guard, *service.command],
                cwd=folder,
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                pass_fds=(lifeline,),
                start_new_session=True,
            )

    def ended(self) -> str | None:
        """How the service ended, in words; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        number = -code if code < 0 else code - 128
        if number in {one.value for one in signal.Signals}:
            return f"was ended by {signal.Signals(number).name}"
        return f"ended with exit code {code}"

    def is_gone(self) -> bool:
        """Whether nothing of the service is left, grandchildren included."""
        return self._process.poll() is not None and not _living(self._process.pid)

    def send(self, number: signal.Signals) -> None:
        """Signal everything in the service's process group."""
        with suppress(ProcessLookupError, PermissionError):  # gone already; macOS says so of a group of zombies
            os.killpg(self._process.pid, number)


def _living(group: int) -> bool:
    """Whether the process group has a member that is not a zombie: those stay where nobody collects orphans."""
    import psutil

    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
