"""Programs that a deployment needs and Python does not bring."""

import os
import shutil
from pathlib import Path

import pytest


def require(name: str, *, package: str, where: tuple[str, ...] = ()) -> str:
    """Path of a program. Where it is missing, the test is skipped with the reason, or fails in CI.

    Args:
        name: of the program.
        package: Debian's, that brings it.
        where: patterns of further places, the highest version last.
    """
    further = [str(path) for pattern in where for path in sorted(Path("/").glob(pattern))]
    found = shutil.which(name) or next(iter(reversed(further)), None)
    if found is None:
        reason = f"{name} is not installed (Debian: apt install {package})"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; .ci/packages should have brought it")
        pytest.skip(reason)
    return found
