"""Traces of which nobody can say whether they are all there.

What: It is known that every trace was kept: because the configuration declares it, or because every
process counts the spans that it starts, sampled all of them, and all that ended are stored. That
each span says so in its tracestate (`ot=th:0`) is not enough: it speaks of the SDK, and a tail
sampler behind it leaves no mark. The run fails where sampling is proven: by a threshold above zero,
by an SDK's count of spans that it did not sample, by the marks of a tail sampler, or by log records
whose unsampled trace never arrived.

Why: A span that was sampled away looks exactly like one that was never made. Without this knowledge
a pass would only say that what was looked at was fine.

Fix: Chaos runs are short: keep everything (OTEL_TRACES_SAMPLER=parentbased_always_on, no tail
sampling in the collector) and say so: `[evidence] sampling = "none"`, or `audit --sampling none`.

Source: OpenTelemetry specification, trace/tracestate-handling.md and
tracestate-probability-sampling.md; semantic conventions, SDK metrics (otel.sdk.span.started).
"""

from typing import Literal

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.telemetry.numbers import counted, either

_FEW = 3  # so many traces may all hold an error by chance

# Nothing of the threshold is said by the low byte of a span's flags: exporters leave it zero.
_ALL_SAY_SO = r"(?:^|,)\s*ot=(?:[^,]*;)?th:0+(?:[;,]|$)"


def judge(evidence: Evidence) -> Judgement:
    """One unit: the traces of the run."""
    counted = evidence.rows(
        """
        SELECT
            count(DISTINCT node.trace_no) AS traces,
            count(DISTINCT node.trace_no) FILTER (error.span_no IS NOT NULL) AS with_error,
            coalesce(bool_and(regexp_matches(span.trace_state, $says_so)), false) AS says_so
        FROM node
        JOIN stored.span AS span USING (span_no)
        LEFT JOIN span_error AS error USING (span_no)
        """,
        {"says_so": _ALL_SAY_SO},
    )[0]
    traces = counted["traces"]
    errors_only = traces >= _FEW and counted["with_error"] == traces
    declared = evidence.config.sampling == "none"
    findings = (*_sampled(evidence), *_unsampled(evidence), *_unseen(evidence))
    counts = _counts(evidence)
    is_known = declared or counts == "all"
    return Judgement(
        (Unit("the traces of the run", traces, findings),) if traces or findings else (),
        note=_note(
            traces,
            errors_only=errors_only,
            head_alone=counted["says_so"] and not is_known,
            until_counted=counts == "until counted" and not is_known,
        ),
        reason="" if is_known or not traces else "sampled",
    )


def _counts(evidence: Evidence) -> Literal["all", "until counted", ""]:
    """Whether each process that sent spans counted them, and each that ended is here."""
    [row] = evidence.rows("""
        SELECT
            CASE
                WHEN bool_and(coalesce(counted.missing = 0, false)) THEN 'all'
                WHEN bool_and(
                    coalesce(counted.absent = 0 AND coalesce(counted.unsampled, 0) = 0, false)
                )
                THEN 'until counted'
                ELSE ''
            END AS here
        FROM (SELECT DISTINCT service, instance_id FROM span) AS process
        FULL JOIN sdk_instance AS counted
            ON counted.service = process.service
            AND counted.instance_id IS NOT DISTINCT FROM process.instance_id
    """)
    here: Literal["all", "until counted", ""] = row["here"]
    return here


def _unsampled(evidence: Evidence) -> list[Finding]:
    """What a process says itself that it did not sample."""
    rows = evidence.rows("""
        SELECT
            service, sum(unsampled)::BIGINT AS unsampled,
            sum(unsampled + coalesce(started, 0))::BIGINT AS spans
        FROM sdk_instance
        WHERE unsampled > 0
        GROUP BY service
        ORDER BY service
    """)
    return [
        Finding(
            f"{row['service'] or 'A nameless service'} did not sample {row['unsampled']} of"
            f" {counted(row['spans'], 'span')} by its SDK's own count.",
            subject=row["service"],
        )
        for row in rows
    ]


def _note(traces: int, *, errors_only: bool, head_alone: bool, until_counted: bool) -> str:
    if errors_only:
        return (
            f"Each of the {counted(traces, 'trace')} holds an error, as a tail sampler would leave"
            " them."
        )
    if head_alone:
        return "The SDKs kept every trace; whether anything behind them did not is for you to say."
    if until_counted:
        return (
            "All that the SDKs counted in this run is here, and was sampled; what a process did"
            " before its first count or after its last is in none: that nothing samples is for you"
            " to say."
        )
    return ""


def _sampled(evidence: Evidence) -> list[Finding]:
    rows = evidence.rows(
        """
        SELECT
            sampled.evidence,
            count(*) AS traces,
            list(lower(hex(trace.trace_id)) ORDER BY trace.trace_no)[:$shown] AS ids
        FROM sampled_trace AS sampled
        JOIN trace USING (trace_no)
        GROUP BY sampled.evidence
        ORDER BY traces DESC, sampled.evidence
        """,
        {"shown": SHOWN},
    )
    return [
        Finding(
            f"{counted(row['traces'], 'trace')} passed a sampler:"
            f" {row['evidence']}{_kept(row['evidence'])}.",
            subject=row["evidence"],
            evidence=tuple(Reference(trace_id) for trace_id in row["ids"]),
        )
        for row in rows
    ]


def _kept(evidence: str) -> str:
    """The share that is kept: by a threshold of 56 bits without its trailing zeros, or by 2^-p."""
    _, threshold, digits = evidence.partition("ot=th:")
    if threshold and len(digits) <= 14:
        return f" ({1 - int(digits.ljust(14, '0'), 16) / 2**56:.3g} of all traces kept)"
    _, logarithm, digits = evidence.partition("ot=p:")
    if logarithm and len(digits) <= 2:
        return f" ({2.0 ** -int(digits):.3g} of all traces kept)"
    return ""


def _unseen(evidence: Evidence) -> list[Finding]:
    """Log records that say their trace was not sampled, where the service does fill the flag in."""
    rows = evidence.rows(
        """
        WITH said AS (
            SELECT
                record.service, record.trace_id, record.log_no,
                record.flags & 1 = 0 AS unsampled,
                trace.trace_no IS NOT NULL AS seen
            FROM log_record AS record
            LEFT JOIN trace ON lower(hex(trace.trace_id)) = record.trace_id
            WHERE record.trace_id IS NOT NULL
        )
        SELECT
            service,
            count(DISTINCT trace_id) FILTER (unsampled AND NOT seen) AS traces,
            list(log_no ORDER BY log_no) FILTER (unsampled AND NOT seen)[:$shown] AS logs
        FROM said
        GROUP BY service
        HAVING traces > 0 AND count(*) FILTER (unsampled AND seen) = 0
        ORDER BY service
        """,
        {"shown": SHOWN},
    )
    return [
        Finding(
            f"{row['service'] or 'A nameless service'} logged in"
            f" {counted(row['traces'], 'trace')} that"
            f" {either(row['traces'], 'says it was', 'say they were')} not sampled, and sent no"
            " span.",
            subject=row["service"],
            evidence=tuple(Reference(log=log_no) for log_no in row["logs"]),
        )
        for row in rows
    ]


CHECK = Check(
    id="ING-03",
    title="Sampling is known",
    severity=Severity.INFO,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    is_gate=True,
    remedy='Keep every trace during the run, and declare it: [evidence] sampling = "none".',
)
