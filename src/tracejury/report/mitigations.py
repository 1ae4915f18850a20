"""What each risk pattern of the audit leads to, and what prevents it."""

from typing import NamedTuple


class Mitigation(NamedTuple):
    """The symptom that a pattern shows itself by, and the remedy."""

    leads_to: str
    remedy: str


MITIGATIONS = {
    "pattern-1": Mitigation("stuck jobs", "a timeout on each call"),
    "pattern-2": Mitigation("stuck jobs", "a maximum duration for each job type"),
    "pattern-3": Mitigation("lost work", "isolation of each item"),
    "pattern-4": Mitigation("wasted cost", "checkpoints and selective retry"),
    "pattern-5": Mitigation("duplicates", "idempotency keys"),
    "pattern-6": Mitigation("cost explosion", "a maximum of retries and a circuit breaker"),
    "pattern-7": Mitigation("lost progress", "tracking of each item's completion"),
    "pattern-8": Mitigation("lost progress", "durable checkpoints"),
    "pattern-9": Mitigation("runaway process", "a maximum of iterations and of duration"),
    "pattern-10": Mitigation("cascading failure", "error handling for each item"),
    "pattern-11": Mitigation("lost jobs", "a durable queue, monitored"),
    "pattern-12": Mitigation("silent failure", "a dead-letter queue, with alerting"),
    "pattern-13": Mitigation("duplicate processing", "a visibility timeout that suits the job"),
    "pattern-14": Mitigation("manual database fixes", "stuck detection and automatic timeout"),
    "pattern-15": Mitigation("data corruption", "validated transitions and constraints"),
    "pattern-16": Mitigation("slow debugging", "a trace ID that middleware generates"),
    "pattern-17": Mitigation("slow debugging", "specific errors with context"),
    "pattern-18": Mitigation("bottleneck not found", "the duration of each step on record"),
    "pattern-19": Mitigation("blind to provider issues", "request, response, duration on record"),
    "pattern-20": Mitigation("silent incidents", "alerts on error rate and stuck jobs"),
}
NO_MITIGATION = Mitigation("", "")
