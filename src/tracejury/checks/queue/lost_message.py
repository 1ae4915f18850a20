"""Messages that were sent and that nobody ever processed.

What: Every message that waited in a queue when its broker was restarted is processed afterwards. It
fails where a message was sent and never processed, though its consumers were alive and the run went
on for longer than work may wait. Nothing is concluded from a message whose consumer may have died
with it, that may expire or is due later, whose job was cancelled, whose topic may filter or keep
the last one of a key, or that nobody ever consumes with tracing on. That it survived this restart
does not tell whether the queue writes to disk.

Why: Nobody sees a job that is in no queue any more, until the customer asks for it.

Fix: Declare queues durable and messages persistent (Redis: `appendonly yes`), confirm publishes,
and acknowledge after the work.

Source: the audit's pattern 11 and its test of message loss; semantic conventions for messaging
spans (trace structure).
"""

from typing import Final

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Severity,
    Unit,
    longest_short_s,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a destination: messages that outlasted a restart of its broker, or were lost."""
    rows = evidence.rows(_MESSAGES, {"shown": SHOWN})
    return Judgement(
        tuple(
            Unit(row["destination"], row["survived"] + row["lost"], _findings(row)) for row in rows
        ),
        note=_note(rows),
        reason=_reason(evidence, rows),
        short_s=longest_short_s(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["lost"]:
        return ()
    return (
        Finding(
            f"{row['lost']} of {counted(row['sent'], 'message')} to `{row['destination']}`"
            f" {either(row['lost'], 'was', 'were')} sent and never processed, though its consumers"
            f" were alive for {row['waited_s']:.0f} s more.",
            subject=row["destination"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    survived = sum(row["survived"] for row in rows)
    if not survived:
        return ""
    return (
        f"{counted(survived, 'message')} outlasted a restart of {either(survived, 'its', 'their')}"
        " broker. Whether the broker writes to disk is a question for its configuration."
    )


def _reason(evidence: Evidence, rows: list[Row]) -> str:
    for reason, column in (
        ("export-lag", "crashed"),
        ("dropped", "unseen"),
        ("uninstrumented", "partly"),
        ("uninstrumented", "untold"),
        ("unsettled", "waiting"),
    ):
        if any(row[column] for row in rows):
            return reason
    # The absent span may have sent what nobody processed.
    return "dropped" if evidence.rows(_ABSENT)[0]["some"] else ""


_ABSENT: Final = """
    SELECT
        EXISTS (SELECT 1 FROM ghost WHERE ghost.kind IN ('PRODUCER', 'CONSUMER', ''))
        OR EXISTS (
            SELECT 1
            FROM missing_in_instance AS missing
            WHERE missing.kind = 'PRODUCER'
        ) AS some
"""

_MESSAGES: Final = """
    WITH message AS (
        SELECT sent_message.*
        FROM sent_message
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
    ),
    -- Who keeps the messages of a destination, by all the names that telemetry has for it.
    broker AS (
        SELECT DISTINCT message.destination, lower(unnest([
            message.destination, field.messaging_system, call.peer, below.db_system
        ])) AS name
        FROM message
        JOIN span_field AS field USING (span_no)
        JOIN call USING (span_no)
        LEFT JOIN (
            SELECT node.parent_no, span_field.db_system
            FROM node
            JOIN span_field USING (span_no)
            WHERE node.kind = 'CLIENT' AND span_field.db_system IS NOT NULL
        ) AS below ON below.parent_no = message.span_no
    ),
    restart AS (
        SELECT DISTINCT broker.destination, fault.start_ns, fault.end_ns
        FROM fault
        JOIN broker ON broker.name = lower(fault.target)
        JOIN run_time ON fault.start_ns <= run_time.until_ns AND fault.end_ns >= run_time.from_ns
        WHERE fault.kind IN ('kill', 'restart')
    ),
    consumer AS (
        SELECT
            message.destination,
            message.message_type,
            delivery.service,
            count(DISTINCT delivery.consumer_group) AS groups,
            bool_or(span.dropped_links > 0) AS lacks_links
        FROM message
        JOIN delivery ON delivery.creation_no = message.span_no
        JOIN stored.span AS span ON span.span_no = delivery.span_no
        GROUP BY message.destination, message.message_type, delivery.service
    ),
    heard AS (
        SELECT service, max(last_ns) AS last_ns
        FROM instance_life
        GROUP BY service
    ),
    consumed AS (
        SELECT
            message.span_no,
            max(consumer.groups) AS groups,
            bool_or(consumer.lacks_links) AS lacks_links,
            min(heard.last_ns) AS heard_ns,
            bool_or(EXISTS (
                SELECT 1
                FROM crash
                WHERE crash.service = consumer.service AND crash.time_ns >= message.sent_ns
            )) AS is_crashed,
            bool_or(EXISTS (
                SELECT 1
                FROM ghost
                WHERE ghost.service IN (consumer.service, '')
                    AND ghost.kind IN ('CONSUMER', '')
                    AND ghost.last_ns >= message.sent_ns
            )) AS may_be_unseen
        FROM message
        JOIN consumer USING (destination, message_type)
        LEFT JOIN heard ON heard.service = consumer.service
        WHERE message.processed < message.messages OR message.groups < consumer.groups
        GROUP BY message.span_no
    ),
    policy AS (
        SELECT 1e9 * value AS redelivery_ns
        FROM bound
        WHERE name = 'redelivery_seconds'
    ),
    -- A queue may drop the message of a job that was called off, and nobody sees it.
    cancelled AS (
        SELECT DISTINCT instance_no
        FROM state_record
        WHERE level = 'job' AND state = 'cancelled'
    ),
    judged AS (
        SELECT
            message.*,
            coalesce(message.started_ns >= (
                SELECT min(restart.end_ns)
                FROM restart
                WHERE restart.destination = message.destination
                    AND restart.start_ns > message.sent_ns
            ), false) AS is_survivor,
            CASE
                WHEN message.failed OR message.may_vanish THEN ''
                WHEN message.processed = 0
                    AND (
                        cancelled.instance_no IS NOT NULL
                        -- Of its type nobody was seen to take one, though others of its queue.
                        OR (
                            consumed.span_no IS NULL
                            AND message.destination IN (SELECT consumer.destination FROM consumer)
                        )
                    )
                    THEN CASE WHEN EXISTS (
                        SELECT 1
                        FROM restart
                        WHERE restart.destination = message.destination
                            AND restart.start_ns > message.sent_ns
                    ) THEN 'untold' ELSE '' END
                WHEN consumed.span_no IS NULL THEN ''
                WHEN consumed.is_crashed THEN 'crashed'
                WHEN consumed.may_be_unseen OR consumed.lacks_links THEN 'unseen'
                WHEN message.processed > 0 THEN 'partly'
                WHEN coalesce(
                    settling.is_redelivery_settled
                    AND consumed.heard_ns - message.sent_ns
                        > greatest(settling.bound_ns, policy.redelivery_ns),
                    false
                ) THEN 'lost'
                ELSE 'waiting'
            END AS fate,
            (consumed.heard_ns - message.sent_ns) / 1e9 AS waited_s,
            settling.redelivery_short_ns AS short_ns
        FROM message
        JOIN settling USING (instance_no)
        CROSS JOIN policy
        LEFT JOIN consumed USING (span_no)
        LEFT JOIN cancelled ON cancelled.instance_no = message.instance_no
    )
    SELECT
        judged.destination,
        count(*) AS sent,
        count(*) FILTER (judged.is_survivor) AS survived,
        count(*) FILTER (judged.fate = 'lost') AS lost,
        count(*) FILTER (judged.fate = 'crashed') AS crashed,
        count(*) FILTER (judged.fate = 'unseen') AS unseen,
        count(*) FILTER (judged.fate = 'partly') AS partly,
        count(*) FILTER (judged.fate = 'untold') AS untold,
        count(*) FILTER (judged.fate = 'waiting') AS waiting,
        max(judged.short_ns) FILTER (judged.fate = 'waiting') AS short_ns,
        min(judged.waited_s) FILTER (judged.fate = 'lost') AS waited_s,
        min(instance.correlation_id) FILTER (judged.fate = 'lost') AS instance,
        list(span.reference ORDER BY judged.sent_ns, span.reference)
            FILTER (judged.fate = 'lost')[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span USING (span_no)
    GROUP BY judged.destination
    ORDER BY judged.destination
"""

CHECK = Check(
    id="Q-01",
    title="No message is lost",
    severity=Severity.CRITICAL,
    task=8,
    serves=("pattern-11", "TEST-RR-Q01", "CRITICAL-5"),
    judge=judge,
    judges_absence=True,
    remedy="Make queues durable and messages persistent, and acknowledge after the work.",
)
