"""Steps stand against the clean run and their budget, and say what shortening them would save."""

import pytest
from tests.workflow.drawn import MS, START_NS, Log, Record, Span, rebuilt, span_id, trace_id

from tracejury.config import Config, DeclaredWorkflow
from tracejury.scorecard.result import Gap, GapLine
from tracejury.scorecard.timing import timing


def order(number: int, stock_ms: float, mail_ms: float) -> list[Record]:
    """A request that asks for stock, and beside it sends mail."""
    span = {"trace": number, "service": "web"}
    return [
        Span(1, "POST /orders", 0, max(stock_ms, mail_ms), kind="SERVER", **span),  # type: ignore[arg-type]
        Span(2, "stock", 0, stock_ms, parent=1, **span),  # type: ignore[arg-type]
        Span(3, "mail", 0, mail_ms, parent=1, **span),  # type: ignore[arg-type]
    ]


CONFIG = Config(
    workflows=(
        DeclaredWorkflow("POST /orders", step_seconds=(("stock", 9.0), ("web: stock", 0.15))),
    )
)


def test_a_step_has_its_clean_times_its_budget_and_what_it_would_save() -> None:
    run = order(1, 100, 80) + order(2, 300, 80)
    clean = [span for number in (1, 2, 3) for span in order(number, 50, 40)]
    with rebuilt(run, clean=clean, config=CONFIG) as reader:
        stock, *others = timing(reader).steps
    assert (stock.name, stock.critical_share) == ("stock", 1.0)
    assert (stock.p50_ms, stock.self_ms) == (200.0, 200.0)
    assert stock.baseline_p50_ms == stock.baseline_p95_ms == stock.baseline_p99_ms == 50.0
    # The name that names the service wins.
    assert (stock.budget_ms, stock.over_budget) == (150.0, 1)
    # Half of 100 is more than the 20 until the mail is waited for; half of 300 is not.
    assert stock.halved_saves_ms == (20 + 150) / 2
    assert stock.removed_saves_ms == (20 + 220) / 2
    assert stock.removed_saves_share == (20 + 220) / 400
    assert {step.name for step in others} == {"POST /orders", "mail"}
    assert not any(step.removed_saves_ms or step.budget_ms for step in others)


def job(trace: int, end_ms: float) -> list[Record]:
    return [
        Span(1, "job", 0, end_ms, trace=trace),
        Span(2, "load", 0, 100, trace=trace, parent=1),
        Span(3, "store", end_ms - 100, end_ms, trace=trace, parent=1),
        Log("started", 1, trace=trace, span=1),
        Log("loaded", 90, trace=trace, span=2),
        Log("another service goes on", 1000, trace=trace + 1, service="other"),
        Log("stored", end_ms - 50, trace=trace, span=3, severity=13),
    ]


def test_a_gap_has_the_log_lines_around_it() -> None:
    with rebuilt(job(1, 5000), job(3, 4000)) as reader:
        found = timing(reader)
    assert found.gaps == 2
    [gap] = found.unexplained
    logs = (gap.before and gap.before.log, gap.after and gap.after.log)
    assert gap == Gap(
        workflow="job",
        service="shop",
        name="job",
        times=2,
        total_ms=4800.0 + 3800.0,
        longest_ms=4800.0,
        share=0.96,
        trace_id=trace_id(1),
        span_id=span_id(1),
        start_ns=START_NS + 100 * MS,
        before=GapLine(logs[0] or 0, START_NS + 90 * MS, 9, "shop", "loaded"),
        after=GapLine(logs[1] or 0, START_NS + 4950 * MS, 13, "shop", "stored"),
    )


def queued(wait_ms: float, *, linked: bool) -> list[Record]:
    """A job that a request hands to a queue: its consumer is a child, or a trace that links."""
    consumer = {"trace": 2, "links": [(1, 2)]} if linked else {"parent": 2}
    start_ms = 1_000 + wait_ms
    return [
        Span(1, "POST /jobs", 0, 1_000, kind="SERVER", service="web"),
        Span(2, "send jobs", 990, 1_000, parent=1, kind="PRODUCER", service="web"),
        Span(3, "run job", start_ms, start_ms + 1_000, kind="CONSUMER", **consumer),
    ]


@pytest.mark.parametrize("linked", [False, True])
def test_time_in_a_queue_is_called_that_and_not_explained(*, linked: bool) -> None:
    with rebuilt(queued(8_000, linked=linked)) as reader:
        found = timing(reader)
    assert (found.explained, found.queued) == (0.2, 0.8)
    with rebuilt(queued(0, linked=linked)) as reader:
        found = timing(reader)
    assert (found.explained, found.queued) == (1, 0)


def test_what_no_span_holds_after_an_answer_is_neither_explained_nor_a_queue() -> None:
    with rebuilt(
        [
            Span(1, "POST /jobs", 0, 1_000, kind="SERVER"),
            Span(2, "clean up", 9_000, 10_000, parent=1),
        ]
    ) as reader:
        found = timing(reader)
    assert (found.explained, found.queued) == (0.2, 0)
