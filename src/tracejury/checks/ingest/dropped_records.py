"""Telemetry that the services threw away before it was sent.

What: No SDK reports attributes, events, links or resource attributes that it dropped, none counts
spans that it dropped in its self-metrics, no log record speaks of a full export queue or belongs to
a sampled trace that never arrived, every record of the files could be read, and the store lacks
nothing that it had acknowledged. So a loss is found; it is excluded only where every process counts
the spans that it starts, and exactly those that ended are stored.

Why: What was dropped looks exactly like what never happened. Where something was, no check may
conclude anything from the absence of a span.

Fix: Let the SDKs count (OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true, and
OTEL_METRIC_EXPORT_INTERVAL=5000). Raise OTEL_BSP_MAX_QUEUE_SIZE (2048) and OTEL_BLRP_MAX_QUEUE_SIZE
where queues overflow, and the limits OTEL_SPAN_LINK_COUNT_LIMIT, OTEL_SPAN_EVENT_COUNT_LIMIT and
OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT (128 each) where counts are reported.

Source: OTLP (dropped_attributes_count, dropped_events_count, dropped_links_count); OpenTelemetry
specification, trace/sdk.md (BatchSpanProcessor, span limits); semantic conventions, SDK metrics
(otel.sdk.span.started, otel.sdk.span.live, otel.sdk.processor.span.processed).
"""

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Reference,
    Severity,
    Unit,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.telemetry.numbers import counted

_STORE = "the store itself"
_LIMIT = 128  # of links and of events a span, where nobody set another


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its spans and log records."""
    found = [*_counted(evidence), *_dropped_by_sdk(evidence), *_said(evidence)]
    found += [*_never_arrived(evidence), *_named_by_logs(evidence), *_lost_here(evidence)]
    senders = evidence.rows("""
        WITH process AS (
            SELECT service, instance_id, count(*) AS records, true AS has_spans
            FROM span
            GROUP BY service, instance_id
            UNION ALL
            SELECT service, NULL, count(*), false FROM log_record GROUP BY service
            UNION ALL
            SELECT service, instance_id, 1, coalesce(started, 0) > 0 FROM sdk_instance
        )
        SELECT
            process.service,
            sum(process.records)::BIGINT AS records,
            bool_and(NOT process.has_spans OR counted.missing IS NOT NULL) AS is_counted
        FROM process
        LEFT JOIN sdk_instance AS counted
            ON counted.service = process.service
            AND counted.instance_id IS NOT DISTINCT FROM process.instance_id
        GROUP BY process.service
        ORDER BY process.service
    """)
    units = [_unit(row["service"], row["records"], found) for row in senders]
    if any(finding.subject == _STORE for finding in found):
        units.append(_unit(_STORE, 1, found))
    is_counted = all(row["is_counted"] for row in senders) and _has_spans(evidence)
    return Judgement(
        tuple(units),
        note=_at_the_limit(evidence),
        reason="" if is_counted or not units else "uninstrumented",
    )


def _unit(service: str, records: int, found: list[Finding]) -> Unit:
    own = tuple(finding for finding in found if finding.subject == service)
    return Unit(service or "(no service name)", records, own)


def _has_spans(evidence: Evidence) -> bool:
    return bool(evidence.rows("SELECT count(*) > 0 AS some FROM span")[0]["some"])


def _never_arrived(evidence: Evidence) -> list[Finding]:
    """Spans that a process started and ended by its own count, and that are not here."""
    rows = evidence.rows("""
        SELECT service, sum(absent)::BIGINT AS missing, sum(started - live)::BIGINT AS ended
        FROM sdk_instance
        WHERE absent > 0
        GROUP BY service
        ORDER BY service
    """)
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} ended"
            f" {counted(row['ended'], 'span')} by its SDK's own count, of which {row['missing']}"
            " never arrived.",
            subject=row["service"],
        )
        for row in rows
    ]


def _named_by_logs(evidence: Evidence) -> list[Finding]:
    """Whole traces that log records say were sampled, and of which no span came."""
    rows = evidence.rows(
        """
        SELECT
            service,
            count(DISTINCT trace_id) AS traces,
            count(*) AS records,
            list(log_no ORDER BY log_no)[:$shown] AS logs
        FROM unseen_span
        GROUP BY service
        ORDER BY service
        """,
        {"shown": SHOWN},
    )
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} logged"
            f" {counted(row['records'], 'time')} in {counted(row['traces'], 'sampled trace')} of"
            " which no span arrived.",
            subject=row["service"],
            evidence=tuple(Reference(log=log_no) for log_no in row["logs"]),
        )
        for row in rows
    ]


def _lost_here(evidence: Evidence) -> list[Finding]:
    """Records that went with the store's log, or that could not be read out of a file."""
    [row] = evidence.rows("SELECT coalesce(sum(records), 0)::BIGINT AS lost FROM stored.loss")
    lost = row["lost"] + evidence.reader.missing
    found = [f"The store lacks {counted(lost, 'record')} that it had acknowledged."] if lost else []
    found += [
        f"Of {row['source']} {counted(row['records'], 'record')} could not be read, the first at"
        f" {row['position']}."
        for row in evidence.rows("FROM stored.unread ORDER BY source")
    ]
    return [Finding(message, subject=_STORE) for message in found]


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
        {"shown": SHOWN},
    )
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} dropped {row['dropped']}"
            f" {row['what']} on {counted(row['spans'], 'span')}.",
            subject=row["service"],
            evidence=references(row["evidence"]),
        )
        for row in rows
    ]


def _dropped_by_sdk(evidence: Evidence) -> list[Finding]:
    """What a span processor says itself that it did not pass on."""
    rows = evidence.rows("""
        SELECT service, reason, sum(spans - earlier)::BIGINT AS spans
        FROM sdk_span_count
        WHERE metric = 'otel.sdk.processor.span.processed' AND reason != '' AND spans > earlier
        GROUP BY service, reason
        ORDER BY service, reason
    """)
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} dropped"
            f" {counted(row['spans'], 'span')} by its SDK's own count: {row['reason']}.",
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
        {"shown": SHOWN},
    )
    return [
        Finding(
            message=f"{row['service'] or 'A nameless service'} "
            + (
                f"dropped {counted(row['dropped'], 'attribute')} of the log record `{row['body']}`."
                if row["dropped"]
                else f"logged {counted(row['records'], 'time')} that telemetry was dropped:"
                f" `{row['body']}`."
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
