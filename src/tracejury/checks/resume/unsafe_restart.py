"""Requests that a restart of their server has done twice.

What: Where a server died while it worked on a request that changes something, and its caller asked
again, the change was made once: the first attempt made it and the second was refused or changed
nothing more, or the first made none and the second did. It fails where both made it. What a killed
server did is known by the spans below its own, which may have been sent before it died, or by its
half of the call. Where these only say that it was at work, a second attempt that is refused as a
duplicate (409) says that the work was done. Without either, and with an idempotency key that
answers both, nobody can tell; nor where several requests to it were under way in one trace and it
is lost which of them a change was made for, or which of them was asked again.

Why: A deployment restarts every server. Each restart then charges some customer twice.

Fix: Make the change and the record of the request's key in one transaction, and answer a repeated
request from that record. End servers gracefully: first refuse, then finish what is in work.

Source: the audit's test of a server restart in mid-request; RFC 9110, idempotent methods.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# So many steps up a change is followed to the request for which it was made.
_DEEPEST: Final = 64


def judge(evidence: Evidence) -> Judgement:
    """One unit a service that died while it worked on requests that were then repeated."""
    rows = evidence.rows(_CUT_SHORT, {"shown": SHOWN, "deepest": _DEEPEST})
    return Judgement(
        tuple(Unit(row["server"], row["once"] + row["twice"], _findings(row)) for row in rows),
        note=_note(rows),
        reason="units" if any(row["unclear"] and row["once"] for row in rows) else "",
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["twice"]:
        return ()
    return (
        Finding(
            f"{counted(row['twice'], 'request')} that a restart of {row['server']} cut short"
            f" {either(row['twice'], 'was', 'were')} done before it and once more after it,"
            f" `{row['operation']}` for one.",
            subject=row["server"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    unclear = sum(row["unclear"] for row in rows)
    if not unclear:
        return ""
    return (
        f"Of {counted(unclear, 'request')} that a restart cut short, nobody can tell what was done."
    )


_CUT_SHORT: Final = """
    WITH RECURSIVE death AS (
        SELECT
            crash.service,
            crash.time_ns AS from_ns,
            coalesce(fault.end_ns, crash.time_ns) AS until_ns
        FROM crash
        LEFT JOIN fault ON crash.evidence = 'fault ' || fault.id || ' (' || fault.kind || ')'
    ),
    asked AS (
        SELECT
            effect.*,
            node.end_ns,
            node.trace_no,
            node.parent_no,
            field.http_status,
            -- Nobody was there who could have done anything.
            coalesce(
                regexp_matches(class.short_type || ' ' || error.message, 'refused', 'i'), false
            ) AS is_refused
        -- Asked of a server that died, or asked for by it.
        FROM (
            SELECT *
            FROM side_effect
            WHERE target IN (SELECT death.service FROM death)
                OR service IN (SELECT death.service FROM death)
        ) AS effect
        JOIN node USING (span_no)
        LEFT JOIN span_field AS field USING (span_no)
        LEFT JOIN span_error AS error USING (span_no)
        LEFT JOIN error_class AS class USING (span_no)
    ),
    cut AS (
        SELECT
            asked.*,
            max(death.until_ns) AS dead_ns,
            EXISTS (
                SELECT 1
                FROM asked AS other
                WHERE other.trace_no = asked.trace_no
                    AND other.target = asked.target
                    AND other.span_no <> asked.span_no
                    AND other.start_ns < asked.end_ns
                    AND other.end_ns > asked.start_ns
            ) AS is_beside
        FROM asked
        JOIN death ON death.service = asked.target
        WHERE NOT asked.is_answered
            AND asked.http_status IS NULL
            AND NOT asked.is_refused
            AND asked.start_ns < death.until_ns
            AND asked.end_ns >= death.from_ns
        GROUP BY ALL
    ),
    repeated AS (
        SELECT
            cut.span_no,
            again.span_no AS again_no,
            again.is_answered,
            again.is_confirmed,
            again.has_half,
            again.http_status,
            again.start_ns,
            again.end_ns,
            again.trace_no,
            again.key
        FROM cut
        JOIN asked AS again
            ON again.instance_no = cut.instance_no
            AND again.service = cut.service
            AND again.target = cut.target
            AND again.operation = cut.operation
            AND again.item = cut.item
            AND again.start_ns >= cut.end_ns
            -- Of requests side by side, each is asked again where it was asked before.
            AND (again.parent_no = cut.parent_no OR NOT cut.is_beside)
        -- A restart may refuse some attempts; the last one decides.
        QUALIFY row_number() OVER (
            PARTITION BY cut.span_no ORDER BY again.start_ns DESC, again.span_no DESC
        ) = 1
    ),
    -- From what the server itself changed up to the request for which it did.
    climbed AS (
        SELECT span_no, parent_no AS at_no, 1 AS steps
        FROM asked
        WHERE is_answered AND parent_no IS NOT NULL
        UNION ALL
        SELECT climbed.span_no, node.parent_no, climbed.steps + 1
        FROM climbed
        JOIN node ON node.span_no = climbed.at_no
        WHERE node.parent_no IS NOT NULL
            AND climbed.steps < $deepest
            AND climbed.at_no NOT IN (SELECT asked.span_no FROM asked)
    ),
    inner_change AS (
        SELECT
            change.trace_no, change.service, change.target, change.operation, change.start_ns,
            request.span_no AS request_no
        FROM asked AS change
        LEFT JOIN (
            SELECT climbed.span_no AS change_no, asked.span_no, asked.target
            FROM climbed
            JOIN asked ON asked.span_no = climbed.at_no
        ) AS request ON request.change_no = change.span_no AND request.target = change.service
        WHERE change.is_answered
    ),
    -- What of it came before each request was asked again. With its server's span the way up is
    -- lost: then it may have been for any that was under way.
    made_before AS (
        SELECT cut.span_no, change.service, change.target, change.operation, change.start_ns
        FROM cut
        JOIN inner_change AS change
            ON change.trace_no = cut.trace_no
            AND change.service = cut.target
        WHERE change.start_ns BETWEEN cut.start_ns AND greatest(cut.end_ns, cut.dead_ns)
            AND (
                change.request_no = cut.span_no
                OR (change.request_no IS NULL AND NOT cut.is_beside)
            )
    ),
    -- A request that had reached its server, whose span died with it.
    at_work AS (
        SELECT DISTINCT cut.span_no
        FROM cut
        JOIN ghost
            ON ghost.trace_no = cut.trace_no
            AND ghost.service = cut.target
            AND ghost.first_ns BETWEEN cut.start_ns AND cut.end_ns
        WHERE NOT cut.is_beside
    ),
    judged AS (
        SELECT
            cut.span_no,
            cut.instance_no,
            cut.target AS server,
            cut.operation,
            cut.is_confirmed AS was_confirmed,
            cut.has_half AS had_half,
            cut.span_no IN (SELECT at_work.span_no FROM at_work) AS was_at_work,
            cut.key,
            repeated.is_answered,
            repeated.is_confirmed,
            repeated.has_half,
            repeated.http_status = '409' AS is_refused,
            repeated.key = cut.key AND cut.key <> '' AS is_keyed,
            EXISTS (
                SELECT 1
                FROM asked AS alike
                WHERE alike.parent_no = cut.parent_no
                    AND alike.service = cut.service
                    AND alike.target = cut.target
                    AND alike.operation = cut.operation
                    AND alike.item = cut.item
                    AND alike.span_no <> cut.span_no
                    AND alike.start_ns < cut.end_ns
                    AND alike.end_ns > cut.start_ns
            ) AS is_mixed,
            (
                SELECT count(DISTINCT (change.target, change.operation))
                FROM made_before AS change
                WHERE change.span_no = cut.span_no AND change.start_ns < repeated.start_ns
            ) AS changes_before,
            (
                SELECT count(DISTINCT (change.target, change.operation))
                FROM inner_change AS change
                WHERE change.trace_no = repeated.trace_no
                    AND change.service = cut.target
                    AND change.start_ns BETWEEN repeated.start_ns AND repeated.end_ns
                    AND (
                        change.request_no = repeated.again_no
                        OR (change.request_no IS NULL AND NOT cut.is_beside)
                    )
                    AND EXISTS (
                        SELECT 1
                        FROM made_before AS earlier
                        WHERE earlier.span_no = cut.span_no
                            AND earlier.service = change.service
                            AND earlier.target = change.target
                            AND earlier.operation = change.operation
                            AND earlier.start_ns < repeated.start_ns
                    )
            ) AS changes_again
        FROM cut
        JOIN repeated USING (span_no)
    ),
    fated AS (
        SELECT
            *,
            CASE
                WHEN is_mixed THEN 'unclear'
                WHEN changes_again > 0 THEN 'twice'
                WHEN changes_before > 0 AND (is_refused OR (is_answered AND has_half)) THEN 'once'
                WHEN changes_before > 0 THEN 'unclear'
                WHEN (was_confirmed OR was_at_work) AND is_refused THEN 'once'
                WHEN was_confirmed AND is_confirmed AND is_answered AND NOT is_keyed THEN 'twice'
                WHEN had_half AND NOT was_confirmed AND is_confirmed AND is_answered THEN 'once'
                ELSE 'unclear'
            END AS fate
        FROM judged
    )
    SELECT
        fated.server,
        count(*) FILTER (fated.fate = 'once') AS once,
        count(*) FILTER (fated.fate = 'twice') AS twice,
        count(*) FILTER (fated.fate = 'unclear') AS unclear,
        arg_min(fated.operation, (span.start_ns, span.reference))
            FILTER (fated.fate = 'twice') AS operation,
        arg_min(instance.correlation_id, (span.start_ns, span.reference))
            FILTER (fated.fate = 'twice') AS instance,
        list(span.reference ORDER BY span.start_ns, span.reference)
            FILTER (fated.fate = 'twice')[:$shown] AS evidence
    FROM fated
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span USING (span_no)
    GROUP BY fated.server
    ORDER BY fated.server
"""

CHECK = Check(
    id="RSM-03",
    title="A server restart in mid-request is safe",
    severity=Severity.HIGH,
    task=6,
    serves=("TEST-RR-RE02",),
    judge=judge,
    remedy="Record the request's key in the transaction that makes the change, and answer from it.",
)
