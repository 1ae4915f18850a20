"""Options of the whole suite."""

import pytest
from hypothesis import settings

# `make soak` asks for it.
settings.register_profile("soak", max_examples=2000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests --update-golden` writes the golden files again."""
    parser.addoption(
        "--kills", type=int, default=3, help="how often tests/receiver/test_kills.py kills"
    )
    parser.addoption("--update-golden", action="store_true", help="write the golden files again")
