"""A run teaches its own baseline: what ran outside the fault windows, and nothing of the rest."""

from tests.workflow.drawn import MS, START_NS, Record, Span, rebuilt

from tracejury.workflow.baseline import Baseline
from tracejury.workflow.faults import Fault

FAULT = Fault("f", START_NS + 1000 * MS, START_NS + 2000 * MS)


def job(number: int, at_ms: float, *steps: str) -> list[Record]:
    """A job that takes 100 ms, with its steps below it."""
    return [
        Span(1, "job", at_ms, at_ms + 100, trace=number, kind="SERVER"),
        *(
            Span(n, step, at_ms + n, at_ms + n + 1, trace=number, parent=1)
            for n, step in enumerate(steps, 2)
        ),
    ]


RUN = [
    *job(1, 0, "work"),
    *job(2, 950, "work", "wait"),  # it was at work when the fault began
    *job(3, 1500, "wait", "wait"),
    *job(4, 1950, "wait"),
    *job(5, 2100, "work"),
]


def taught(*injected: Fault) -> tuple[dict[str, int], dict[str, float], set[str]]:
    """The clean instances with each step, its spans below each job, and what stood below a job."""
    with rebuilt(RUN, injected=injected) as reader:
        learnt = Baseline.learn(reader)
    steps = {row["name"]: row["present"] for row in learnt.steps.to_pylist()}
    ratios = {row["name"]: row["ratio"] for row in learnt.branches.to_pylist()}
    return steps, ratios, {row["name"] for row in learnt.parent_steps.to_pylist()}


def test_what_ran_while_a_fault_lasted_teaches_no_steps() -> None:
    assert taught(FAULT) == ({"job": 2, "work": 2}, {"work": 1.0}, {"work"})


def test_without_a_fault_all_of_a_run_teaches() -> None:
    steps, ratios, below = taught()
    assert steps == {"job": 5, "work": 3, "wait": 3}
    assert ratios == {"work": 0.6, "wait": 0.8}
    assert below == {"work", "wait"}


def test_a_fault_that_lasted_all_the_time_leaves_nothing_to_learn_from() -> None:
    with rebuilt(RUN, injected=(Fault("f", START_NS, START_NS + 10**10),)) as reader:
        assert not Baseline.learn(reader).exists
