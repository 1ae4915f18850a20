"""Jobs that are called completed although items of them failed.

What: No job whose last word on itself is completed has an item that failed for good. Jobs of which
an item failed, and that say something else of themselves, are the proof. How a task ended is no
state of its job; an item that was completed when it was tried again did not fail. Rows of the
system's own database (`audit --state`) count failed items, too.

Why: It is the impossible state that costs most: nobody looks at a completed job again.

Fix: Compute the state of a job from its items when it ends, in the same transaction.

Source: the audit's test that there are no impossible states.
"""

from collections.abc import Iterator

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
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


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
        counted AS (
            SELECT instance_no, items_failed
            FROM state_row
            WHERE is_last AND items_failed > 0 AND instance_no IS NOT NULL
        ),
        bad AS (
            SELECT instance_no, coalesce(failed.items, counted.items_failed) AS items
            FROM failed
            FULL JOIN counted USING (instance_no)
        ),
        ended AS (
            SELECT
                instance_no,
                arg_max(state, time_ns) AS state,
                arg_max(
                    {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
                     'span_id': coalesce(format('{:016x}', node.span_id), ''),
                     'log': CASE WHEN node.span_no IS NULL THEN state_record.log_no END,
                     'row': state_record.row_no},
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
            min(instance.correlation_id) FILTER (ended.state = 'completed') AS instance,
            arg_min(bad.items, instance.correlation_id) FILTER (ended.state = 'completed')
                AS items,
            list(ended.evidence ORDER BY instance.correlation_id)
                FILTER (ended.state = 'completed')[:$shown] AS evidence
        FROM bad
        JOIN ended USING (instance_no)
        JOIN workflow_instance AS instance USING (instance_no)
        GROUP BY instance.workflow
        ORDER BY instance.workflow
        """,
        {"shown": SHOWN},
    )
    units = tuple(Unit(row["workflow"], row["jobs"], _findings(row)) for row in rows)
    return Judgement(units + tuple(_of_rows(evidence)))


def _of_rows(evidence: Evidence) -> Iterator[Unit]:
    """A unit of the jobs with failed items of which the database alone knows."""
    [row] = evidence.rows(
        """
        SELECT
            count(*) AS jobs,
            count(*) FILTER (state = 'completed') AS wrong,
            min(unit) FILTER (state = 'completed') AS instance,
            arg_min(items_failed, unit) FILTER (state = 'completed') AS items,
            list(row_no ORDER BY unit) FILTER (state = 'completed')[:$shown] AS lines
        FROM state_row
        WHERE is_last AND is_final AND items_failed > 0 AND instance_no IS NULL
        """,
        {"shown": SHOWN},
    )
    finding = Finding(
        f"The database calls {counted(row['wrong'], 'job')} completed with failed items of which"
        f" no telemetry came; `{row['instance']}` has {row['items']}.",
        subject="state rows",
        instance=row["instance"] or "",
        evidence=tuple(Reference(row=line) for line in row["lines"] or ()),
    )
    if row["jobs"]:
        yield Unit("state rows", row["jobs"], (finding,) if row["wrong"] else ())


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["wrong"]:
        return ()
    return (
        Finding(
            f"{counted(row['wrong'], 'job')} of `{row['workflow']}`"
            f" {either(row['wrong'], 'is', 'are')} called completed with failed items;"
            f" `{row['instance']}` has {row['items']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
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
