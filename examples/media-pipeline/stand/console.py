"""What the user sees: progress on stderr, and errors that are a sentence and an exit status."""

import sys


class StandError(Exception):
    """The run cannot go on; the text says why and what to do."""

    exit_status = 1


class MissingPackageError(StandError):
    """A program of the operating system is not installed."""

    exit_status = 2


def say(sentence):
    sys.stderr.write(f"media-pipeline: {sentence}\n")
    sys.stderr.flush()
