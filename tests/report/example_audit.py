"""One audit built by hand that has something of everything, and one of nothing at all."""

from tracejury.checks.check import Finding, Reference, Severity
from tracejury.scorecard.result import (
    Aftermath,
    Audit,
    CallEdge,
    CheckResult,
    Clause,
    Completeness,
    Criterion,
    CutOffs,
    Diagnosis,
    Difficulty,
    ExternalCalls,
    FaultCourse,
    FaultResult,
    Gap,
    GapLine,
    Hurt,
    MissingStep,
    Outcome,
    Period,
    Phases,
    QueueFacts,
    ServiceShare,
    Share,
    StepTiming,
    Suspect,
    Target,
    TestOutcome,
    TestResult,
    Timing,
    Trust,
    Waterfall,
    WaterfallSpan,
    WorkflowSummary,
)
from tracejury.workflow.step_risk import StepRisk
from tracejury.workflow.stopwatch import Measurement

CRITICAL, HIGH, MEDIUM, INFO = Severity
PASS: Outcome = "pass"
FAIL: Outcome = "fail"
UNSEEN: Outcome = "not-observed"
TRACE = "5b8efff798038103d269b633813fc60c"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"


def check(
    check_id: str,
    title: str,
    severity: Severity,
    task: int,
    outcome: Outcome,
    *,
    reason: str = "",
    exposures: int = 0,
    units: tuple[int, int] = (0, 0),
    untested: tuple[str, ...] = (),
    serves: tuple[str, ...] = (),
    remedy: str = "",
    note: str = "",
    findings: tuple[Finding, ...] = (),
) -> CheckResult:
    """Build a result with what it does not say left empty; `units` are total and exposed."""
    return CheckResult(
        id=check_id,
        title=title,
        severity=severity,
        task=task,
        outcome=outcome,
        reason=reason,
        exposures=exposures,
        units_total=units[0],
        units_exposed=units[1],
        untested=untested,
        serves=serves,
        remedy=remedy,
        note=note,
        findings=findings,
    )


def stuck_call(number: int) -> Finding:
    return Finding(
        message=f"worker waited {30 + number}.2 s for images.example/v1/generate without giving "
        "up; the bound is 5 s",
        subject="images.example/v1/generate",
        instance=f"job-{number}",
        fault="hang-1",
        evidence=(
            Reference(trace_id=TRACE, span_id=f"{number:016x}"),
            Reference(trace_id=TRACE, span_id=f"{number + 64:016x}"),
            Reference(trace_id=TRACE, log=100 + number),
        ),
    )


CHECKS = (
    check(
        "ING-01", "Every record is valid", HIGH, 0, PASS,
        exposures=1204, units=(1, 1), serves=("TEST-RR-O02",),
    ),
    check(
        "ING-02", "No telemetry was dropped", HIGH, 0, UNSEEN,
        reason="uninstrumented", units=(5, 0), serves=("TEST-RR-O02",),
        note="no SDK reports how many spans it started",
    ),
    check(
        "ING-04", "The window is closed", INFO, 0, UNSEEN,
        reason="unsettled", note="Spans may still arrive: audit again in 40 s.",
    ),
    check(
        "INV-01", "The workflow inventory is complete", INFO, 1, UNSEEN,
        reason="needs-declaration", units=(2, 0),
    ),
    check(
        "INV-02", "Every call names its peer", HIGH, 2, PASS, exposures=212, units=(4, 4),
    ),
    check(
        "TIM-01", "Every external call has a timeout", CRITICAL, 3, FAIL,
        exposures=14, units=(3, 2), untested=("storage.example",),
        serves=("TEST-RR-T01", "pattern-1", "CRITICAL-1"),
        remedy="Set a timeout on the client of images.example, below the 30 s that a job may take.",
        note="2 streaming responses were set aside",
        findings=tuple(stuck_call(number) for number in range(1, 6)),
    ),
    check(
        "TIM-06", "Every job type has a maximum duration", CRITICAL, 3, UNSEEN,
        reason="no-exposure", units=(2, 0), untested=("generate", "thumbnail"),
        serves=("TEST-RR-T02", "pattern-2", "CRITICAL-2"),
    ),
    check(
        "PAR-01", "An item's error stays with the item", CRITICAL, 4, PASS,
        exposures=6, units=(1, 1),
        serves=("TEST-RR-P01", "TEST-RR-SL02", "pattern-3", "pattern-10", "CRITICAL-3"),
    ),
    check(
        "PAR-04", "A circuit breaker opens within 5 failures", HIGH, 4, FAIL,
        exposures=3, units=(1, 1), serves=("TEST-RR-P02", "HIGH-2"),
        remedy="Open a breaker after 3 to 5 consecutive failures of images.example.",
        findings=(
            Finding(
                message="worker called images.example 11 times in a row while each call failed",
                subject="images.example", instance="batch-9", fault="outage-1",
                evidence=(Reference(trace_id=OTHER_TRACE, span_id="00f067aa0ba902b7"),),
            ),
        ),
    ),
    check(
        "RET-02", "Retries are bounded", CRITICAL, 5, PASS,
        exposures=9, units=(2, 2), serves=("TEST-RR-R01", "pattern-6", "CRITICAL-4"),
    ),
    check(
        "RET-06", "A retry is idempotent", CRITICAL, 5, UNSEEN,
        reason="no-item-identity", exposures=9, units=(2, 0),
        serves=("TEST-RR-R03", "pattern-5", "CRITICAL-4"),
    ),
    check(
        "RSM-01", "Work resumes after a crash", HIGH, 6, UNSEEN,
        reason="no-exposure", serves=("TEST-RR-RE01", "pattern-8", "HIGH-1"),
    ),
    check(
        "LOOP-01", "Every loop is bounded", HIGH, 7, UNSEEN,
        reason="units", exposures=2, units=(3, 1), untested=("poll catalogue", "send digests"),
        serves=("TEST-RR-SL01", "pattern-9", "HIGH-3"),
    ),
    check(
        "Q-01", "No message is lost", CRITICAL, 8, "not-applicable",
        serves=("TEST-RR-Q01", "pattern-11", "CRITICAL-5"), note="declared: queue = none",
    ),
    check(
        "ST-01", "Stuck jobs are detected", CRITICAL, 9, UNSEEN,
        reason="unsettled", exposures=1, units=(2, 0),
        serves=("TEST-RR-S02", "pattern-14", "CRITICAL-6"),
    ),
    check(
        "ST-03", "No job is in an impossible state", HIGH, 9, "error",
        serves=("TEST-RR-S02", "pattern-15", "HIGH-5"), note="division by zero",
    ),
    check(
        "OBS-01", "One correlation ID joins each workflow", CRITICAL, 10, PASS,
        exposures=52, units=(2, 2), serves=("TEST-RR-O02", "pattern-16", "CRITICAL-7"),
    ),
    check(
        "OBS-09", "Errors say what failed", MEDIUM, 10, FAIL,
        exposures=17, units=(3, 3), serves=("pattern-17", "MEDIUM-5"),
        remedy="Put the entity's ID and the provider's answer into the message.",
        findings=(
            Finding(
                message='worker logged "An error occurred" 6 times and named no cause',
                subject="worker", instance="job-3", evidence=(Reference(log=118),),
            ),
        ),
    ),
    check(
        "OBS-17", "Every alert has a runbook", MEDIUM, 10, "manual", serves=("MEDIUM-4",),
    ),
)  # fmt: skip

_CRITERIA: tuple[tuple[Severity, str, Outcome, str], ...] = (
    (CRITICAL, "Every external call has a timeout", FAIL, "TIM-01"),
    (CRITICAL, "Every job has a maximum duration", UNSEEN, "TIM-06"),
    (CRITICAL, "Batches isolate the errors of items", PASS, "PAR-01"),
    (CRITICAL, "Retry is idempotent, bounded and checkpointed", UNSEEN, "RET-02 RET-06 RET-04"),
    (CRITICAL, "Messages are durable", "not-applicable", "Q-01"),
    (CRITICAL, "Stuck jobs are detected and resolved", UNSEEN, "ST-01"),
    (CRITICAL, "Correlation IDs trace requests end to end", PASS, "OBS-01"),
    (HIGH, "Work resumes from a checkpoint", UNSEEN, "RSM-01 RSM-02"),
    (HIGH, "A circuit breaker protects each provider", FAIL, "PAR-04"),
    (HIGH, "Loops are bounded", UNSEEN, "LOOP-01"),
    (HIGH, "A dead-letter queue exists, with alerting", "not-applicable", "Q-05 OBS-12"),
    (HIGH, "Impossible states are prevented", UNSEEN, "ST-03 ST-04"),
    (HIGH, "Every step has its timing", PASS, "OBS-08"),
    (HIGH, "Critical failures raise an alert", UNSEEN, "OBS-12"),
    (MEDIUM, "A partial state exists", UNSEEN, "PAR-03"),
    (MEDIUM, "The queue has priority levels", "not-applicable", "Q-07"),
    (MEDIUM, "The health endpoint tests real dependencies", UNSEEN, "RSM-04"),
    (MEDIUM, "Every alert has a runbook", "manual", "OBS-17"),
    (MEDIUM, "Messages carry entity IDs and provider answers", FAIL, "OBS-09"),
)

_PATTERNS: tuple[tuple[int, str, str, Severity, Outcome, str], ...] = (
    (1, "No timeout on external calls", "timeout", CRITICAL, FAIL, "TIM-01"),
    (2, "No job-level timeout", "timeout", HIGH, UNSEEN, "TIM-06"),
    (3, "Entire batch fails on a single item error", "partial", HIGH, PASS, "PAR-01"),
    (6, "Infinite retry loop", "retry", CRITICAL, PASS, "RET-02"),
    (11, "Queue message loss", "queue", HIGH, "not-applicable", "Q-01"),
    (17, "Generic error messages", "observability", MEDIUM, FAIL, "OBS-09"),
)

_TESTS: tuple[tuple[str, str, int, str, TestOutcome, str], ...] = (
    (
        "T01",
        "External API call timeout",
        3,
        "hang-1",
        "partial",
        "fail pass fail pass not-observed",
    ),
    ("T02", "Job-level timeout", 3, "", "not-run", "not-observed not-observed"),
    ("P01", "Batch fails at item 7 of 20", 4, "bad-1", "pass", "pass pass pass"),
    ("P02", "Systemic failure", 4, "outage-1", "fail", "fail not-observed"),
    ("R01", "Retry one failed item", 5, "", "not-run", "not-observed not-observed"),
    ("O01", "Failure diagnosis time", 10, "", "partial", "pass manual"),
    ("O02", "End-to-end trace completeness", 10, "", "partial", "pass pass fail not-observed pass"),
)


def _criteria() -> tuple[Criterion, ...]:
    numbers: dict[Severity, int] = {}
    built = []
    for tier, title, outcome, checks in _CRITERIA:
        numbers[tier] = numbers.get(tier, 0) + 1
        name = f"{tier.name}-{numbers[tier]}"
        built.append(Criterion(name, title, tier, outcome, tuple(checks.split())))
    return tuple(built)


def _clauses(outcomes: str) -> tuple[Clause, ...]:
    known: dict[str, Outcome] = {PASS: PASS, FAIL: FAIL, UNSEEN: UNSEEN, "manual": "manual"}
    return tuple(
        Clause(text=f"what is asked at {number}", outcome=known[outcome], checks=("TIM-01",))
        for number, outcome in enumerate(outcomes.split(), 1)
    )


TESTS = tuple(
    TestResult(f"TEST-RR-{name}", title, task, tuple(faults.split()), outcome, _clauses(clauses))
    for name, title, task, faults, outcome, clauses in _TESTS
)

COMPLETENESS = Completeness(
    total=Share(1204, 74.0),
    basis="upper-bound",
    by_service={
        "web": ServiceShare(210, 0.0, "counted", {}, 1, 1),
        "worker": ServiceShare(940, 61.0, "upper-bound", {"killed": 60.0, "dropped": 1.0}, 2, 1),
        "notifier": ServiceShare(54, 13.0, "upper-bound", {"not-exported": 13.0}),
    },
    by_workflow={"POST /jobs": Share(1100, 74.0), "GET /jobs/{id}": Share(104, 0.0)},
    by_instance={"job-1": Share(20, 2.0), "job-2": Share(22, 0.0)},
    criteria={
        "steps_visible": 0.942,
        "correlation": 1.0,
        "call_details": 0.7604,
        "failure_point": 0.5,
        "durations": 0.9996,
    },
    missing=(
        MissingStep("worker", "process_item", 61.0, "killed", "worker-2 fell silent at 12:04:31"),
        MissingStep("notifier", "", 13.0, "not-exported", "13 spans name it as their parent"),
    ),
    external_entries=52,
    background_spans=31,
    not_run=17,
)

TIMING = Timing(
    steps=(
        StepTiming(
            "POST /jobs", "worker", "POST images.example", "CLIENT", 212, 14,
            p50_ms=812.5, p95_ms=31200.0, p99_ms=35100.0, self_ms=812.5, critical_share=0.71,
            baseline_p95_ms=940.0, baseline_p50_ms=800.0, baseline_p99_ms=1020.0,
            budget_ms=5000.0, over_budget=14, halved_saves_ms=2400.0, removed_saves_ms=4100.0,
            removed_saves_share=0.64,
        ),
        StepTiming(
            "POST /jobs", "worker", "process_item", "CONSUMER", 204, 3,
            p50_ms=901.0, p95_ms=31900.0, p99_ms=36000.0, self_ms=41.0, critical_share=0.19,
            baseline_p95_ms=1010.0,
        ),
        StepTiming(
            "GET /jobs/{id}", "web", "GET /jobs/{id}", "SERVER", 104, 0,
            p50_ms=3.25, p95_ms=9.0, p99_ms=None, self_ms=2.0, critical_share=None,
            baseline_p95_ms=None,
        ),
    ),
    explained=0.881,
    gaps=12,
    unexplained=(
        Gap(
            "POST /jobs", "worker", "process_item", 11, 33000.0, 8250.0, 0.31,
            "e" * 32, "f" * 16, 1772452810000000000,
            GapLine(41, 1772452809500000000, 9, "worker", "fetched image 7 of 20"), None,
        ),
        Gap(
            "GET /jobs/{id}", "web", "render", 1, 1200.0, 1200.0, 0.9,
            "e" * 32, "f" * 16, 1772452810000000000, None, None,
        ),
    ),
)  # fmt: skip

EXAMPLE = Audit(
    judged_at="2026-03-02T12:30:00Z",
    inputs=("run.duckdb", "faults.json"),
    bounds={"call_s": 5.0, "job_s": 30.0, "stuck_s": 60.0, "attempts": 3.0},
    verdict="FAIL",
    score=31.4,
    failed_share=0.258,
    unobserved_share=0.428,
    coverage=0.572,
    completeness=COMPLETENESS,
    timing=TIMING,
    external_calls=ExternalCalls(
        share=0.76, calls=50, complete=38, unrecorded=3,
        targets=(
            Target("worker", "images.example", True, 38, 38, 30, 4, 38, ("response",)),
            Target("worker", "storage.example", True, 12, 8, 12, 0, 12, ("url", "method")),
        ),
    ),
    diagnosis=Diagnosis(
        candidates=2.4,
        minutes=6.2,
        breakdown={"find": 1.1, "localise": 2.0, "explain": 3.1},
        savings={"correlating logs": 3.1, "specific messages": 1.4},
        failed_instances=14,
        by_workflow={
            "POST /jobs": Difficulty(
                "errors", 2.4, 6.9, {"find": 1.2, "localise": 2.1, "explain": 3.6},
                {"specific error types and messages": 2.9}, ("unexplained",), 11,
            ),
            "GET /jobs/{id}": Difficulty(
                "errors", 1.0, 1.5, {"find": 0.4, "explain": 1.1}, {}, (), 3
            ),
        },
        measured=(
            Measurement(
                "outage-1", "2026-03-03T09:00:00+00:00", 7.5, "web", "POST /jobs", "a" * 32,
                "b" * 16, is_right=None,
            ),
            Measurement(
                "hang-1", "2026-03-03T10:00:00+00:00", 11.25, "worker", "POST images.example",
                "c" * 32, "d" * 16, is_right=True,
            ),
        ),
    ),
    trust=Trust(1204, 3310, 12, 4, 0, 0, "unknown", 2, 31),
    tests=TESTS,
    criteria=_criteria(),
    patterns=tuple(
        Criterion(f"pattern-{number}", title, tier, outcome, tuple(checks.split()), category)
        for number, title, category, tier, outcome, checks in _PATTERNS
    ),
    checks=CHECKS,
    faults=(
        FaultResult(
            id="hang-1", kind="hang", target="images.example",
            start_ns=1772452800000000000, end_ns=1772452860000000000,
            success_before=1.0, success_during=0.417, success_after=0.9996,
            detected_after_s=None, stands_out=True,
            suspects=(
                Suspect("worker", "POST images.example", 0.81, ("p95 0.9 s to 31.2 s",)),
                Suspect("worker", "process_item", 0.14, ()),
            ),
            rank_of_target=1,
            difficulty=Difficulty(
                "errors", 2.4, 6.2, {"find": 1.1, "localise": 2.0, "explain": 3.1},
                {"log records that name their trace": 1.5}, ("dark-boundary",), 7,
            ),
            hurt=(
                Hurt("POST /jobs", 12, 7, 1, 1900.0, 62000.0),
                Hurt("GET /jobs/{id}", 20, 0, 0, 3.25, 3.5),
            ),
            hurt_for_s=71.5, recovered_after_s=11.5,
            first_error_after_s=1.25, changed_before_s=30.2,
            workflows=(
                FaultCourse(
                    "POST /jobs", Phases(20, 12, 20), Phases(1.0, 0.417, 0.95),
                    Phases(1900.0, 62000.0, 2100.0), "recovered", 11.5,
                ),
                FaultCourse(
                    "GET /jobs/{id}", Phases(20, 20, 0), Phases(1.0, None, None),
                    Phases(3.25, 3.5, None), "early", None,
                ),
            ),
        ),
        FaultResult(
            id="outage-1", kind="error", target="images.example",
            start_ns=1772453100000000000, end_ns=1772453220000000000,
            success_before=0.9996, success_during=None, success_after=None,
            detected_after_s=12.0, stands_out=False, suspects=(), rank_of_target=None,
            difficulty=Difficulty(
                "suspects", 8.1, 10.4, {"find": 0.4, "localise": 2.9, "explain": 7.1}, {}, (), 0
            ),
        ),
    ),
    workflows=(
        WorkflowSummary(
            "POST /jobs", "user", 52, 36, 14, 2, 1100, 1900.0, 62000.0,
            ("web", "worker", "notifier"), ("images.example", "storage.example"),
        ),
        WorkflowSummary("GET /jobs/{id}", "user", 104, 104, 0, 0, 104, 3.25, 9.0, ("web",), ()),
    ),
    ran=Period("2026-03-02T11:58:00+00:00", "2026-03-02T12:10:00+00:00"),
    step_risks=(
        StepRisk(
            "worker", "POST images.example", "CLIENT", ("POST /jobs",), 38, 3, 3, 3,
            ("external", "changes something", "over 10 s", "in a loop"),
        ),
        StepRisk("worker", "run batch", "CONSUMER", ("POST /jobs",), 52, 2, 2, 1, ("in a loop",)),
        StepRisk("web", "GET /jobs/{id}", "SERVER", ("GET /jobs/{id}",), 104, 1, 1, 1, ()),
    ),
    cut_offs=(
        CutOffs("connect", "Outgoing HTTP", "connect", 5.0, 5.0, 0, 0, None, None, None),
        CutOffs("read", "Outgoing HTTP", "read", 30.0, 5.0, 50, 9, 4.9, 31.2, 35.2),
        CutOffs("statement", "Database", "statement", 30.0, 30.0, 90, 2, 1.5, 1.5, 1.5),
        CutOffs("heartbeat", "Worker", "heartbeat", 30.0, None, 0, 0, None, None, None),
    ),
    queue=QueueFacts(("jobs", "jobs.dead"), 52, 1, 54, 3, 2, ("jobs.dead",)),
    aftermaths=(Aftermath("hang-1", {"failed": 7, "processing": 1, "": 4}, 0.3, 6.2),),
    call_edges=(
        CallEdge("POST /jobs", "web", "worker", False, True, 52, 0),
        CallEdge("POST /jobs", "worker", "images.example", True, False, 38, 14),
        CallEdge("POST /jobs", "worker", "storage.example", True, False, 12, 0),
        CallEdge("POST /jobs", "worker", "web", False, False, 7, 0),
    ),
    worst_evidence=Waterfall(
        "TIM-01", stuck_call(1).message, TRACE, 4,
        (
            WaterfallSpan("web", "POST /jobs", "SERVER", 0, 0.0, 31400.0, True, False),
            WaterfallSpan("worker", "run batch", "CONSUMER", 1, 12.0, 31300.0, False, False),
            WaterfallSpan("worker", "POST images.example", "CLIENT", 2, 90.0, 31200.0, True, True),
            WaterfallSpan("worker", "write row", "CLIENT", 2, 31301.0, None, False, False),
        ),
    ),
    system="Image mill",
    auditor="A. N. Other",
)  # fmt: skip

EMPTY = Audit(
    judged_at="2026-03-02T12:30:00Z",
    inputs=(),
    bounds={},
    verdict="CANNOT_JUDGE",
    score=None,
    failed_share=None,
    unobserved_share=None,
    coverage=None,
    completeness=None,
    timing=None,
    external_calls=None,
    diagnosis=None,
    trust=Trust(0, 0, 0, 0, 0, 0, "unknown", 0, 0),
    tests=(),
    criteria=(),
    patterns=(),
    checks=(),
    faults=(),
    workflows=(),
)
