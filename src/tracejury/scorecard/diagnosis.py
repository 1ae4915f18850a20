"""How hard the failures are to diagnose from what was recorded: effective candidates and minutes.

The minutes are a lower bound: the look-ups that the evidence forces on an expert who makes no
mistake, priced with published operator times. Sources: Card, Moran and Newell's keystroke-level
model (1980); Brysbaert's reading rate of 238 words a minute (2019). Marked prices are assumptions.
"""

import math
from statistics import mean
from typing import Final

from tracejury.scorecard.result import Diagnosis
from tracejury.store.reader import Reader
from tracejury.workflow.failure_points import FailedInstance, failure_points

_READ_S: Final = 0.25  # a word
_INSPECT_S: Final = 4.65  # think, point, click, and wait 2 s (assumed) for the answer
_QUERY_S: Final = 14.1  # think twice, home twice, type 20 characters, wait 5 s (assumed)
_THINK_S: Final = 27.0  # rule out one candidate (assumed)
_DARK_S: Final = 300.0  # a hop that nothing is recorded of (assumed)


def diagnosis(reader: Reader) -> Diagnosis:
    """The mean over the failed workflow instances; no number without a failure."""
    failed = failure_points(reader)
    if not failed:
        return Diagnosis(None, None, {}, {}, 0)
    costs = [_cost(instance) for instance in failed]
    causes = {cause: mean(cost[cause] for cost in costs) for cause in costs[0]}
    effective = [instance.effective for instance in failed if instance.candidates]
    return Diagnosis(
        candidates=mean(effective) if effective else None,
        minutes=sum(causes.values()),
        breakdown=causes,
        savings=_savings(causes),
        failed_instances=len(failed),
    )


def _cost(instance: FailedInstance) -> dict[str, float]:
    """Minutes by cause, for one failed instance."""
    candidates = instance.effective or 1.0
    is_specific = all(
        candidate.error_type and candidate.message for candidate in instance.candidates
    ) and bool(instance.candidates)
    dark = sum("dark" in blocker for blocker in instance.blockers)
    seconds = {
        "find": _QUERY_S + _INSPECT_S,
        "localise": (candidates + 1) / 2 * (_INSPECT_S + 25 * _READ_S + _THINK_S),
        "explain": 145 * _READ_S if is_specific else _QUERY_S + 20 * 15 * _READ_S,
        "dark": dark * _DARK_S,
        "entity": 0.0 if is_specific else _QUERY_S + 40 * _READ_S,
    }
    return {cause: second / 60 for cause, second in seconds.items()}


def _savings(causes: dict[str, float]) -> dict[str, float]:
    """Minutes that each fix would save, for those that would save any."""
    ideal_localise = (_INSPECT_S + 25 * _READ_S + _THINK_S) / 60
    ideal_explain = 145 * _READ_S / 60
    fixes = {
        "one failure point instead of several": causes["localise"] - ideal_localise,
        "specific error types and messages": causes["explain"] - ideal_explain,
        "instrument the callee at a dark boundary": causes["dark"],
        "put the entity's id on the failing span": causes["entity"],
    }
    return {fix: saved for fix, saved in fixes.items() if saved > 0.05 and not math.isnan(saved)}
