"""Side effects that a message has a second time when it is delivered again.

What: Where two deliveries of one message ask for the same thing, and the first may have had it done
when its worker died or gave up, the half that answers shows that it was done once, or refuses the
second. It fails where it was done in both. The half of a call counts although the span of the
caller died with its process. Calls with an idempotency key decide nothing, nor do targets whose
half is not traced, nor jobs of several messages whose work cannot be told apart.

Why: Every queue delivers some messages twice. Then the customer is charged twice.

Fix: Let the handler look up what was done before it does it, or send an idempotency key that comes
from the message and not from the attempt.

Source: the audit's test of a worker that does not acknowledge; RFC 9110, idempotent methods.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target that two deliveries of a message called for the same thing."""
    rows = evidence.rows(_REPEATED, {"shown": SHOWN})
    return Judgement(
        tuple(Unit(_name(row), row["safe"] + row["doubled"], _findings(row)) for row in rows),
        note=_note(rows),
    )


def _name(row: Row) -> str:
    return f"{row['service']} → {row['target']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["doubled"]:
        return ()
    return (
        Finding(
            f"{counted(row['doubled'], 'time')} {row['target']} did one thing again for"
            f" {row['service']} after a redelivery: `{row['operation']}` for `{row['unit']}`.",
            subject=_name(row),
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    keyed = sum(row["keyed"] for row in rows)
    return f"{counted(keyed, 'repeated call')} carried one idempotency key." if keyed else ""


_REPEATED: Final = """
    WITH again AS (
        SELECT delivery.instance_no, delivery.service, delivery.start_ns, delivery.end_ns
        FROM delivery
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE delivery.is_again AND NOT instance.background
    ),
    -- Work of several messages to one service cannot be told apart.
    single AS (
        SELECT
            delivery.instance_no,
            delivery.service,
            min(again.start_ns) AS again_ns
        FROM delivery
        JOIN again
            ON again.instance_no = delivery.instance_no AND again.service = delivery.service
        GROUP BY delivery.instance_no, delivery.service
        HAVING count(DISTINCT coalesce(delivery.creation_no, -1)) = 1
    ),
    effect AS (
        SELECT
            span_no, instance_no, item, service, target, operation, key, start_ns,
            is_answered OR is_confirmed AS is_done,
            is_ambiguous,
            has_half
        FROM side_effect
        UNION ALL
        -- The caller's span died with its process, and the half that answered did not.
        SELECT
            node.span_no,
            ghost.instance_no,
            coalesce(record_item.item, ''),
            ghost.service,
            node.service,
            concat_ws(' ', field.http_method, split_part(field.url_path, '?', 1)),
            '',
            node.start_ns,
            error.span_no IS NULL
                AND coalesce(try_cast(field.http_status AS INTEGER) < 400, true)
                AND node.end_ns IS NOT NULL,
            true,
            true
        FROM orphan
        JOIN node USING (span_no)
        JOIN ghost
            ON ghost.trace_no = orphan.trace_no AND ghost.span_id = orphan.missing_parent
        JOIN span_field AS field ON field.span_no = orphan.span_no
        LEFT JOIN span_error AS error ON error.span_no = orphan.span_no
        LEFT JOIN record_item ON record_item.span_no = orphan.span_no
        WHERE ghost.cause = 'killed'
            AND node.kind = 'SERVER'
            AND field.http_method IN ('POST', 'PATCH')
    ),
    numbered AS (
        SELECT
            effect.*,
            status.http_status = '409' AS is_refused,
            -- The first delivery may be known by nothing but what it did.
            max(CASE WHEN effect.start_ns < single.again_ns THEN 0 ELSE again.start_ns END)
                AS delivery_ns
        FROM effect
        JOIN single USING (instance_no, service)
        LEFT JOIN again
            ON again.instance_no = effect.instance_no
            AND again.service = effect.service
            AND effect.start_ns BETWEEN again.start_ns AND coalesce(again.end_ns, again.start_ns)
        LEFT JOIN span_field AS status ON status.span_no = effect.span_no
        GROUP BY ALL
    ),
    thing AS (
        SELECT
            instance_no,
            service,
            target,
            operation,
            item,
            count(*) FILTER (is_done) AS done,
            count(DISTINCT delivery_ns) AS deliveries,
            count(DISTINCT delivery_ns) FILTER (is_done) AS doing,
            bool_or(is_ambiguous) AS was_ambiguous,
            coalesce(bool_or(is_refused), false) AS was_refused,
            bool_and(has_half) AS has_halves,
            count(DISTINCT key) = 1 AND min(key) <> '' AS is_keyed,
            arg_max(span_no, (start_ns, span_no)) AS last_no
        FROM numbered
        WHERE delivery_ns IS NOT NULL
        GROUP BY instance_no, service, target, operation, item
        HAVING count(DISTINCT delivery_ns) > 1
    ),
    judged AS (
        SELECT
            *,
            -- In one delivery a step may do the same several times on purpose.
            doing > 1 AND done = doing AND NOT is_keyed AS is_doubled,
            done = 1 AND (was_refused OR (was_ambiguous AND has_halves)) AS is_safe
        FROM thing
    )
    SELECT
        judged.service,
        judged.target,
        count(*) FILTER (judged.is_safe) AS safe,
        count(*) FILTER (judged.is_doubled) AS doubled,
        count(*) FILTER (judged.is_keyed AND judged.doing > 1) AS keyed,
        arg_min(judged.operation, (span.start_ns, span.reference))
            FILTER (judged.is_doubled) AS operation,
        arg_min(
            coalesce(nullif(judged.item, ''), instance.correlation_id),
            (span.start_ns, span.reference)
        ) FILTER (judged.is_doubled) AS unit,
        arg_min(instance.correlation_id, (span.start_ns, span.reference))
            FILTER (judged.is_doubled) AS instance,
        list(span.reference ORDER BY span.start_ns, span.reference)
            FILTER (judged.is_doubled)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span ON span.span_no = judged.last_no
    GROUP BY judged.service, judged.target
    ORDER BY judged.service, judged.target
"""

CHECK = Check(
    id="Q-04",
    title="A redelivered job is idempotent",
    severity=Severity.HIGH,
    task=8,
    serves=("TEST-RR-Q02",),
    judge=judge,
    remedy="Look up what was done before doing it, or key it by the message and not the attempt.",
)
