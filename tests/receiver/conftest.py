"""A receiver for a test, on free ports of the loopback interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.receiver.running import Running, running


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "run.duckdb") as started:
        yield started


@pytest.fixture(scope="module")
def lasting_receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests of a file that do not look at what it stored."""
    with running(tmp_path_factory.mktemp("lasting") / "run.duckdb") as started:
        yield started
