"""Messages that fail each time and come again without end.

What: A message that fails each time it is delivered reaches a dead letter queue after at most as
many deliveries as the policy allows attempts: it is sent to a destination of such a name, settled
as dead, or consumed from there. It fails where a message is delivered once more after that many
failures. Retry topics (`-retry-0`) belong to the destination that they retry. A broker that puts a
message aside by itself leaves no span: a message that only stops coming proves nothing.

Why: A message that nobody can process blocks the queue or burns money for ever; one that is dropped
is a job that silently never happens.

Fix: Set a maximum of deliveries and a dead letter queue, and raise an alert when something lies
there.

Source: the audit's pattern 12, no dead letter queue; spring-kafka's topic naming; semantic
conventions for Azure Service Bus (disposition status).
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.lexicon import DEAD_LETTER_NAME
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a destination with a message that failed more than once, or was put aside."""
    rows = evidence.rows(
        _POISON,
        {
            "shown": SHOWN,
            "attempts": int(evidence.policy.attempts),
            "dead_letter": f"(?i){DEAD_LETTER_NAME.pattern}",
        },
    )
    return Judgement(
        tuple(
            Unit(row["destination"], row["caught"] + row["endless"], _findings(row)) for row in rows
        ),
        note=_note(rows),
        reason=_reason(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["endless"]:
        return ()
    return (
        Finding(
            f"{counted(row['endless'], 'message')} from `{row['destination']}` failed each time"
            f" and came again all the same, one of them {counted(row['most'], 'time')}.",
            subject=row["destination"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    vanished = sum(row["vanished"] for row in rows)
    if not vanished:
        return ""
    return (
        f"{counted(vanished, 'message')} failed repeatedly and came no more; where"
        f" {either(vanished, 'it is', 'they are')}, nobody says."
    )


def _reason(rows: list[Row]) -> str:
    if any(row["vanished"] for row in rows):
        return "uninstrumented"
    return "dropped" if any(row["unclear"] for row in rows) else ""


_POISON: Final = """
    WITH RECURSIVE named AS (
        SELECT
            destination,
            regexp_matches(destination, $dead_letter)
                AND NOT regexp_matches(destination, '(?i)-retry(-\\d+)?$') AS is_dead,
            regexp_replace(destination, '(?i)([-_.](retry([-_.]?\\d+)?|dlt|dlq))+$', '') AS base
        FROM (
            SELECT destination FROM sent_message
            UNION
            SELECT destination FROM delivery
        )
    ),
    sent AS (
        SELECT
            sent_message.span_no, sent_message.instance_no, sent_message.sent_ns,
            named.is_dead, named.base, sent_message.destination,
            nullif(field.message_id, '') AS message_id,
            node.parent_no,
            parent.parent_no AS grandparent_no
        FROM sent_message
        JOIN named USING (destination)
        JOIN node USING (span_no)
        JOIN span_field AS field USING (span_no)
        JOIN workflow_instance AS instance ON instance.instance_no = sent_message.instance_no
        LEFT JOIN node AS parent ON parent.span_no = node.parent_no
        WHERE NOT sent_message.failed AND NOT instance.background
    ),
    -- Of a batch, every message that its processing links to failed with it.
    tried AS (
        SELECT delivery.creation_no AS message_no, delivery.span_no
        FROM delivery
        WHERE delivery.creation_no IS NOT NULL
        UNION
        SELECT link.linked_no, link.span_no
        FROM linked_span AS link
        JOIN delivery USING (span_no)
    ),
    trial AS (
        SELECT
            tried.message_no,
            delivery.span_no,
            delivery.service,
            -- A group that reads a retry topic is named after it.
            regexp_replace(delivery.consumer_group, '(?i)-retry(-\\d+)?$', '') AS reader,
            delivery.start_ns,
            coalesce(delivery.end_ns, delivery.start_ns) AS end_ns,
            delivery.failed,
            coalesce(named.is_dead, false) AS is_dead
        FROM tried
        JOIN delivery USING (span_no)
        LEFT JOIN named ON named.destination = delivery.destination
    ),
    -- Sent on by who could not process it: to a retry topic, or to where the dead lie.
    next AS (
        SELECT DISTINCT trial.message_no, onward.span_no AS next_no
        FROM trial
        JOIN sent ON sent.span_no = trial.message_no
        JOIN sent AS onward
            ON trial.span_no IN (onward.parent_no, onward.grandparent_no)
        WHERE trial.failed
            AND onward.destination <> sent.destination
            AND (onward.is_dead OR onward.base = sent.base)
        UNION
        SELECT sent.span_no, onward.span_no
        FROM sent
        JOIN linked_span AS link ON link.linked_no = sent.span_no
        JOIN sent AS onward ON onward.span_no = link.span_no
        WHERE onward.destination <> sent.destination
            AND (onward.is_dead OR onward.base = sent.base)
        UNION
        SELECT sent.span_no, onward.span_no
        FROM sent
        JOIN sent AS onward USING (message_id)
        WHERE onward.sent_ns > sent.sent_ns
            AND onward.destination <> sent.destination
            AND (onward.is_dead OR onward.base = sent.base)
    ),
    chain AS (
        SELECT span_no AS first_no, span_no AS message_no, 0 AS hop
        FROM sent
        WHERE NOT is_dead
            AND span_no NOT IN (SELECT next.next_no FROM next)
        UNION
        SELECT chain.first_no, next.next_no, chain.hop + 1
        FROM chain
        JOIN next USING (message_no)
        WHERE chain.hop <= $attempts
    ),
    settled AS (
        SELECT DISTINCT coalesce(trial.message_no, own.message_no) AS message_no
        FROM stored.span_attribute AS attribute
        JOIN node USING (span_no)
        LEFT JOIN trial ON trial.span_no = node.parent_no
        LEFT JOIN trial AS own ON own.span_no = node.span_no
        WHERE attribute.key IN (
                'messaging.servicebus.disposition_status', 'messaging.operation.name'
            )
            AND attribute.value IN ('dead_letter', 'dead-letter', 'deadletter')
    ),
    caught AS (
        SELECT
            chain.first_no,
            count(DISTINCT CASE WHEN trial.is_dead AND NOT sent.is_dead THEN trial.span_no
                ELSE sent.span_no END) AS letters
        FROM chain
        JOIN sent ON sent.span_no = chain.message_no
        LEFT JOIN trial ON trial.message_no = chain.message_no
        WHERE sent.is_dead
            OR trial.is_dead
            OR chain.message_no IN (SELECT settled.message_no FROM settled)
        GROUP BY chain.first_no
    ),
    -- What comes again comes after the failure. Beside it are other readers of a fan-out.
    sequence AS (
        SELECT
            chain.first_no, trial.service, trial.reader, trial.start_ns, trial.failed,
            coalesce(
                trial.start_ns >= max(trial.end_ns) OVER (
                    PARTITION BY chain.first_no, trial.service, trial.reader
                    ORDER BY trial.start_ns, trial.end_ns
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ),
                true
            ) AS is_next
        FROM chain
        JOIN trial USING (message_no)
        WHERE NOT trial.is_dead
    ),
    -- Each group of consumers has its own deliveries; the one with the most failures counts.
    failing AS (
        SELECT
            first_no,
            count(*) FILTER (failed AND is_next) AS failures,
            arg_max(failed, (start_ns, failed)) AS is_failing,
            count(*) FILTER (is_failing) OVER (PARTITION BY first_no) AS readers
        FROM sequence
        GROUP BY first_no, service, reader
        QUALIFY row_number() OVER (
            PARTITION BY first_no ORDER BY count(*) FILTER (failed AND is_next) DESC, is_failing
        ) = 1
    ),
    judged AS (
        SELECT
            failing.*,
            origin.base AS destination,
            origin.instance_no,
            CASE
                -- The last of them came after as many failures as are allowed.
                WHEN failing.failures > $attempts THEN 'endless'
                WHEN NOT failing.is_failing OR failing.failures = 0 THEN ''
                WHEN caught.first_no IS NOT NULL AND EXISTS (
                    SELECT 1
                    FROM ghost
                    WHERE ghost.instance_no = origin.instance_no
                        AND ghost.kind IN ('CONSUMER', '')
                ) THEN 'unclear'
                -- Each group that cannot process it puts it aside for itself.
                WHEN caught.letters >= failing.readers THEN 'caught'
                WHEN failing.failures > 1 THEN 'vanished'
                ELSE ''
            END AS fate
        FROM failing
        JOIN sent AS origin ON origin.span_no = failing.first_no
        LEFT JOIN caught USING (first_no)
    )
    SELECT
        judged.destination,
        count(*) FILTER (judged.fate = 'caught') AS caught,
        count(*) FILTER (judged.fate = 'endless') AS endless,
        count(*) FILTER (judged.fate = 'vanished') AS vanished,
        count(*) FILTER (judged.fate = 'unclear') AS unclear,
        max(judged.failures) FILTER (judged.fate = 'endless') AS most,
        arg_min(instance.correlation_id, (-judged.failures, span.start_ns, span.reference))
            FILTER (judged.fate = 'endless') AS instance,
        list(span.reference ORDER BY judged.failures DESC, span.start_ns, span.reference)
            FILTER (judged.fate = 'endless')[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span ON span.span_no = judged.first_no
    WHERE judged.fate <> ''
    GROUP BY judged.destination
    ORDER BY judged.destination
"""

CHECK = Check(
    id="Q-05",
    title="Poison messages reach a dead letter queue",
    severity=Severity.HIGH,
    task=8,
    serves=("pattern-12", "TEST-RR-Q02", "HIGH-4"),
    judge=judge,
    remedy="Set a maximum of deliveries and a dead letter queue, and an alert on what lies there.",
)
