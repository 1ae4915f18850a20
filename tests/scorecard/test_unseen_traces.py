"""Whole traces that log records prove, and of which no span came, count as missing."""

from tests.workflow.drawn import Log, Span, rebuilt

from tracejury.scorecard.completeness import completeness
from tracejury.store.reader import Reader


def ratio_and_missing(reader: Reader) -> tuple[float | None, list[tuple[str, float, str]]]:
    found = completeness(reader, ())
    steps = [(step.service, step.missing, step.cause) for step in found.missing]
    return found.total.ratio, steps


def test_spans_that_only_logs_of_sampled_traces_name_are_missing() -> None:
    seen = [Span(number, trace=number) for number in range(1, 7)]
    sampled = [
        Log(trace=90, span=1, flags=1),
        Log(trace=90, span=2, flags=1),
        Log(trace=91, span=1, flags=1),
    ]
    with rebuilt([*seen, *sampled, Log(trace=92, span=1)]) as reader:
        assert ratio_and_missing(reader) == (6 / 9, [("shop", 3, "not-exported")])
