"""Workflows that are not what they were, long after a fault is over.

What: Of each workflow that a fault of the fault file made fail more often, or take longer, the
instances after the fault are as before it: the success share at most five points below, and the
95th percentile at most half as long again. The later half of those that began within the bound
(`recovery_seconds`, or up to the next fault) is compared, at least five, with at least five from
before. It fails where they still are not so at the bound. Where an operator stepped in meanwhile,
nothing is concluded of the system. Backlogs that drain and caches that warm up take their time:
that is what the bound is for.

Why: An outage ends when customers are served again, and not when its cause is gone.

Fix: Bound queues and retries so that a backlog drains faster than it grows, reconnect by yourself,
and close breakers again after a probe.

Source: the purpose of the audit; its test of a worker crash.
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row

_SHOWN: Final = 5

# Assumed: how far from before an instance may be and count as recovered, and what is too few.
_WORSE: Final = 0.05
_SLOWER: Final = 1.5
_FEWEST: Final = 5


def judge(evidence: Evidence) -> Judgement:
    """One unit a fault and a workflow that it harmed."""
    rows = evidence.rows(
        _AROUND,
        {
            "shown": _SHOWN,
            "worse": _WORSE,
            "slower": _SLOWER,
            "fewest": _FEWEST,
            "bound_ns": evidence.policy.recovery_seconds * 1e9,
        },
    )
    return Judgement(
        tuple(Unit(_name(row), int(row["fate"] in _DECIDED), _findings(row)) for row in rows),
        note=" ".join(filter(None, map(_note, rows))),
        reason=_reason(rows),
    )


_DECIDED: Final = ("recovered", "damaged")


def _name(row: Row) -> str:
    return f"{row['workflow']} after {row['fault_id']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if row["fate"] != "damaged":
        return ()
    return (
        Finding(
            f"`{row['workflow']}` has not recovered from `{row['fault_id']}` within"
            f" {row['bound_s']:.0f} s: success {row['before']:.0%} before,"
            f" {row['after']:.0%} after; p95 {row['before_s']:.1f} s before,"
            f" {row['after_s']:.1f} s after.",
            subject=_name(row),
            fault=row["fault_id"],
            evidence=tuple(Reference(**entry) for entry in row["evidence"]),
        ),
    )


def _note(row: Row) -> str:
    if row["fate"] == "unknown":
        return f"`{row['workflow']}` ran too seldom before `{row['fault_id']}` to compare with."
    if row["fate"] != "recovered":
        return ""
    return (
        f"`{row['workflow']}` recovered from `{row['fault_id']}` within {row['recovered_s']:.0f} s"
        f" of its end: success {row['before']:.0%}, {row['during']:.0%}, {row['after']:.0%}; p95"
        f" {row['before_s']:.1f} s, {row['during_s']:.1f} s, {row['after_s']:.1f} s."
    )


def _reason(rows: list[Row]) -> str:
    for fate, reason in (
        ("early", "unsettled"),
        ("helped", "units"),
        ("unclear", "dropped"),
    ):
        if any(row["fate"] == fate for row in rows):
            return reason
    return ""


_AROUND: Final = """
    WITH judged AS (
        SELECT
            fault.id AS fault_id,
            fault.start_ns AS from_ns,
            fault.end_ns AS until_ns,
            least(
                fault.end_ns + $bound_ns,
                (SELECT min(other.start_ns) FROM fault AS other WHERE other.start_ns > fault.end_ns)
            )::BIGINT AS bound_ns
        FROM fault
        JOIN run_time ON fault.start_ns <= run_time.until_ns AND fault.end_ns >= run_time.from_ns
        -- What two faults did at once cannot be laid to one of them.
        WHERE NOT EXISTS (
            SELECT 1
            FROM fault AS other
            WHERE other.id <> fault.id
                AND other.start_ns <= fault.end_ns
                AND other.end_ns >= fault.start_ns
        )
    ),
    ran AS (
        SELECT
            judged.fault_id,
            instance.workflow,
            instance.instance_no,
            instance.entry_span_no,
            -- What is known to be missing may have failed.
            CASE
                WHEN instance.outcome = 'ok' AND missing.instance_no IS NOT NULL THEN 'unknown'
                ELSE instance.outcome
            END AS outcome,
            instance.start_ns,
            instance.end_ns,
            (instance.end_ns - instance.start_ns)::DOUBLE AS took_ns,
            CASE
                WHEN instance.end_ns < judged.from_ns THEN CASE WHEN NOT EXISTS (
                    SELECT 1
                    FROM fault AS earlier
                    WHERE earlier.id <> judged.fault_id
                        AND earlier.start_ns <= instance.end_ns
                        AND earlier.end_ns + $bound_ns >= instance.start_ns
                ) THEN 'before' END
                WHEN instance.start_ns <= judged.until_ns THEN 'during'
                WHEN instance.start_ns <= judged.bound_ns THEN 'after'
            END AS phase
        FROM judged
        CROSS JOIN workflow_instance AS instance
        LEFT JOIN (
            SELECT DISTINCT instance_no
            FROM missing_in_instance
        ) AS missing ON missing.instance_no = instance.instance_no
        WHERE NOT instance.background
    ),
    ordered AS (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY fault_id, workflow, phase ORDER BY start_ns DESC, end_ns DESC
            ) AS from_last,
            count(*) OVER (PARTITION BY fault_id, workflow, phase) AS instances
        FROM ran
        WHERE phase IS NOT NULL
    ),
    share AS (
        SELECT
            fault_id,
            workflow,
            CASE WHEN phase = 'after' THEN 'tail' ELSE phase END AS phase,
            count(*) AS instances,
            count(*) FILTER (outcome = 'ok') / count(*) AS ok,
            count(*) FILTER (outcome <> 'failed') / count(*) AS not_failed,
            quantile_cont(took_ns, 0.95) AS p95_ns,
            list(entry_span_no ORDER BY start_ns, end_ns) FILTER (outcome = 'failed') AS failed_nos
        FROM ordered
        -- Of those after it the later half.
        WHERE phase <> 'after' OR from_last <= greatest($fewest, instances / 2)
        GROUP BY ALL
    ),
    around AS (
        SELECT
            judged.fault_id,
            judged.from_ns,
            judged.until_ns,
            judged.bound_ns,
            during.workflow,
            coalesce(before.instances, 0) AS befores,
            before.ok AS before,
            before.p95_ns AS before_ns,
            during.ok AS during,
            during.not_failed AS during_not_failed,
            during.p95_ns AS during_ns,
            coalesce(tail.instances, 0) AS tails,
            tail.ok AS after,
            tail.not_failed AS after_not_failed,
            tail.p95_ns AS after_ns,
            tail.failed_nos
        FROM judged
        JOIN share AS during ON during.fault_id = judged.fault_id AND during.phase = 'during'
        LEFT JOIN share AS before
            ON before.fault_id = during.fault_id
            AND before.workflow = during.workflow
            AND before.phase = 'before'
        LEFT JOIN share AS tail
            ON tail.fault_id = during.fault_id
            AND tail.workflow = during.workflow
            AND tail.phase = 'tail'
    ),
    -- When the last instance began that was not as before.
    late AS (
        SELECT ran.fault_id, ran.workflow, max(ran.start_ns) AS last_ns
        FROM ran
        JOIN around USING (fault_id, workflow)
        WHERE ran.phase = 'after'
            AND (ran.outcome = 'failed' OR ran.took_ns > $slower * around.before_ns)
        GROUP BY ran.fault_id, ran.workflow
    ),
    operated AS (
        SELECT workflow AS name
        FROM workflow
        WHERE trigger = 'admin'
    ),
    run AS (
        SELECT max(last_ns) AS end_ns
        FROM instance_life
    ),
    fated AS (
        SELECT
            around.*,
            greatest(coalesce(late.last_ns, 0) - around.until_ns, 0) / 1e9 AS recovered_s,
            CASE
                WHEN around.befores < $fewest THEN 'unknown'
                WHEN EXISTS (
                    SELECT 1
                    FROM ran
                    WHERE ran.fault_id = around.fault_id
                        AND ran.phase IN ('during', 'after')
                        AND ran.workflow IN (SELECT name FROM operated)
                ) THEN 'helped'
                WHEN around.tails >= $fewest
                    AND around.after >= around.before - $worse
                    AND around.after_ns <= $slower * around.before_ns
                    THEN 'recovered'
                WHEN around.tails < $fewest OR run.end_ns < around.bound_ns THEN 'early'
                WHEN around.after_not_failed < around.before - $worse
                    OR around.after_ns > $slower * around.before_ns
                    THEN 'damaged'
                ELSE 'unclear'
            END AS fate
        FROM around
        CROSS JOIN run
        LEFT JOIN late USING (fault_id, workflow)
        -- A workflow that the fault did no harm has nothing to recover from.
        WHERE around.workflow NOT IN (SELECT name FROM operated)
            AND (
                around.befores < $fewest
                OR around.during < around.before - $worse
                OR around.during_ns > $slower * around.before_ns
            )
    )
    SELECT
        fated.fault_id,
        fated.workflow,
        fated.fate,
        fated.recovered_s,
        (fated.bound_ns - fated.until_ns) / 1e9 AS bound_s,
        fated.before,
        fated.during,
        fated.after,
        fated.before_ns / 1e9 AS before_s,
        fated.during_ns / 1e9 AS during_s,
        fated.after_ns / 1e9 AS after_s,
        coalesce(
            (
                SELECT list(
                    {'trace_id': lower(hex(trace.trace_id)),
                     'span_id': format('{:016x}', node.span_id)}
                    ORDER BY node.start_ns, trace.trace_id, node.span_id
                )[:$shown]
                FROM node
                JOIN trace USING (trace_no)
                WHERE list_contains(fated.failed_nos, node.span_no)
            ),
            []
        ) AS evidence
    FROM fated
    ORDER BY fated.workflow, fated.fault_id
"""

CHECK = Check(
    id="RSM-05",
    title="The system recovers without intervention",
    severity=Severity.HIGH,
    task=6,
    serves=("TEST-RR-RE01",),
    judge=judge,
    remedy="Bound queues and retries, reconnect by yourself, and close breakers after a probe.",
)
