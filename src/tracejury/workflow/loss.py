"""Estimate how many spans of each step did not arrive, from the signs that lost spans leave.

A lost span below which others arrived is named by them, and one that answered a call by that call:
among the spans of which others tell, the share that is absent is the loss of their service and
kind, measured (`loss_rate`). The others are lost at the same rate and leave no sign, so the rate is
carried over to them. Where everything of a service and kind is lost there is nothing to carry over
to: `silence` counts what stood there.
"""

from collections import defaultdict
from collections.abc import Iterable

import networkx as nx

from tracejury.workflow.loss_rate import ALL, loss_rates
from tracejury.workflow.loss_signs import ClassKey, StepCount, StepKey, Structure
from tracejury.workflow.silence import count_silent


def estimate_missing(steps: Iterable[StepCount], structure: Structure) -> dict[StepKey, float]:
    """How many spans of each step are missing; steps that lack none are left out."""
    known = {step.key: step for step in steps}
    rates = loss_rates(known.values())
    missing = _carried_over(known, rates, _alike(known, structure))
    count_silent(known, rates, structure, missing)
    _unnamed(known.values(), missing)
    return {key: count for key, count in missing.items() if count > 0}


def _alike(known: dict[StepKey, StepCount], structure: Structure) -> list[list[StepCount]]:
    """Steps of one service and kind below which the same step stands are taken for each other.

    Which of them a lost parent was is a guess, so what is known of them is compared together.
    """
    graph: nx.Graph[StepKey] = nx.Graph()
    graph.add_nodes_from(known)
    first: dict[tuple[ClassKey, StepKey], StepKey] = {}
    for branch in structure.branches:
        if branch.parent in known:
            of_class = known[branch.parent].of_class
            other = first.setdefault((of_class, branch.child), branch.parent)
            graph.add_edge(branch.parent, other)
    return [[known[key] for key in sorted(group)] for group in nx.connected_components(graph)]


def _carried_over(
    known: dict[StepKey, StepCount], rates: dict[ClassKey, float], alike: list[list[StepCount]]
) -> dict[StepKey, float]:
    """For every class the larger of its signs and its rate, shared out over its steps.

    Where the baseline says exactly how many there were, nothing is left to be carried over to.
    """
    members: dict[ClassKey, list[StepCount]] = defaultdict(list)
    for step in known.values():
        members[step.of_class].append(step)
    missing = {key: count for group in alike for key, count in _known_missing(group).items()}
    for key, of_class in members.items():
        unsettled = sum(step.observed - step.settled for step in of_class)
        if unsettled:
            rate = min(rates[key], ALL)
            signs = sum(missing[step.key] - step.exact for step in of_class)
            beyond = max(unsettled * rate / (1 - rate) - signs, 0.0)
            for step in of_class:
                missing[step.key] += beyond * (step.observed - step.settled) / unsettled
    return missing


def _known_missing(alike: list[StepCount]) -> dict[StepKey, float]:
    """Spans that the run's records or the baseline say are missing, each counted once.

    The source that knows of the most says how many; where it says less of a step than another does,
    the step is one for which another was taken.
    """
    sources = (
        [float(step.deficit) for step in alike],
        [step.halves for step in alike],
        [step.ghosts for step in alike],
    )
    most = max(sources, key=sum)
    return {step.key: count for step, count in zip(alike, most, strict=True)}


def _unnamed(steps: Iterable[StepCount], missing: dict[StepKey, float]) -> None:
    """Count spans of no known step only as far as what is estimated leaves no room for them.

    A log record names the span that it was written in, and not its step.
    """
    room: dict[str, float] = defaultdict(float)
    unnamed = []
    for step in steps:
        if step.key[1]:
            room[step.key[0]] += max(missing.get(step.key, 0.0) - step.ghosts, 0.0)
        else:
            unnamed.append(step.key)
    for key in unnamed:
        missing[key] = max(missing.get(key, 0.0) - room[key[0]], 0.0)
