"""What would make a check decidable that nothing decided: one line each."""

from typing import Final

from tracejury.scorecard.foresight.needs import Need
from tracejury.scorecard.foresight.prospects import PROSPECTS, Prospect
from tracejury.scorecard.result import CheckResult

_NAMED: Final = 3

# What a check lacks that no fault puts to the test, or of which nothing sends telemetry.
_BY_NEED: Final = {
    Need.ALERTS: "Send alerts to POST /api/alerts of the receiver, and inject the fault again.",
    Need.SELF_METRICS: "Let every SDK count its spans: send its self-metrics, too.",
    Need.QUEUE_DEPTH: "Send a metric of the queue's depth.",
    Need.LOGS: "Send logs over OTLP, with the ids of their spans.",
    Need.HOSTS: "Say on which machine each service runs: host.id or host.name in its resource.",
    Need.PAGES: "Record the query of calls that ask for pages, and how much came back.",
    Need.LONG_RUNS: "Run a workflow that takes a second or more.",
    Need.JOB_STATE: "Put the state of jobs and items on spans or log records.",
    Need.SERVER_HALF: "Instrument both sides of a call, and let it carry its context.",
    Need.QUEUE: "Send spans of who puts messages into the queue and of who takes them.",
}
_BY_REASON: Final = {
    "sampled": "Keep every trace, and say so: --sampling none.",
    "dropped": "Keep what was lost: a larger OTEL_BSP_MAX_QUEUE_SIZE, a collector that drops"
    " nothing; then run it again. For what a killed process took along: a run without the kill.",
    "unsettled": "Keep the load up for longer after a fault, or say in [policy] how long your"
    " system takes; where spans may still arrive, audit again.",
    "uninstrumented": "Instrument what it judges, and run it again",
    "no-item-identity": "Put item.id on the spans and log records of each item.",
    "no-correlation": "Put one ID, such as job.id, on every span and log record of a job.",
    "needs-declaration": "Declare the workflow in tracejury.toml, or the fault in a fault file.",
    "needs-baseline": "Name a clean run: --baseline clean.duckdb.",
    "export-lag": "Export sooner: OTEL_BSP_SCHEDULE_DELAY=200. What was in work in a killed process"
    " is lost even so: a run without the kill tells.",
    "estimated": "Measure it: a person with a clock, and alerts at POST /api/alerts.",
    "manual": "Have a person answer.",
    "error": "Report the error that its note names.",
}


def would_decide(check: CheckResult) -> str:
    """The one line that would change it; '' for a check that is decided."""
    if check.outcome in ("pass", "fail", "not-applicable"):
        return ""
    prospect = PROSPECTS.get(check.id, Prospect())
    if prospect.person:
        return prospect.person
    reason = check.reason if check.outcome == "not-observed" else check.outcome
    is_lacking = reason == "uninstrumented" or (reason == "no-exposure" and not prospect.faults)
    lacking = [_BY_NEED[need] for need in prospect.needs if need in _BY_NEED]
    if is_lacking and lacking:
        return lacking[0]
    if reason in ("no-exposure", "units"):
        return _exposure(check, prospect)
    line = _BY_REASON.get(reason, "See what tracejury explain says of it.")
    return line if line.endswith(".") else f"{line}{_untested(check)}."


def _exposure(check: CheckResult, prospect: Prospect) -> str:
    kinds = tuple(dict.fromkeys(stress.kind for stress in prospect.faults))
    said = f"Inject {' or '.join(kinds)}" if kinds else "Record a run in which it can fail"
    besides = f"; it takes {prospect.besides}" if prospect.besides else ""
    return f"{said}{_untested(check)}{besides}."


def _untested(check: CheckResult) -> str:
    if not check.untested:
        return ""
    more = len(check.untested) - _NAMED
    named = ", ".join(check.untested[:_NAMED])
    return f", for {named}" + (f" and {more:,} more" if more > 0 else "")
