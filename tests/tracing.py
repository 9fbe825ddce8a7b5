"""Coverage is traced only while tests of the packages with a floor run: it slows everything else down by half.

Processes that a test starts are traced if it is.
"""

import os
from functools import cache
from typing import Any

import pytest

MEASURED = ("tests/forecasting/", "tests/storage/")
_OF_PROCESSES = "COVERAGE_PROCESS_CONFIG"  # coverage's own: where it is set, a new process traces itself


class Tracing:
    """Pauses pytest-cov between tests, and resumes it."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self._config = os.environ.get(_OF_PROCESSES)
        self._is_on = True

    def follow(self, test: str) -> None:
        """Trace the test that comes next, or do not."""
        is_measured = test.startswith(MEASURED)
        if is_measured == self._is_on:
            return
        self._is_on = is_measured
        if is_measured:
            self._controller.resume()
        else:
            self._controller.pause()
        if self._config is not None:
            os.environ.pop(_OF_PROCESSES, None)
            os.environ.update({_OF_PROCESSES: self._config} if is_measured else {})


@cache
def tracing(config: pytest.Config) -> Tracing | None:
    """Of this session; None where no coverage was asked for."""
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    return Tracing(controller) if controller is not None else None
