"""The verdict, the four headline scores and the trust line, each in as many lines as they need."""

from collections.abc import Iterator

from textual.content import Content

from tracejury.checks.check import Severity
from tracejury.scorecard.result import Audit, Trust
from tracejury.telemetry.numbers import counted, percent, points, short
from tracejury.tui.content import fitted, line
from tracejury.tui.words import VERDICTS

NAME_WIDTH, VALUE_WIDTH = 15, 13
CAUSES_SHOWN = 3
UNKNOWN = "not observed"


def verdict_lines(audit: Audit, width: int) -> Iterator[Content]:
    """Say the verdict, the score, its interval and coverage; draw how the weight divides."""
    verdict = VERDICTS[audit.verdict]
    said: list[str | tuple[str, str]] = [(f"{verdict.mark} {verdict.text}", verdict.style)]
    if audit.score is not None:
        said.append((f"   score {points(audit.score)} of 100", "bold"))
    if audit.interval:
        low, high = audit.interval
        said.append(f"   interval {points(low)} to {points(high)}")
    if audit.coverage is not None:
        said.append(f"   coverage {percent(audit.coverage)}")
    yield line(*said)
    if audit.interval and audit.failed_share is not None:
        yield _weight_bar(audit.interval[0] / 100, audit.failed_share, width)
    yield line((_sentence(audit), "$text-muted"))


def _weight_bar(passed: float, failed: float, width: int) -> Content:
    """Every part has its own pattern, so that no colour is needed."""
    first, second = round(passed * width), round(failed * width)
    return line(
        ("█" * first, "$success"),
        ("▓" * second, "$error"),
        ("░" * max(width - first - second, 0), "$warning"),
    )


def _sentence(audit: Audit) -> str:
    if audit.verdict == "CANNOT_JUDGE":
        return "There is no telemetry to judge: nothing passed and nothing failed."
    parts = []
    for tier in (Severity.CRITICAL, Severity.HIGH):
        outcomes = [found.outcome for found in audit.criteria if found.tier == tier]
        failed, passed = outcomes.count("fail"), outcomes.count("pass")
        undecided = len(outcomes) - failed - passed - outcomes.count("not-applicable")
        parts.append(f"{tier.name} ✓{passed} ✗{failed} ?{undecided}")
    return "█ passed  ▓ failed  ░ open      " + "   ".join(parts)


def headlines(audit: Audit) -> Iterator[Content]:
    """Give the four scores in their fixed order."""
    for name, (value, remark) in (
        ("Completeness", _completeness(audit)),
        ("Timing", _timing(audit)),
        ("External calls", _external_calls(audit)),
        ("Diagnosis", _diagnosis(audit)),
    ):
        yield line(
            fitted(name, NAME_WIDTH), (fitted(value, VALUE_WIDTH), "bold"), (remark, "$text-muted")
        )
        if name == "Completeness" and (gap := _gap(audit)):
            yield line(" " * (NAME_WIDTH + VALUE_WIDTH), (gap, "$text-warning"))


def _gap(audit: Audit) -> str:
    """What is missing where SDKs counted, by service and cause, that of most spans first."""
    services = audit.completeness.by_service.items() if audit.completeness else ()
    causes = [
        (-spans, name, cause)
        for name, share in services
        for cause, spans in share.gap.items()
        if share.processes
    ]
    said = [f"{name} {short(-spans)} {cause}" for spans, name, cause in sorted(causes)]
    return ", ".join(said[:CAUSES_SHOWN]) + ("…" if len(said) > CAUSES_SHOWN else "")


def _completeness(audit: Audit) -> tuple[str, str]:
    completeness = audit.completeness
    if completeness is None or completeness.total.ratio is None:
        return UNKNOWN, "no span was received"
    total, bound = completeness.total, "≤ " if completeness.is_upper_bound else ""
    remark = (
        f"{counted(total.received, 'span')} received, {short(total.known_missing)} known missing"
    )
    if completeness.basis == "counted":
        remark += ", counted"
    elif audit.trust.sampled == "sampled":
        remark += ", of sampled traces"
    return f"{bound}{percent(total.ratio)}", remark


def _timing(audit: Audit) -> tuple[str, str]:
    timing = audit.timing
    if timing is None or timing.explained is None:
        is_timed = timing is not None and any(step.p50_ms is not None for step in timing.steps)
        return UNKNOWN, "no span took any time" if is_timed else "no span with usable times"
    remark = f"of critical-path time explained, {counted(timing.gaps, 'gap')}"
    if timing.queued:
        remark += f", {percent(timing.queued)} in queues"
    return percent(timing.explained), remark


def _external_calls(audit: Audit) -> tuple[str, str]:
    calls = audit.external_calls
    if calls is None or calls.share is None:
        return UNKNOWN, "no external call was recorded"
    return percent(
        calls.share
    ), f"{calls.complete:,} of {counted(calls.calls, 'call')} fully recorded"


def _diagnosis(audit: Audit) -> tuple[str, str]:
    diagnosis = audit.diagnosis
    if diagnosis is None or diagnosis.minutes is None:
        return UNKNOWN, "no failed workflow instance to diagnose"
    remark = f"to the cause of {counted(diagnosis.failed_instances, 'failure')}"
    if diagnosis.candidates is not None:
        remark += f", {counted(diagnosis.candidates, 'candidate')}"
    return f"≥ {short(diagnosis.minutes)} min", remark


def trust_line(trust: Trust) -> Content:
    """Say what came, and what is known to have been lost."""
    sampled = {"none": "not sampled", "unknown": "sampling unknown"}.get(trust.sampled, "sampled")
    lost = f"{trust.lost:,} LOST · " if trust.lost else ""
    counts = {
        "started": trust.started_by_sdk,
        "redacted": trust.redacted,
        "pruned": trust.pruned,
    }
    return line(
        ("Trust ", "bold"),
        (lost, "bold $text-error"),
        f"{counted(trust.spans, 'span')} · {counted(trust.logs, 'log')} · "
        f"{counted(trust.duplicates, 'duplicate')} · {trust.rejected:,} rejected · "
        f"{trust.dropped:,} dropped · "
        f"{sampled} · {trust.unsettled:,} unsettled · {trust.background:,} background"
        + "".join(f" · {count:,} {what}" for what, count in counts.items() if count),
    )
