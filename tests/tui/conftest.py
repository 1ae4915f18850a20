"""The golden screens, which `pytest tests/tui --update-golden` writes again, and no hurry."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tracejury.tui.app import TracejuryApp

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


@pytest.fixture(autouse=True)
def what_is_said_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone after seconds, and a busy machine may take longer to show a screen."""
    say = TracejuryApp.say

    def for_long(app: TracejuryApp, message: str, *, seconds: float = 4) -> None:
        say(app, message, seconds=seconds + 3600)

    monkeypatch.setattr(TracejuryApp, "say", for_long)
