"""Urgent messages that wait as long as the bulk.

What: While bulk work waits in a queue of the same workers, urgent messages that are sent then wait
less than the bulk does, by the median. What is urgent is said by the name of the queue or routing
key (`high`, `urgent`, ...), or by a message's priority, where the broker is known: in RabbitMQ the
higher number goes first, in Redis the lower one. Bulk is what says so (`low`, `bulk`, ...), or has
the last priority, or, beside a queue that is called urgent, all that says nothing of itself.

Why: A nightly export must not keep a customer waiting who sits in front of the screen.

Fix: Give urgent work a queue and workers of its own, or let the workers ask that queue first;
prefetch little, or the workers hold bulk that nobody can overtake.

Source: the audit's test of backpressure; the instrumentation of Celery.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

# Assumed: fewer say nothing about a median.
_FEWEST: Final = 3

_URGENT: Final = (
    r"(?i)(^|[^a-z])(urgent|high|priority|critical|express|realtime|interactive)([^a-z]|$)"
)
_BULK: Final = r"(?i)(^|[^a-z])(bulk|low|batch|background|slow|nightly|default)([^a-z]|$)"


def judge(evidence: Evidence) -> Judgement:
    """One unit a service that works on urgent and on bulk messages."""
    rows = evidence.rows(
        _CLASSED + _WAITS,
        {
            "shown": SHOWN,
            "fewest": _FEWEST,
            "urgent": _URGENT,
            "bulk": _BULK,
            "skew_ns": evidence.policy.skew_seconds * 1e9,
        },
    )
    return Judgement(
        tuple(Unit(row["service"], _exposures(row), _findings(row)) for row in rows),
        note=" ".join(_note(row) for row in rows),
        # What never arrived may have waited longest.
        reason="dropped" if rows and evidence.rows(_ABSENT)[0]["some"] else "",
    )


def urgent_messages(evidence: Evidence) -> int:
    """How many messages say that they are urgent."""
    [row] = evidence.rows(_CLASSED + _COUNT, {"urgent": _URGENT, "bulk": _BULK})
    return int(row["urgent"])


def _exposures(row: Row) -> int:
    return int(row["urgent"]) if _is_faster(row) or _is_slower(row) else 0


def _is_faster(row: Row) -> bool:
    return bool(row["urgent_s"] + row["slack_s"] < row["bulk_s"])


def _is_slower(row: Row) -> bool:
    return bool(row["urgent_s"] - row["slack_s"] >= row["bulk_s"])


def _findings(row: Row) -> tuple[Finding, ...]:
    if not _is_slower(row):
        return ()
    return (
        Finding(
            f"{counted(row['urgent'], 'urgent message')} waited {row['urgent_s']:.1f} s for"
            f" {row['service']}, by the median, and {row['waiting']} of the bulk"
            f" {row['bulk_s']:.1f} s.",
            subject=row["service"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(row: Row) -> str:
    return (
        f"For {row['service']} urgent messages waited {row['urgent_s']:.1f} s, the bulk"
        f" {row['bulk_s']:.1f} s."
    )


_ABSENT: Final = """
    SELECT count(*) > 0 AS some
    FROM ghost
    WHERE kind IN ('PRODUCER', 'CONSUMER', '')
"""

_CLASSED: Final = """
    WITH told AS (
        SELECT
            message.span_no,
            delivery.service,
            message.sent_ns,
            delivery.start_ns AS started_ns,
            sender.host IS DISTINCT FROM worker.host AS has_two_clocks,
            concat_ws(
                ' ',
                message.destination,
                regexp_extract(field.celery_delivery, '''routing_key'': ''([^'']*)''', 1)
            ) AS name,
            coalesce(
                try_cast(
                    regexp_extract(field.celery_delivery, '''priority'': (\\d+)', 1) AS INTEGER
                ),
                try_cast(priority.value AS INTEGER)
            ) AS priority,
            CASE
                WHEN lower(sent.messaging_system) = 'rabbitmq' THEN 1
                WHEN lower(sent.messaging_system) = 'redis' OR below.parent_no IS NOT NULL THEN -1
            END AS direction
        FROM sent_message AS message
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN delivery ON delivery.creation_no = message.span_no AND delivery.number = 1
        JOIN node AS sender ON sender.span_no = message.span_no
        JOIN node AS worker ON worker.span_no = delivery.span_no
        LEFT JOIN span_field AS sent ON sent.span_no = message.span_no
        LEFT JOIN span_field AS field ON field.span_no = delivery.span_no
        LEFT JOIN (
            SELECT DISTINCT node.parent_no
            FROM node
            JOIN span_field USING (span_no)
            WHERE node.kind = 'CLIENT' AND lower(span_field.db_system) = 'redis'
        ) AS below ON below.parent_no = message.span_no
        LEFT JOIN (
            SELECT span_no, min(value) AS value
            FROM stored.span_attribute
            WHERE key IN ('messaging.rabbitmq.message.priority', 'messaging.message.priority')
            GROUP BY span_no
        ) AS priority ON priority.span_no = message.span_no
        -- What is due later waits on purpose.
        WHERE NOT instance.background AND NOT message.may_vanish
    ),
    ranked AS (
        SELECT
            *,
            regexp_matches(name, $urgent) AS says_urgent,
            regexp_matches(name, $bulk) AS says_bulk,
            direction * priority AS urgency,
            min(direction * priority) OVER (PARTITION BY service) AS lowest,
            max(direction * priority) OVER (PARTITION BY service) AS highest
        FROM told
    ),
    classed AS (
        SELECT
            *,
            CASE
                WHEN says_urgent AND NOT says_bulk THEN 'urgent'
                WHEN says_bulk AND NOT says_urgent THEN 'bulk'
                WHEN lowest < highest AND urgency = highest THEN 'urgent'
                WHEN lowest < highest AND urgency = lowest THEN 'bulk'
                WHEN NOT says_urgent
                    AND bool_or(says_urgent AND NOT says_bulk) OVER (PARTITION BY service)
                    THEN 'bulk'
            END AS class
        FROM ranked
    )
"""

_COUNT: Final = """
    SELECT count(*) AS urgent
    FROM classed
    WHERE class = 'urgent'
"""

_WAITS: Final = """
    -- From when to when bulk waited without a break.
    , backlog AS (
        SELECT service, min(sent_ns) AS from_ns, max(started_ns) AS until_ns
        FROM (
            SELECT
                *,
                sum(is_first) OVER (PARTITION BY service ORDER BY sent_ns, started_ns) AS stretch
            FROM (
                SELECT
                    *,
                    coalesce(sent_ns > max(started_ns) OVER (
                        PARTITION BY service
                        ORDER BY sent_ns, started_ns
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ), true)::INTEGER AS is_first
                FROM classed
                WHERE class = 'bulk'
            )
        )
        GROUP BY service, stretch
        -- What is only on its way waits for nobody.
        HAVING count(*) >= $fewest
    ),
    crossed AS (
        SELECT *
        FROM backlog
        WHERE EXISTS (
            SELECT 1
            FROM classed
            WHERE classed.class = 'urgent'
                AND classed.service = backlog.service
                AND classed.sent_ns BETWEEN backlog.from_ns AND backlog.until_ns
        )
    ),
    compared AS (
        SELECT classed.*
        FROM classed
        SEMI JOIN crossed
            ON crossed.service = classed.service
            AND classed.sent_ns BETWEEN crossed.from_ns AND crossed.until_ns
        WHERE classed.class IS NOT NULL
    )
    SELECT
        compared.service,
        count(*) FILTER (compared.class = 'urgent') AS urgent,
        count(*) FILTER (compared.class = 'bulk') AS waiting,
        median(compared.started_ns - compared.sent_ns) FILTER (compared.class = 'urgent') / 1e9
            AS urgent_s,
        median(compared.started_ns - compared.sent_ns) FILTER (compared.class = 'bulk') / 1e9
            AS bulk_s,
        CASE WHEN bool_or(compared.has_two_clocks) THEN $skew_ns / 1e9 ELSE 0 END AS slack_s,
        list(span.reference ORDER BY compared.sent_ns - compared.started_ns, span.reference)
            FILTER (compared.class = 'urgent')[:$shown] AS evidence
    FROM compared
    JOIN span_reference AS span USING (span_no)
    GROUP BY compared.service
    HAVING count(*) FILTER (compared.class = 'urgent') >= $fewest
        AND count(*) FILTER (compared.class = 'bulk') >= $fewest
    ORDER BY compared.service
"""

CHECK = Check(
    id="Q-07",
    title="Priority work goes before bulk",
    severity=Severity.MEDIUM,
    task=8,
    serves=("TEST-RR-Q03", "MEDIUM-2"),
    judge=judge,
    remedy="Give urgent work a queue and workers of its own, and prefetch little.",
)
