"""The golden screens: `pytest tests/tui --update-golden` writes them again."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a screen with the golden file of that name, or write it."""
    update = request.config.getoption("--update-golden", default=False)

    def compare(name: str, content: str) -> None:
        file = GOLDEN / f"{name}.txt"
        if update:
            file.parent.mkdir(exist_ok=True)
            file.write_text(content, encoding="utf-8")
        assert content == file.read_text(encoding="utf-8"), "see: pytest tests/tui --update-golden"

    return compare
