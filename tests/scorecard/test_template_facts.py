"""What the audit's template asks beyond checks: timeouts, queues, states, remedies, plans."""

from dataclasses import replace

import pytest
from tests.report.example_audit import EXAMPLE, check
from tests.workflow.drawn import MS, START_NS, Record, Span, rebuilt

from tracejury.checks.catalogue import CATALOGUE
from tracejury.checks.check import Severity
from tracejury.scorecard.aftermath import aftermaths
from tracejury.scorecard.cut_offs import ROWS, cut_offs
from tracejury.scorecard.decidable import would_decide
from tracejury.scorecard.failure_tables import diagnosis_table, state_table
from tracejury.scorecard.next_faults import fault_plan, retests
from tracejury.scorecard.priorities import first_tasks, questions
from tracejury.scorecard.queue_facts import queue_facts
from tracejury.scorecard.queue_table import queue_table
from tracejury.scorecard.remediation import EFFORTS, remedies
from tracejury.scorecard.result import Outcome
from tracejury.scorecard.timeout_table import timeout_table
from tracejury.scorecard.words import REASONS
from tracejury.workflow.faults import Fault
from tracejury.workflow.step_risk import step_risks, workflow_ranks

GAVE_UP = {
    "http.request.method": "POST", "server.address": "images.example",
    "url.full": "https://images.example/v1", "error.type": "TimeoutError",
}  # fmt: skip
STATEMENT = {"db.system.name": "postgresql", "db.operation.name": "SELECT", "server.address": "db"}
SENT = {"messaging.system": "rabbitmq", "messaging.destination.name": "jobs",
        "messaging.operation.type": "send", "job.id": "j-1"}  # fmt: skip
TAKEN = SENT | {"messaging.operation.type": "process"}
FAULT = Fault("hang-1", START_NS + 1_000 * MS, START_NS + 9_000 * MS, "hang", "images.example")


OWN: dict[str, Outcome] = {"manual": "manual", "error": "error"}  # outcomes that are reasons


def run() -> list[Record]:
    return [
        Span(1, "POST /jobs", 0, 50, kind="SERVER", service="web", attributes={"job.id": "j-1"}),
        Span(2, "send jobs", 10, 20, parent=1, kind="PRODUCER", service="web", attributes=SENT),
        Span(3, "process jobs", 100, 9_500, parent=2, kind="CONSUMER", service="worker",
             status="ERROR", attributes=TAKEN | {"job.status": "failed"}),
        Span(4, "POST", 200, 5_200, parent=3, kind="CLIENT", service="worker", status="ERROR",
             attributes=GAVE_UP),
        Span(5, "SELECT", 5_300, 5_400, parent=3, kind="CLIENT", service="worker",
             attributes=STATEMENT),
    ]  # fmt: skip


def test_what_was_seen_of_a_run_fills_the_template() -> None:
    with rebuilt(run(), injected=(FAULT,)) as reader:
        limits = {row.id: row for row in cut_offs(reader)}
        queue = queue_facts(reader)
        [after] = aftermaths(reader)
        risks = step_risks(reader)
    assert list(limits) == [row[0] for row in ROWS]
    read = limits["read"]
    assert (read.cut_off, read.exposures, read.shortest_s, read.longest_s) == (1, 1, 5.0, 5.0)
    assert (limits["statement"].cut_off, limits["statement"].longest_wait_s) == (0, 0.1)
    assert limits["incoming"].longest_wait_s == pytest.approx(0.05)
    assert limits["job"].exposures == 1
    assert queue is not None
    assert (queue.destinations, queue.sent, queue.unprocessed) == (("jobs",), 1, 0)
    assert (queue.deliveries, queue.redelivered, queue.dead_letters) == (1, 0, ())
    assert (after.fault, after.states) == ("hang-1", {"failed": 1})
    assert after.diagnosis_minutes is not None
    assert after.find_minutes is not None
    assert 0 < after.find_minutes < after.diagnosis_minutes
    assert (risks[0].service, risks[0].name, risks[0].impact) == ("worker", "POST", 3)
    assert workflow_ranks(risks)["POST /jobs"] == risks[0]
    assert risks[0].risk == risks[0].impact * (risks[0].probability + risks[0].difficulty)


def test_a_cut_off_above_the_bound_is_no_good_one_and_none_is_none() -> None:
    rows = {row.limits.id: row for row in timeout_table(EXAMPLE)}
    assert (rows["read"].held, rows["statement"].held) == ("above", "within")
    assert rows["connect"].held == "not observed"
    assert all(bool(row.would_decide) == (row.held == "not observed") for row in rows.values())


def test_a_queue_has_nine_aspects_and_a_question_where_nothing_decided() -> None:
    rows = queue_table(EXAMPLE)
    assert len(rows) == 9
    assert [row.aspect for row in rows if not row.question] == ["Persistence"]  # declared
    assert next(row for row in rows if row.aspect == "Dead letter queue").seen == "jobs.dead"


@pytest.mark.parametrize(
    ("outcome", "accurate"), [("pass", "pass"), ("not-observed", "not-observed"), ("fail", "fail")]
)
def test_a_state_is_as_accurate_as_the_check_says(outcome: Outcome, accurate: Outcome) -> None:
    blamed = replace(EXAMPLE.checks[5].findings[0], fault="hang-1")
    states = check(
        "ST-08", "states", Severity.HIGH, 9, outcome,
        findings=(blamed,) if outcome == "fail" else (),
    )  # fmt: skip
    rows = state_table(replace(EXAMPLE, checks=(*EXAMPLE.checks, states)))
    assert [row.mode for row in rows if not row.fault] == [
        "Worker crash", "Storage failure", "Lost message", "Partial batch", "User cancels",
        "Server restart",
    ]  # fmt: skip
    [hit] = [row for row in rows if row.fault]
    assert (hit.mode, hit.observed, hit.accurate) == (
        "API timeout", "failed 7, processing 1, no state said 4", accurate,
    )  # fmt: skip
    assert bool(hit.would_decide) == (accurate == "not-observed")


def test_a_root_cause_is_identified_where_the_target_itself_stands_out() -> None:
    hang, outage = diagnosis_table(EXAMPLE)
    assert (hang.root_cause, hang.is_identified) == ("worker POST images.example", True)
    other = replace(EXAMPLE.faults[0], rank_of_target=2)
    [hang, _] = diagnosis_table(replace(EXAMPLE, faults=(other, EXAMPLE.faults[1])))
    assert (hang.root_cause, hang.is_identified) == ("worker POST images.example", False)
    assert (outage.root_cause, outage.alerted_after_s) == ("", 12.0)


def test_every_check_of_the_catalogue_has_an_effort() -> None:
    assert {entry.id for entry in CATALOGUE} == set(EFFORTS)


def test_remedies_stand_by_the_score_that_they_recover() -> None:
    found = remedies(EXAMPLE)
    assert [(r.check.id, r.when, r.effort) for r in found] == [
        ("TIM-01", "now", "S"), ("PAR-04", "next sprint", "M"), ("OBS-09", "backlog", "S"),
    ]  # fmt: skip
    shares = [remedy.recovers / found[0].recovers for remedy in found]
    assert shares == pytest.approx([1, 0.75, 0.5])


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_whatever_is_not_observed_says_in_a_line_what_would_decide_it(reason: str) -> None:
    for entry in CATALOGUE:
        undecided = check(
            entry.id, entry.title, entry.severity, entry.task, OWN.get(reason, "not-observed"),
            reason=reason, untested=("queue a",),
        )  # fmt: skip
        line = would_decide(undecided)
        assert line.endswith(".")
        assert "\n" not in line


def test_what_is_decided_asks_for_nothing() -> None:
    assert [would_decide(check) for check in EXAMPLE.checks if check.outcome == "fail"] == [""] * 3


def test_the_faults_that_showed_something_are_injected_again() -> None:
    assert [(r.fault.id, r.checks) for r in retests(EXAMPLE)] == [
        ("hang-1", ("TIM-01",)), ("outage-1", ("TIM-01",)),
    ]  # fmt: skip


def test_the_plan_puts_critical_criteria_first_and_aims_at_the_riskiest() -> None:
    criteria = tuple(
        replace(criterion, checks=("TIM-01",), outcome="not-observed")
        if criterion.id == "HIGH-3"
        else criterion
        for criterion in EXAMPLE.criteria
    )
    plan = fault_plan(replace(EXAMPLE, criteria=criteria))
    assert [p.trial.test for p in plan] == ["TEST-RR-T02", "TEST-RR-R01", "TEST-RR-O01"]
    assert (plan[0].tier, plan[0].criteria) == (Severity.HIGH, ("HIGH-3",))
    assert (plan[0].target, plan[0].risk) == ("images.example", 18)


def test_six_questions_are_answered_as_far_as_telemetry_tells() -> None:
    assert [question.answer for question in questions(EXAMPLE)] == [
        "yes", "yes", "not observed", "not observed", "no", "yes",
    ]  # fmt: skip
    assert first_tasks(EXAMPLE) == (1, 3, 5, 7, 8)
    assert first_tasks(replace(EXAMPLE, system_type="saas")) == (9, 8, 6, 10)


@pytest.mark.parametrize(
    ("name", "reason", "line"),
    [
        ("OBS-12", "uninstrumented", "Send alerts to POST /api/alerts"),
        ("LOOP-02", "no-exposure", "Record the query of calls that ask for pages"),
        ("OBS-13", "estimated", "Take the time from the alert"),
        ("RET-07", "no-exposure", "Inject double_retry, for queue a."),
        ("OBS-05", "needs-baseline", "Name a clean run"),
    ],
)
def test_the_line_suits_the_check_and_the_reason(name: str, reason: str, line: str) -> None:
    asked = check(
        name, name, Severity.HIGH, 10, "not-observed", reason=reason, untested=("queue a",)
    )
    assert would_decide(asked).startswith(line)


def test_a_redelivery_of_what_is_not_stored_is_counted_all_the_same() -> None:
    assert EXAMPLE.queue is not None
    rows = {
        row.aspect: row.seen
        for row in queue_table(
            replace(EXAMPLE, queue=replace(EXAMPLE.queue, most_deliveries=1, redelivered=1))
        )
    }
    assert rows["Maximum of redeliveries"] == "1 came again, the first delivery not stored"
