"""The verdict in a sentence, and the four scores beside it, each with what it was counted from."""

from typing import NamedTuple

from tracejury.checks.check import Severity
from tracejury.report.answered import answers_of
from tracejury.report.numbers import duration
from tracejury.report.stopwatch_rows import measured_sentence
from tracejury.report.tally import outcomes_counted
from tracejury.scorecard.result import Audit, Completeness, Diagnosis, ExternalCalls, Timing, Trust
from tracejury.telemetry.numbers import counted, percent, short

UNKNOWN = "not observed"

# The gate that says whether telemetry may still arrive.
_WINDOW = "ING-04"


class Headline(NamedTuple):
    """A score, its value, and what it was counted from."""

    name: str
    value: str
    remark: str


def headlines(audit: Audit) -> tuple[Headline, ...]:
    """Give the four headline scores in their fixed order."""
    return (
        _completeness(audit.completeness, audit.trust),
        _timing(audit.timing),
        _external_calls(audit.external_calls),
        _diagnosis(audit.diagnosis),
    )


def verdict_sentence(audit: Audit) -> str:
    """Say what the verdict rests on."""
    if audit.verdict == "CANNOT_JUDGE":
        return "There is no telemetry to judge: nothing passed and nothing failed."
    said = [
        f"{tier.name}: {outcomes_counted(audit.criteria, tier)}."
        for tier in (Severity.CRITICAL, Severity.HIGH)
    ]
    if audit.verdict == "PASS":
        said = ["Every CRITICAL and every HIGH criterion passes."]
    if answers := answers_of(audit):
        said.append(f"{counted(len(answers), 'answer')} of persons decided what telemetry did not.")
    if any(check.id == _WINDOW and check.reason == "unsettled" for check in audit.checks):
        said.append("Spans may still arrive: nothing passes before the run has settled.")
    return " ".join(said)


def trust_parts(trust: Trust) -> tuple[str, ...]:
    """Give the trust line: what came, and what is known to have been lost."""
    return (
        counted(trust.spans, "span"),
        counted(trust.logs, "log record"),
        counted(trust.metric_points, "metric point"),
        counted(trust.duplicates, "duplicate"),
        f"{trust.rejected:,} rejected",
        f"{trust.dropped:,} dropped",
        {"none": "not sampled", "unknown": "sampling unknown"}.get(trust.sampled, trust.sampled),
        counted(trust.unsettled, "unsettled trace"),
        counted(trust.background, "background span"),
        *_interventions(trust),
    )


def _completeness(completeness: Completeness | None, trust: Trust) -> Headline:
    name = "Completeness"
    if completeness is None or completeness.total.ratio is None:
        return Headline(name, UNKNOWN, "no span was received")
    total = completeness.total
    remark = (
        f"{counted(total.received, 'span')} received, {short(total.known_missing)} known missing"
    )
    bound = "≤ " if completeness.is_upper_bound else ""
    basis = "; ".join(
        (
            _basis(completeness),
            *_renamed(completeness),
            *_kept(completeness, trust),
        )
    )
    return Headline(
        name,
        f"{bound}{percent(total.ratio)}",
        f"{remark} ({basis})",
    )


def _renamed(completeness: Completeness) -> tuple[str, ...]:
    names = completeness.renamed
    if len(names) > 1:
        return (f"{counted(len(names), 'service')} have other names in the baseline",)
    return tuple(f"{was} of the baseline is {now} here" for was, now in names.items())


def _kept(completeness: Completeness, trust: Trust) -> tuple[str, ...]:
    """Say that whole traces are beyond the estimate, where it is known that some were left out."""
    is_beyond = trust.sampled == "sampled" and completeness.basis != "counted"
    return ("of the traces that a sampler kept",) if is_beyond else ()


def _basis(completeness: Completeness) -> str:
    """Say what the ratio rests on."""
    said = {
        "counted": "counted by the SDKs",
        "estimated": "estimated",
        "upper-bound": "an upper bound: the baseline is this very run"
        if completeness.is_own_baseline
        else "an upper bound: no baseline says what else there was",
    }[completeness.basis]
    services = completeness.by_service.values()
    some = sum(share.basis == "counted" for share in services)
    if completeness.basis == "counted" or not any(share.processes for share in services):
        return said
    return f"{said}; {some} of {counted(len(services), 'service')} counted by the SDKs"


def _timing(timing: Timing | None) -> Headline:
    name = "Timing"
    if timing is None or timing.explained is None:
        is_timed = timing is not None and any(step.p50_ms is not None for step in timing.steps)
        why = "no span took any time" if is_timed else "no span with usable times"
        return Headline(name, UNKNOWN, why)
    remark = f"of critical-path time accounted for, {counted(timing.gaps, 'unexplained gap')}"
    if timing.queued:
        remark += f"; {percent(timing.queued)} waited in a queue"
    slow = max(timing.steps, key=lambda step: step.critical_share or 0, default=None)
    if slow and slow.critical_share:
        where = f"{percent(slow.critical_share)} of it in {slow.service} {slow.name}"
        remark += f"; {where} (p95 {duration(slow.p95_ms)})"
    return Headline(name, percent(timing.explained), remark)


def _external_calls(calls: ExternalCalls | None) -> Headline:
    name = "External calls"
    if calls is None or calls.share is None:
        return Headline(name, UNKNOWN, "no external call was recorded")
    remark = f"{calls.complete:,} of {calls.calls:,} with request, response and duration recorded"
    if calls.unrecorded:
        remark += f"; {calls.unrecorded:,} more inferred, not recorded"
    return Headline(name, percent(calls.share), remark)


def _diagnosis(diagnosis: Diagnosis | None) -> Headline:
    name = "Diagnosis difficulty"
    measured = measured_sentence(diagnosis.measured) if diagnosis else ""
    if diagnosis is None or diagnosis.minutes is None:
        parts = ["no failed workflow instance to diagnose", measured]
        return Headline(name, UNKNOWN, "; ".join(filter(None, parts)))
    parts = [f"to the root cause, {counted(diagnosis.failed_instances, 'failed instance')}"]
    if diagnosis.candidates is not None:
        parts.append(f"{counted(diagnosis.candidates, 'candidate')} for the failure point")
    if diagnosis.savings:
        fix = max(diagnosis.savings, key=lambda name: diagnosis.savings[name])
        parts.append(f"{fix} would save {short(diagnosis.savings[fix])} min")
    if measured:
        parts.append(measured)
    return Headline(name, f"≥ {short(diagnosis.minutes)} min", "; ".join(parts))


def _interventions(trust: Trust) -> tuple[str, ...]:
    """What happened to some stores only: named where it did."""
    parts = []
    if trust.started_by_sdk is not None:
        parts.append(f"{counted(trust.started_by_sdk, 'span')} started by the SDKs' own count")
    if trust.redacted:
        parts.append(f"{counted(trust.redacted, 'value')} redacted")
    if trust.pruned_until is not None:
        parts.append(
            f"pruned: {counted(trust.pruned, 'workflow instance')}, "
            f"{counted(trust.pruned_spans, 'span')}, until {trust.pruned_until}"
        )
    if trust.lost:
        parts.append(f"{counted(trust.lost, 'acknowledged record')} LOST from a damaged store")
    return tuple(parts)
