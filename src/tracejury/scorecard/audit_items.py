"""The audit's own items, as its template has them: pass criteria, risk patterns and tests."""

from dataclasses import dataclass
from typing import Final

from tracejury.checks.check import Severity

CRITERIA: Final = (
    ("CRITICAL-1", "Every external call has a timeout"),
    ("CRITICAL-2", "Every job has a maximum duration"),
    ("CRITICAL-3", "Batches isolate item errors"),
    ("CRITICAL-4", "Retry is idempotent, bounded and checkpointed"),
    ("CRITICAL-5", "Messages are durable"),
    ("CRITICAL-6", "Stuck jobs are detected and resolved"),
    ("CRITICAL-7", "Correlation IDs trace requests end to end"),
    ("HIGH-1", "Work resumes from a checkpoint"),
    ("HIGH-2", "A circuit breaker guards dependencies"),
    ("HIGH-3", "Loops are bounded"),
    ("HIGH-4", "A dead letter queue raises alerts"),
    ("HIGH-5", "Impossible states are prevented"),
    ("HIGH-6", "Every step is timed"),
    ("HIGH-7", "Critical failures raise an alert"),
    ("MEDIUM-1", "A partial state exists"),
    ("MEDIUM-2", "Work has priority levels"),
    ("MEDIUM-3", "The health endpoint tests real dependencies"),
    ("MEDIUM-4", "Every alert has a runbook"),
    ("MEDIUM-5", "Error messages carry entity IDs and provider responses"),
)

# Number, category, title, risk.
PATTERNS: Final = (
    (1, "timeout", "No timeout on external calls", Severity.CRITICAL),
    (2, "timeout", "No job-level timeout", Severity.HIGH),
    (3, "partial", "Entire batch fails on a single item's error", Severity.HIGH),
    (4, "retry", "Retry reprocesses all items", Severity.HIGH),
    (5, "retry", "Retry without idempotency", Severity.HIGH),
    (6, "retry", "Infinite retry loop", Severity.CRITICAL),
    (7, "resume", "No checkpoint in batch processing", Severity.HIGH),
    (8, "resume", "Worker crash loses progress", Severity.HIGH),
    (9, "loop", "Sequential loop without bounds", Severity.HIGH),
    (10, "loop", "No error isolation in loops", Severity.HIGH),
    (11, "queue", "Queue message loss", Severity.HIGH),
    (12, "queue", "No dead letter queue", Severity.MEDIUM),
    (13, "queue", "No visibility timeout", Severity.HIGH),
    (14, "state", "Stuck jobs undetected", Severity.HIGH),
    (15, "state", "Impossible states possible", Severity.HIGH),
    (16, "observability", "No correlation ID in logs", Severity.HIGH),
    (17, "observability", "Generic error messages", Severity.MEDIUM),
    (18, "observability", "No per-step timing", Severity.MEDIUM),
    (19, "observability", "Missing external call logging", Severity.HIGH),
    (20, "observability", "No alerting on critical failures", Severity.HIGH),
)

ALWAYS: Final = ("*",)  # the test needs no fault
ANY: Final = ("any",)  # a fault of any kind will do


@dataclass(frozen=True, slots=True)
class AuditTest:
    """A test of the template: which kinds of fault it takes, and what each clause rests on."""

    id: str
    title: str
    task: int
    kinds: tuple[str, ...]
    clauses: tuple[tuple[str, tuple[str, ...]], ...]


TESTS: Final = (
    AuditTest(
        "T01",
        "External API call timeout",
        3,
        ("hang", "delay"),
        (
            ("A timeout is configured", ("TIM-01",)),
            ("It is appropriate", ("TIM-02",)),
            ("It is recorded as a timeout", ("TIM-03",)),
            ("The job moves on to retry or failed", ("TIM-04",)),
            ("Resources are released", ("TIM-05",)),
        ),
    ),
    AuditTest(
        "T02",
        "Job-level timeout",
        3,
        ("hang",),
        (
            ("It exists, independent of step timeouts", ("TIM-06",)),
            ("Completed items are kept, the state becomes timeout or failed", ("TIM-07",)),
            ("An alert fires", ("OBS-12",)),
        ),
    ),
    AuditTest(
        "P01",
        "Batch fails at item 7 of 20",
        4,
        ("bad_item",),
        (
            ("Completed items are kept", ("PAR-06",)),
            ("The failed item has a specific error", ("PAR-02",)),
            ("The items after it go on", ("PAR-01",)),
            ("The batch is partial, with visible counts", ("PAR-03",)),
            ("Just the failed item can be retried", ("RET-04",)),
        ),
    ),
    AuditTest(
        "P02",
        "Systemic failure",
        4,
        ("error", "hang", "partition"),
        (
            ("The breaker trips after three to five failures", ("PAR-04",)),
            ("The rest is queued and retried after the outage", ("PAR-05",)),
            ("Completed items are kept", ("PAR-06",)),
            ("The user is told", ("PAR-07",)),
        ),
    ),
    AuditTest(
        "R01",
        "Retry one failed item",
        5,
        ("retry",),
        (
            ("Only that item is sent again", ("RET-04",)),
            ("With the same parameters", ("RET-05",)),
            ("The count is incremented", ("RET-08", "RET-09")),
            ("A limit is enforced", ("RET-02",)),
        ),
    ),
    AuditTest(
        "R02",
        "Retry all failed",
        5,
        ("retry_all",),
        (
            ("As many calls as failed items, completed ones untouched", ("RET-04",)),
            ("Each count is incremented", ("RET-08",)),
        ),
    ),
    AuditTest(
        "R03",
        "Retry idempotency",
        5,
        ("double_retry",),
        (
            ("A second retry is refused while one runs", ("RET-07",)),
            ("One execution, no duplicate call", ("RET-06",)),
        ),
    ),
    AuditTest(
        "RE01",
        "Worker crash in mid-batch",
        6,
        ("kill",),
        (
            ("The crash is recognised", ("RSM-00",)),
            ("Done items are kept, calls equal items", ("RSM-02",)),
            ("Work resumes without a user", ("RSM-01",)),
            ("The system recovers", ("RSM-05",)),
        ),
    ),
    AuditTest(
        "RE02",
        "Server restart in mid-request",
        6,
        ("restart",),
        (
            ("Committed once, or run once", ("RSM-03",)),
            ("No duplicate side effect", ("RET-06",)),
            ("The restart is detectable", ("RSM-04",)),
        ),
    ),
    AuditTest(
        "SL01",
        "A loop does not run for ever",
        7,
        ("endless_source",),
        (
            ("Iterations and duration are bounded", ("LOOP-01",)),
            ("An empty page ends pagination", ("LOOP-02",)),
            ("An alert fires", ("OBS-12",)),
        ),
    ),
    AuditTest(
        "SL02",
        "Per-item error isolation",
        7,
        ("bad_item",),
        (
            ("The loop goes on past the failing item", ("PAR-01",)),
            ("The item is marked", ("PAR-02",)),
            ("Above a threshold it stops early", ("LOOP-03",)),
        ),
    ),
    AuditTest(
        "Q01",
        "Message loss",
        8,
        ("restart", "message_loss"),
        (("Unacknowledged messages survive, none is lost", ("Q-01",)),),
    ),
    AuditTest(
        "Q02",
        "Worker does not acknowledge",
        8,
        ("kill",),
        (
            ("The message is delivered again", ("Q-02",)),
            ("After a visibility timeout shorter than the job's", ("Q-03",)),
            ("Idempotently", ("Q-04",)),
            ("And reaches a dead letter queue in the end", ("Q-05",)),
        ),
    ),
    AuditTest(
        "Q03",
        "Backpressure",
        8,
        ("flood",),
        (
            ("Workers sustain the flood", ("Q-06",)),
            ("Depth is monitored and alerted", ("Q-08",)),
            ("Priority goes first", ("Q-07",)),
        ),
    ),
    AuditTest(
        "S01",
        "State after each failure mode",
        9,
        ANY,
        (
            ("Every failure mode leaves the expected state", ("ST-08",)),
            ("Every failure leaves a signal", ("OBS-11",)),
            ("No work goes on after the end", ("ST-06",)),
        ),
    ),
    AuditTest(
        "S02",
        "No impossible states",
        9,
        ALWAYS,
        (
            ("No job is stuck", ("ST-01",)),
            ("Completed jobs have their output", ("ST-02",)),
            ("No work without a live worker", ("ST-09",)),
            ("No completed batch with failed items", ("ST-03",)),
            ("No success contradicts its steps", ("ST-05",)),
        ),
    ),
    AuditTest(
        "O01",
        "Failure diagnosis time",
        10,
        ANY,
        (
            ("Every failure leaves a signal", ("OBS-11",)),
            ("An alert fires", ("OBS-12",)),
            ("The root cause is found within 15 minutes", ("OBS-13",)),
        ),
    ),
    AuditTest(
        "O02",
        "End-to-end trace completeness",
        10,
        ALWAYS,
        (
            ("Every step is visible", ("OBS-05",)),
            ("The correlation ID links all records", ("OBS-01",)),
            ("External call details are recorded", ("OBS-06",)),
            ("The failure point is unambiguous", ("OBS-10",)),
            ("Every step is timed", ("OBS-08",)),
        ),
    ),
)
