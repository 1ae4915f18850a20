"""The data sets that are too large for the repository, found through TRACEJURY_SHARED."""

import os
from pathlib import Path

import pytest


def shared_data(*parts: str) -> Path:
    """Give the path of a shared data set; skip the test where there is none on this machine."""
    folder = os.environ.get("TRACEJURY_SHARED")
    if not folder:
        # .ci/run looks for the variable's name among the reasons of skipped tests.
        pytest.skip("TRACEJURY_SHARED is not set")
    path = Path(folder, *parts)
    if not path.exists():
        pytest.fail(f"{'/'.join(parts)} is missing from the folder that TRACEJURY_SHARED names")
    return path
