"""What the user sees: progress on stderr, and errors that are a sentence and an exit status."""

import sys


class StandError(Exception):
    """The run cannot go on; the text says why and what to do."""

    exit_status = 1


class SetupError(StandError):
    """What the run needs is not there: a package, or somebody who takes the telemetry."""

    exit_status = 2


def say(sentence):
    sys.stderr.write(f"media-pipeline: {sentence}\n")
    sys.stderr.flush()
