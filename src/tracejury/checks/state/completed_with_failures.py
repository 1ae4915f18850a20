"""Jobs that are called completed although items of them failed.

What: No job whose last word on itself is completed has an item that failed for good. Jobs of which
an item failed, and that say something else of themselves, are the proof. How a task ended is no
state of its job; an item that was completed when it was tried again did not fail.

Why: It is the impossible state that costs most: nobody looks at a completed job again.

Fix: Compute the state of a job from its items when it ends, in the same transaction.

Source: the audit's test that there are no impossible states.
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row

_SHOWN: Final = 5


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs with failed items that said how they ended."""
    rows = evidence.rows(
        """
        WITH failed AS (
            SELECT instance_no, count(*) AS items
            FROM (
                SELECT instance_no, item, arg_max(failed, number) AS failed
                FROM item_run
                GROUP BY instance_no, item
            )
            WHERE failed
            GROUP BY instance_no
        ),
        ended AS (
            SELECT
                instance_no,
                arg_max(state, time_ns) AS state,
                arg_max(
                    {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
                     'span_id': coalesce(format('{:016x}', node.span_id), ''),
                     'log': CASE WHEN node.span_no IS NULL THEN state_record.log_no END},
                    time_ns
                ) AS evidence
            FROM state_record
            LEFT JOIN node USING (span_no)
            LEFT JOIN trace USING (trace_no)
            WHERE level = 'job' AND is_final
            GROUP BY instance_no
        )
        SELECT
            instance.workflow,
            count(*) AS jobs,
            count(*) FILTER (ended.state = 'completed') AS wrong,
            coalesce(min(instance.correlation_id) FILTER (ended.state = 'completed'), '')
                AS instance,
            arg_min(failed.items, instance.correlation_id) FILTER (ended.state = 'completed')
                AS items,
            coalesce(
                list(ended.evidence ORDER BY instance.correlation_id)
                    FILTER (ended.state = 'completed')[:$shown],
                []
            ) AS evidence
        FROM failed
        JOIN ended USING (instance_no)
        JOIN workflow_instance AS instance USING (instance_no)
        GROUP BY instance.workflow
        ORDER BY instance.workflow
        """,
        {"shown": _SHOWN},
    )
    return Judgement(tuple(Unit(row["workflow"], row["jobs"], _findings(row)) for row in rows))


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["wrong"]:
        return ()
    return (
        Finding(
            f"{row['wrong']} jobs of `{row['workflow']}` are called completed with failed items;"
            f" `{row['instance']}` has {row['items']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=tuple(Reference(**entry) for entry in row["evidence"]),
        ),
    )


CHECK = Check(
    id="ST-03",
    title="No completed batch has failed items",
    severity=Severity.HIGH,
    task=9,
    serves=("TEST-RR-S02",),
    judge=judge,
    judges_absence=True,
    remedy="Compute the state of a job from its items when it ends.",
)
