"""Options of the whole suite."""

import pytest
from hypothesis import settings

# The suite says the same of the same code each time; `make soak` looks for what it misses.
# How long an example takes is the machine's affair.
settings.register_profile("suite", max_examples=60, derandomize=True, deadline=None)
settings.load_profile("suite")
settings.register_profile("soak", max_examples=2000, derandomize=False, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests --update-golden` writes the golden files again."""
    parser.addoption(
        "--kills", type=int, default=3, help="how often tests/receiver/test_kills.py kills"
    )
    parser.addoption("--update-golden", action="store_true", help="write the golden files again")
