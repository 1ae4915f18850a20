"""Judge traces: PASS, FAIL or NOT OBSERVED, with the evidence."""

__all__ = ["__version__"]

__version__ = "0.1.0"
