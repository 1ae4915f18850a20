"""The command line."""

from tracejury.cli.commands import main

__all__ = ["main"]
