"""Count the spans of steps of which next to nothing arrived.

Those below which a span arrived are named by it. Of the others, the calls that they did not answer
tell, or the baseline: as many as usually stand below their parents, as far as nothing below them
would have arrived. A step that did not run, since what comes before it failed, is so not taken for
one that is lost, unless nothing that it does leaves a trace elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from tracejury.workflow.loss_rate import ALL
from tracejury.workflow.loss_signs import ClassKey, Family, StepCount, StepKey, Structure

# A chain of silent steps is followed this far down.
_ROUNDS: Final = 30

# A change of the estimate that ends the search, in spans.
_STILL: Final = 0.01

_CALLS: Final = ("CLIENT", "PRODUCER")
_ANSWERS: Final = ("SERVER", "CONSUMER")


def count_silent(
    known: dict[StepKey, StepCount],
    rates: dict[ClassKey, float],
    structure: Structure,
    missing: dict[StepKey, float],
) -> None:
    """Replace in `missing` what is said of silent steps; the others stay as they are."""
    silent = _silent_steps(known, rates, missing)
    unnamed = _unnamed_shares(known, structure.families, rates, silent)
    for _ in range(_ROUNDS):
        whole = {key: step.observed + missing.get(key, 0.0) for key, step in known.items()}
        usual = _usual(structure, whole, silent)
        unanswered = _unanswered(structure, whole, known, silent)
        counted = {}
        for key in silent:
            step = known[key]
            beyond = max(usual[key] + unanswered.get(key, 0.0) - step.observed, 0.0)
            counted[key] = max(step.ghosts + unnamed[key] * beyond, float(step.deficit))
        _at_least(unanswered, counted)
        change = max((abs(counted[key] - missing.get(key, 0.0)) for key in counted), default=0.0)
        missing.update(counted)
        if change < _STILL:
            return


def _at_least(unanswered: dict[StepKey, float], counted: dict[StepKey, float]) -> None:
    """Count as many answers as the calls lack; which of them lack whose is less certain."""
    lacking = sum(unanswered.values())
    short = lacking - sum(counted[key] for key in unanswered)
    if short > 0:
        for key, halves in unanswered.items():
            counted[key] += short * halves / lacking


def _silent_steps(
    known: dict[StepKey, StepCount], rates: dict[ClassKey, float], missing: dict[StepKey, float]
) -> set[StepKey]:
    """Steps of which next to nothing arrived: of their class, or of their service."""
    arrived: dict[str, int] = defaultdict(int)
    signs: dict[str, float] = defaultdict(float)
    for key, step in known.items():
        arrived[key[0]] += step.observed
        signs[key[0]] += missing.get(key, 0.0)
    services = {name for name in arrived if signs[name] > ALL * (arrived[name] + signs[name]) > 0}
    return {
        key
        for key, step in known.items()
        if key[1] and (rates[step.of_class] > ALL or key[0] in services)
    }


def _unnamed_shares(
    known: dict[StepKey, StepCount],
    families: Iterable[Family],
    rates: dict[ClassKey, float],
    silent: set[StepKey],
) -> dict[StepKey, float]:
    """The share of each silent step's spans below which nothing arrives: nobody names them."""
    gone = {known[key].of_class for key in silent}
    whole: dict[StepKey, int] = defaultdict(int)
    unnamed: dict[StepKey, float] = defaultdict(float)
    for family in families:
        if family.parent in silent:
            chance = 1.0
            for child in family.children - gone:
                chance *= rates.get(child, 0.0)
            whole[family.parent] += family.times
            unnamed[family.parent] += family.times * chance
    return {key: unnamed[key] / whole[key] if whole[key] else 1.0 for key in silent}


def _usual(
    structure: Structure, whole: dict[StepKey, float], silent: set[StepKey]
) -> dict[StepKey, float]:
    """Spans of silent steps that usually stand below what there was; calls tell themselves."""
    usual: dict[StepKey, float] = defaultdict(float)
    for branch in structure.branches:
        is_call = branch.parent[2] in _CALLS and branch.child[2] in _ANSWERS
        if branch.child in silent and (branch.parent in silent or not is_call):
            usual[branch.child] += whole.get(branch.parent, 0.0) * branch.ratio
    return usual


def _unanswered(
    structure: Structure,
    whole: dict[StepKey, float],
    known: dict[StepKey, StepCount],
    silent: set[StepKey],
) -> dict[StepKey, float]:
    """Halves that calls lack; those of calls that are lost themselves are carried over."""
    unanswered: dict[StepKey, float] = defaultdict(float)
    for call in structure.unanswered:
        if call.callee in silent and call.caller not in silent and call.caller in known:
            lost_too = whole[call.caller] / known[call.caller].observed
            unanswered[call.callee] += call.halves * lost_too
    return dict(unanswered)
