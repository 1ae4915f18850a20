"""Calls that reached a service and that the caller did not record.

What: No span of a server names a caller's span that never came, while the caller is known by what
usually calls that server, and went on to export other spans. It passes only beside a clean run of
which no calls are missing either; where fewer calls are there than every clean instance makes,
that is a sign and no proof. Calls that a crash or sampling explains are not counted.

Why: What was asked, and how long the caller waited for it, nobody will know when the bill comes.

Fix: Instrument the client that makes the call, and end its span also when the call fails.

Source: the audit's pattern 19, missing external call logging.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a service that calls others: its recorded calls, and those without a record."""
    rows = evidence.rows(_CALLERS, {"shown": SHOWN})
    return Judgement(
        tuple(
            Unit(row["service"] or "(no service name)", row["calls"] + row["lost"], _findings(row))
            for row in rows
        ),
        reason=_reason(evidence),
    )


def _reason(evidence: Evidence) -> str:
    if not evidence.has_baseline:
        return "needs-baseline"
    row = evidence.rows("""
        SELECT
            (SELECT count(*) > 0 FROM ghost WHERE cause <> 'killed') AS lacks,
            (SELECT count(*) > 0 FROM ghost WHERE cause = 'killed') AS was_killed,
            (
                SELECT count(*) > 0
                FROM missing_in_instance
                WHERE kind IN ('CLIENT', 'PRODUCER') AND deficit > 0
            ) AS is_short
    """)[0]
    if row["lacks"]:
        return "dropped"
    if row["was_killed"]:
        return "export-lag"
    return "estimated" if row["is_short"] else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["lost"]:
        return ()
    return (
        Finding(
            f"{counted(row['lost'], 'call')} of {row['service']} reached `{row['name']}` of"
            f" {row['callee']}, and it did not record {either(row['lost'], 'it', 'them')}.",
            subject=row["service"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_CALLERS: Final = """
    -- Servers that only one service is known to call.
    WITH known AS (
        SELECT callee, callee_name, min(caller) AS caller
        FROM (FROM pair UNION ALL BY NAME FROM baseline_pair)
        WHERE caller_kind = 'CLIENT'
        GROUP BY callee, callee_name
        HAVING count(DISTINCT caller) = 1
    ),
    lost AS (
        SELECT
            known.caller,
            node.span_no, node.span_id, node.start_ns, node.service, node.name,
            instance.correlation_id
        FROM ghost
        JOIN node
            ON node.trace_no = ghost.trace_no
            AND node.missing_parent = ghost.span_id
            AND node.kind = 'SERVER'
        JOIN known ON known.callee = node.service AND known.callee_name = node.name
        JOIN workflow_instance AS instance ON instance.instance_no = ghost.instance_no
        WHERE ghost.cause = 'not-exported'
            AND NOT instance.background
            AND known.caller <> node.service
            -- Of what it did for that trace something has come, or anybody else may have called.
            AND EXISTS (
                SELECT 1
                FROM node AS other
                WHERE other.trace_no = ghost.trace_no AND other.service = known.caller
            )
            -- It lived on, and what it did later has come.
            AND EXISTS (
                SELECT 1
                FROM instance_life AS life
                WHERE life.service = known.caller
                    AND life.first_ns <= ghost.first_ns
                    AND life.last_ns > ghost.last_ns
            )
    ),
    counted AS (
        SELECT
            lost.caller AS service,
            count(*) AS calls,
            arg_min(lost.service, (lost.start_ns, lost.span_id)) AS callee,
            arg_min(lost.name, (lost.start_ns, lost.span_id)) AS name,
            arg_min(lost.correlation_id, (lost.start_ns, lost.span_id)) AS instance,
            list(span.reference ORDER BY lost.start_ns, lost.span_id)[:$shown] AS evidence
        FROM lost
        JOIN span_reference AS span USING (span_no)
        GROUP BY lost.caller
    ),
    made AS (
        SELECT call.service, count(*) AS calls
        FROM outgoing_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        GROUP BY call.service
    )
    SELECT
        service,
        coalesce(made.calls, 0) AS calls,
        coalesce(counted.calls, 0) AS lost,
        counted.callee,
        counted.name,
        counted.instance,
        counted.evidence
    FROM made
    FULL JOIN counted USING (service)
    ORDER BY service
"""

CHECK = Check(
    id="OBS-07",
    title="No external call goes unrecorded",
    severity=Severity.HIGH,
    task=10,
    serves=("pattern-19",),
    judge=judge,
    judges_absence=True,
    remedy="Instrument the client that makes the call, and end its span also when the call fails.",
)
