"""The whole catalogue: every rule of the audit, built or not, and the checks that are built."""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Final

from tracejury import checks
from tracejury.checks.check import Check, Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule of the catalogue. What is not built counts as not observed, so it must be known.

    `task` is the audit's task, 1 to 10; `serves` names tests, patterns and criteria.
    """

    id: str
    title: str
    severity: Severity
    task: int
    serves: tuple[str, ...]


CATALOGUE: Final = (
    Entry("ING-01", "Records are valid", Severity.INFO, 10, ("TEST-RR-O02",)),
    Entry("ING-02", "Nothing was dropped", Severity.INFO, 10, ("TEST-RR-O02",)),
    Entry("ING-03", "Sampling is known", Severity.INFO, 10, ("TEST-RR-O02",)),
    Entry("ING-04", "The window is closed", Severity.INFO, 10, ()),
    Entry("ING-05", "Clocks are sane", Severity.INFO, 10, ("pattern-18",)),
    Entry("INV-01", "The workflow inventory is complete", Severity.INFO, 1, ()),
    Entry("INV-02", "External dependencies are identified at every step", Severity.HIGH, 2, ()),
    Entry("INV-03", "High-risk steps are flagged", Severity.INFO, 2, ()),
    Entry("INV-04", "Workflows run as declared", Severity.INFO, 1, ()),
    Entry(
        "TIM-01",
        "Every external call has a timeout",
        Severity.CRITICAL,
        3,
        ("pattern-1", "TEST-RR-T01", "CRITICAL-1"),
    ),
    Entry("TIM-02", "Timeouts suit what they guard", Severity.HIGH, 3, ("TEST-RR-T01",)),
    Entry("TIM-03", "A timeout is recorded as a timeout", Severity.HIGH, 3, ("TEST-RR-T01",)),
    Entry(
        "TIM-04", "After a timeout the job retries or fails", Severity.CRITICAL, 3, ("TEST-RR-T01",)
    ),
    Entry("TIM-05", "Resources are released after a timeout", Severity.MEDIUM, 3, ("TEST-RR-T01",)),
    Entry(
        "TIM-06",
        "Every job has a maximum duration",
        Severity.CRITICAL,
        3,
        ("pattern-2", "TEST-RR-T02", "CRITICAL-2"),
    ),
    Entry(
        "TIM-07",
        "A job that times out keeps its completed items",
        Severity.HIGH,
        3,
        ("TEST-RR-T02",),
    ),
    Entry(
        "PAR-01",
        "One item's error does not stop the others",
        Severity.CRITICAL,
        4,
        ("pattern-3", "pattern-10", "TEST-RR-P01", "TEST-RR-SL02", "CRITICAL-3"),
    ),
    Entry("PAR-02", "A failed item carries its specific error", Severity.HIGH, 4, ("TEST-RR-P01",)),
    Entry(
        "PAR-03",
        "A batch with failures is partial and says how many",
        Severity.MEDIUM,
        4,
        ("TEST-RR-P01", "MEDIUM-1"),
    ),
    Entry(
        "PAR-04",
        "A circuit breaker trips after at most five failures",
        Severity.HIGH,
        4,
        ("TEST-RR-P02", "HIGH-2"),
    ),
    Entry("PAR-05", "Skipped items are queued and retried", Severity.HIGH, 4, ("TEST-RR-P02",)),
    Entry(
        "PAR-06", "Completed items stay completed", Severity.HIGH, 4, ("TEST-RR-P01", "TEST-RR-P02")
    ),
    Entry("PAR-07", "The user is told of the pause", Severity.MEDIUM, 4, ("TEST-RR-P02",)),
    Entry(
        "LOOP-01",
        "Loops are bounded in iterations and duration",
        Severity.HIGH,
        7,
        ("pattern-9", "TEST-RR-SL01", "HIGH-3"),
    ),
    Entry("LOOP-02", "Pagination ends on an empty page", Severity.MEDIUM, 7, ("TEST-RR-SL01",)),
    Entry("LOOP-03", "An error threshold stops the loop", Severity.MEDIUM, 7, ("TEST-RR-SL02",)),
    Entry("RET-01", "Transient failures are retried", Severity.MEDIUM, 5, ()),
    Entry(
        "RET-02",
        "Retries are bounded",
        Severity.CRITICAL,
        5,
        ("pattern-6", "TEST-RR-R01", "CRITICAL-4"),
    ),
    Entry("RET-03", "Attempts back off", Severity.MEDIUM, 5, ()),
    Entry(
        "RET-04",
        "Only failed items are retried",
        Severity.CRITICAL,
        5,
        ("pattern-4", "TEST-RR-R01", "TEST-RR-R02"),
    ),
    Entry("RET-05", "A retry has the same parameters", Severity.MEDIUM, 5, ("TEST-RR-R01",)),
    Entry(
        "RET-06",
        "A retry repeats no side effect",
        Severity.CRITICAL,
        5,
        ("pattern-5", "TEST-RR-R03", "CRITICAL-4", "TEST-RR-RE02"),
    ),
    Entry("RET-07", "A second retry is refused while one runs", Severity.HIGH, 5, ("TEST-RR-R03",)),
    Entry(
        "RET-08",
        "The attempt number is recorded",
        Severity.MEDIUM,
        5,
        ("TEST-RR-R01", "TEST-RR-R02"),
    ),
    Entry("RET-09", "The outcome of a retry is recorded", Severity.MEDIUM, 5, ("TEST-RR-R01",)),
    Entry("RSM-00", "Crashes are recognised", Severity.INFO, 6, ("TEST-RR-RE01",)),
    Entry(
        "RSM-01",
        "Work resumes after a crash without a user",
        Severity.HIGH,
        6,
        ("pattern-8", "TEST-RR-RE01", "HIGH-1"),
    ),
    Entry(
        "RSM-02",
        "Completed items are not processed again",
        Severity.HIGH,
        6,
        ("pattern-7", "TEST-RR-RE01"),
    ),
    Entry("RSM-03", "A server restart in mid-request is safe", Severity.HIGH, 6, ("TEST-RR-RE02",)),
    Entry(
        "RSM-04",
        "The health endpoint tests real dependencies",
        Severity.MEDIUM,
        6,
        ("TEST-RR-RE02", "MEDIUM-3"),
    ),
    Entry(
        "RSM-05", "The system recovers without intervention", Severity.HIGH, 6, ("TEST-RR-RE01",)
    ),
    Entry(
        "Q-01",
        "No message is lost",
        Severity.CRITICAL,
        8,
        ("pattern-11", "TEST-RR-Q01", "CRITICAL-5"),
    ),
    Entry(
        "Q-02", "An unacknowledged message is delivered again", Severity.HIGH, 8, ("TEST-RR-Q02",)
    ),
    Entry(
        "Q-03",
        "The visibility timeout fits the work",
        Severity.HIGH,
        8,
        ("pattern-13", "TEST-RR-Q02"),
    ),
    Entry("Q-04", "A redelivered job is idempotent", Severity.HIGH, 8, ("TEST-RR-Q02",)),
    Entry(
        "Q-05",
        "Poison messages reach a dead letter queue",
        Severity.HIGH,
        8,
        ("pattern-12", "TEST-RR-Q02", "HIGH-4"),
    ),
    Entry("Q-06", "Workers sustain a flood", Severity.MEDIUM, 8, ("TEST-RR-Q03",)),
    Entry(
        "Q-07", "Priority work goes before bulk", Severity.MEDIUM, 8, ("TEST-RR-Q03", "MEDIUM-2")
    ),
    Entry("Q-08", "Queue depth is monitored and alerted", Severity.MEDIUM, 8, ("TEST-RR-Q03",)),
    Entry(
        "Q-09",
        "Trace context survives the queue",
        Severity.CRITICAL,
        8,
        ("TEST-RR-O02", "CRITICAL-7"),
    ),
    Entry(
        "ST-01",
        "Stuck jobs are detected and resolved",
        Severity.CRITICAL,
        9,
        ("pattern-14", "CRITICAL-6", "TEST-RR-S02"),
    ),
    Entry("ST-02", "A completed job has its output", Severity.HIGH, 9, ("TEST-RR-S02",)),
    Entry("ST-03", "No completed batch has failed items", Severity.HIGH, 9, ("TEST-RR-S02",)),
    Entry("ST-04", "Jobs make legal transitions only", Severity.HIGH, 9, ("pattern-15", "HIGH-5")),
    Entry("ST-05", "No success contradicts its steps", Severity.HIGH, 9, ("TEST-RR-S02",)),
    Entry(
        "ST-06", "No work goes on after the end", Severity.MEDIUM, 9, ("TEST-RR-S01", "TEST-RR-T01")
    ),
    Entry("ST-07", "Status and attributes agree", Severity.MEDIUM, 9, ("pattern-17",)),
    Entry("ST-08", "Every failure mode leaves the right state", Severity.HIGH, 9, ("TEST-RR-S01",)),
    Entry("ST-09", "No work is open without a live worker", Severity.HIGH, 9, ("TEST-RR-S02",)),
    Entry(
        "OBS-01",
        "One correlation ID joins everything",
        Severity.CRITICAL,
        10,
        ("pattern-16", "TEST-RR-O02", "CRITICAL-7"),
    ),
    Entry("OBS-02", "Log records carry their span", Severity.HIGH, 10, ("pattern-16",)),
    Entry("OBS-03", "Every span finds its parent", Severity.HIGH, 10, ("TEST-RR-O02",)),
    Entry("OBS-04", "Every internal call has its server half", Severity.HIGH, 10, ("TEST-RR-O02",)),
    Entry("OBS-05", "Every step is visible", Severity.HIGH, 10, ("TEST-RR-O02",)),
    Entry(
        "OBS-06",
        "Every external call records request and response",
        Severity.HIGH,
        10,
        ("pattern-19", "TEST-RR-O02"),
    ),
    Entry("OBS-07", "No external call goes unrecorded", Severity.HIGH, 10, ("pattern-19",)),
    Entry(
        "OBS-08", "Every step is timed", Severity.HIGH, 10, ("pattern-18", "TEST-RR-O02", "HIGH-6")
    ),
    Entry("OBS-09", "Error messages are specific", Severity.MEDIUM, 10, ("pattern-17", "MEDIUM-5")),
    Entry("OBS-10", "The failure point is unambiguous", Severity.HIGH, 10, ("TEST-RR-O02",)),
    Entry(
        "OBS-11", "Every failure leaves a signal", Severity.HIGH, 10, ("TEST-RR-O01", "TEST-RR-S01")
    ),
    Entry(
        "OBS-12",
        "Critical failures raise an alert",
        Severity.HIGH,
        10,
        ("pattern-20", "TEST-RR-O01", "HIGH-7"),
    ),
    Entry(
        "OBS-13", "A failure is diagnosed within 15 minutes", Severity.HIGH, 10, ("TEST-RR-O01",)
    ),
    Entry("OBS-14", "Every process says who it is", Severity.INFO, 10, ()),
    Entry("OBS-15", "Every log record has a severity", Severity.INFO, 10, ()),
    Entry("OBS-16", "Attributes follow the conventions", Severity.INFO, 10, ()),
    Entry("OBS-17", "Every alert has a runbook", Severity.MEDIUM, 10, ("MEDIUM-4",)),
)


@cache
def check_modules() -> dict[str, str]:
    """The module of every built check by the check's id: each module-level CHECK below checks/."""
    found = {}
    for module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
        check = getattr(importlib.import_module(module.name), "CHECK", None)
        if isinstance(check, Check):
            found[check.id] = module.name
    return found


@cache
def all_checks() -> tuple[Check, ...]:
    """Every built check, in the catalogue's order."""
    built = check_modules()
    return tuple(
        importlib.import_module(built[entry.id]).CHECK for entry in CATALOGUE if entry.id in built
    )
