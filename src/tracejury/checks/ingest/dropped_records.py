"""Telemetry that the services threw away before it was sent.

What: No SDK reports attributes, events, links or resource attributes that it dropped, none counts
spans that it dropped in its self-metrics, and no log record speaks of a full export queue. A loss
can be found so, and never be excluded.

Why: What was dropped looks exactly like what never happened. Where something was, no check may
conclude anything from the absence of a span.

Fix: Raise OTEL_BSP_MAX_QUEUE_SIZE (2048) and OTEL_BLRP_MAX_QUEUE_SIZE where queues overflow, and
the limits OTEL_SPAN_LINK_COUNT_LIMIT, OTEL_SPAN_EVENT_COUNT_LIMIT and
OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT (128 each) where counts are reported.

Source: OTLP (dropped_attributes_count, dropped_events_count, dropped_links_count); OpenTelemetry
specification, trace/sdk.md (BatchSpanProcessor, span limits); semantic conventions, SDK metrics
(otel.sdk.processor.span.processed).
"""

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence

_SHOWN = 5
_LIMIT = 128  # of links and of events a span, where nobody set another


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its spans and log records."""
    found = [*_counted(evidence), *_dropped_by_sdk(evidence), *_said(evidence)]
    units = tuple(
        Unit(
            row["service"] or "(no service name)",
            row["records"],
            tuple(finding for finding in found if finding.subject == row["service"]),
        )
        for row in evidence.rows("""
            SELECT service, count(*) AS records
            FROM (
                SELECT service FROM span
                UNION ALL SELECT service FROM log_record
                UNION ALL SELECT service FROM sdk_instance
            )
            GROUP BY service
            ORDER BY service
        """)
    )
    return Judgement(units, note=_at_the_limit(evidence), reason="uninstrumented" if units else "")


def _counted(evidence: Evidence) -> list[Finding]:
    rows = evidence.rows(
        """
        WITH counted AS (
            SELECT span_no, 'attributes' AS what, dropped_attributes AS dropped FROM span
            UNION ALL
            SELECT span_no, 'events', dropped_events FROM span
            UNION ALL
            SELECT span_no, 'links', dropped_links FROM span
            UNION ALL
            SELECT span_no, 'event attributes', dropped_attributes FROM span_event
            UNION ALL
            SELECT span_no, 'link attributes', dropped_attributes FROM span_link
            UNION ALL
            SELECT min(span.span_no), 'resource attributes', any_value(resource.dropped_attributes)
            FROM stored.resource AS resource
            JOIN stored.span AS span USING (resource_id)
            GROUP BY resource.resource_id
            UNION ALL
            SELECT min(span.span_no), 'scope attributes', any_value(scope.dropped_attributes)
            FROM stored.scope AS scope
            JOIN stored.span AS span USING (scope_id)
            GROUP BY scope.scope_id
        )
        SELECT
            span.service, counted.what,
            sum(counted.dropped)::BIGINT AS dropped,
            count(DISTINCT span.span_no) AS spans,
            list(DISTINCT {'trace_id': span.trace_id, 'span_id': span.span_id})[:$shown] AS evidence
        FROM counted
        JOIN span USING (span_no)
        WHERE counted.dropped > 0
        GROUP BY span.service, counted.what
        ORDER BY span.service, counted.what
        """,
        {"shown": _SHOWN},
    )
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} dropped {row['dropped']}"
            f" {row['what']} on {row['spans']} span{'s' * (row['spans'] != 1)}.",
            subject=row["service"],
            evidence=tuple(Reference(**entry) for entry in row["evidence"]),
        )
        for row in rows
    ]


def _dropped_by_sdk(evidence: Evidence) -> list[Finding]:
    """What a span processor says itself that it did not pass on."""
    rows = evidence.rows("""
        SELECT service, reason, sum(spans)::BIGINT AS spans
        FROM sdk_span_count
        WHERE metric = 'otel.sdk.processor.span.processed' AND reason != '' AND spans > 0
        GROUP BY service, reason
        ORDER BY service, reason
    """)
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} dropped {row['spans']}"
            f" span{'s' * (row['spans'] != 1)} by its SDK's own count: {row['reason']}.",
            subject=row["service"],
        )
        for row in rows
    ]


def _said(evidence: Evidence) -> list[Finding]:
    """Log records about dropped telemetry, by their words or by their own count."""
    rows = evidence.rows(
        """
        SELECT
            record.service,
            left(record.body, 120) AS body,
            count(*) AS records,
            sum(log.dropped_attributes)::BIGINT AS dropped,
            list(record.log_no ORDER BY record.log_no)[:$shown] AS logs
        FROM log_record AS record
        JOIN stored.log_record AS log USING (log_no)
        WHERE log.dropped_attributes > 0
            OR regexp_matches(record.body, 'dropping (span|log)', 'i')
            -- A full queue of the application's own is none of ours.
            OR (
                regexp_matches(record.body, 'queue (is )?full', 'i')
                AND regexp_matches(
                    record.scope_name || ' ' || record.body,
                    'opentelemetry|otel|\\b(spans?|logs?|log ?records?|telemetry|sending_queue)\\b',
                    'i'
                )
            )
        GROUP BY record.service, left(record.body, 120)
        ORDER BY record.service, records DESC, body
        """,
        {"shown": _SHOWN},
    )
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} "
            + (
                f"dropped {row['dropped']} attributes of the log record `{row['body']}`."
                if row["dropped"]
                else f"logged {row['records']} times that telemetry was dropped: `{row['body']}`."
            ),
            subject=row["service"],
            evidence=tuple(Reference(log=log_no) for log_no in row["logs"]),
        )
        for row in rows
    ]


def _at_the_limit(evidence: Evidence) -> str:
    spans = evidence.rows(
        """
        SELECT count(DISTINCT span_no) AS spans
        FROM (
            SELECT span_no FROM span_link GROUP BY span_no HAVING count(*) = $limit
            UNION ALL
            SELECT span_no FROM span_event GROUP BY span_no HAVING count(*) = $limit
        )
        """,
        {"limit": _LIMIT},
    )[0]["spans"]
    if not spans:
        return ""
    return f"At the limit of {_LIMIT} links or events, beyond which some SDKs are silent: {spans}."


CHECK = Check(
    id="ING-02",
    title="Nothing was dropped",
    severity=Severity.INFO,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    is_gate=True,
    remedy="Raise the SDK's queue size and span limits until nothing is dropped.",
)
