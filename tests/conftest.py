"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests --update-golden` writes the golden files again."""
    parser.addoption(
        "--kills", type=int, default=3, help="how often tests/receiver/test_kills.py kills"
    )
    parser.addoption("--update-golden", action="store_true", help="write the golden files again")
