"""Try again, a few times and with growing pauses, or as the variant does it."""

import logging
import time

from pipeline.variant import CURRENT

log = logging.getLogger("pipeline.attempts")


def tried(work, transient, what):
    """The result of `work`; one of the errors in `transient` is met with another attempt."""
    for attempt in range(1, CURRENT.attempts):
        try:
            return work()
        except transient as error:
            log.warning("attempt %d at %s failed, trying again: %s", attempt, what, error)
        pause(attempt)
    return work()


def pause(attempt):
    """Wait after the given attempt, counted from 1."""
    time.sleep(CURRENT.pause * (2 ** (attempt - 1) if CURRENT.pauses_grow else 1))
