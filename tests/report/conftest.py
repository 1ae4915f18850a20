"""The golden files of reports: `pytest tests/report --update-golden` writes them again."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with the golden file of that name, or write it."""
    # Absent where pytest was started above this folder, so that it read this file too late.
    update = request.config.getoption("--update-golden", default=False)

    def compare(name: str, content: str) -> None:
        file = GOLDEN / name
        if update:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content.encode())
        assert content == file.read_bytes().decode(), "see: pytest tests/report --update-golden"

    return compare
