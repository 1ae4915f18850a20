"""What it takes to find out where a workflow instance failed, priced in seconds of an operator.

The minutes are a lower bound: the look-ups that the evidence forces on an expert who makes no
mistake, priced with published operator times. Sources: Card, Moran and Newell's keystroke-level
model (1980); Brysbaert's reading rate of 238 words a minute (2019). Marked prices are assumptions.
"""

from dataclasses import dataclass
from typing import Final

from tracejury.workflow.failure_points import FailedInstance

_READ_S: Final = 0.25  # a word


@dataclass(frozen=True, slots=True)
class Prices:
    """Seconds for each of the steps that a search consists of."""

    inspect_s: float  # look at one thing
    query_s: float  # ask for something
    think_s: float  # rule out one candidate
    dark_s: float  # find out about a hop that nothing is recorded of


# Think, point, click and wait 2 s (assumed); think twice, home twice, type 20 characters and wait
# 5 s (assumed); the rest is assumed.
USUAL: Final = Prices(inspect_s=4.65, query_s=14.1, think_s=27.0, dark_s=300.0)

# The same without all that is assumed.
PUBLISHED: Final = Prices(inspect_s=2.65, query_s=9.1, think_s=0.0, dark_s=0.0)


def effort(instance: FailedInstance, prices: Prices = USUAL) -> dict[str, float]:
    """Minutes by cause, for one failed instance."""
    candidates = instance.effective or 1.0
    is_specific = all(
        candidate.error_type and candidate.message for candidate in instance.candidates
    ) and bool(instance.candidates)
    dark = sum("dark" in blocker for blocker in instance.blockers)
    ruled_out = (candidates + 1) / 2
    seconds = {
        "find": prices.query_s + prices.inspect_s,
        "localise": ruled_out * (prices.inspect_s + 25 * _READ_S + prices.think_s),
        "explain": 145 * _READ_S if is_specific else prices.query_s + 20 * 15 * _READ_S,
        "dark": dark * prices.dark_s,
        "entity": 0.0 if is_specific else prices.query_s + 40 * _READ_S,
    }
    return {cause: second / 60 for cause, second in seconds.items()}


def ideal() -> dict[str, float]:
    """Minutes of the causes that fixes bring down: one candidate, and an error that says it all."""
    return {
        "localise": (USUAL.inspect_s + 25 * _READ_S + USUAL.think_s) / 60,
        "explain": 145 * _READ_S / 60,
    }
