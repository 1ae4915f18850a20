"""Jobs that began and never ended.

What: Every job that began reached an end, and of each type at least one did so although a crash or
a time limit hit it, or a hang that it gave up. It fails where a job did not end while the run went
on for longer than a job may stay without a word (the longest of the stuck bound, the job bound and
ten times the 99th percentile). A lost span is no stuck job: a later record, a final state or
another delivery counts, and where a span is lost that had ended, nothing is said of the job. Rows
of the system's own database (`audit --state`) have the last word, also on jobs that sent nothing:
one that is open for as long before the newest row is stuck.

Why: A stuck job is work that somebody waits for and nobody does, found by the customer.

Fix: Give every job a deadline, and let a reaper end or requeue what is past it.

Source: the audit's pattern 14, stuck jobs undetected.
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
    longest_short_s,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow that has jobs: those that were hit and ended, or did not end."""
    rows = evidence.rows(
        """
        WITH judged AS (
            SELECT
                *,
                NOT is_ended AND is_overdue AND NOT is_lost AS is_stuck,
                NOT is_ended AND NOT is_overdue AS is_waiting
            FROM job
        )
        SELECT
            judged.workflow,
            count(*) FILTER (judged.hit_by <> '' AND judged.is_ended) AS survived,
            count(*) FILTER (judged.is_stuck) AS stuck,
            count(*) FILTER (judged.is_lost) AS lost,
            count(*) FILTER (judged.is_waiting) AS waiting,
            max(judged.short_ns) FILTER (NOT judged.is_ended) AS short_ns,
            max(judged.open_ns) FILTER (judged.is_stuck) / 1e9 AS longest_s,
            min(judged.job) FILTER (judged.is_stuck) AS instance,
            arg_min(coalesce(judged.state, ''), judged.job) FILTER (judged.is_stuck) AS state,
            list(span.reference ORDER BY judged.job) FILTER (judged.is_stuck)[:$shown] AS evidence
        FROM judged
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN span_reference AS span ON span.span_no = instance.entry_span_no
        GROUP BY judged.workflow
        ORDER BY judged.workflow
        """,
        {"shown": SHOWN},
    )
    is_lost, is_waiting = (any(row[column] for row in rows) for column in ("lost", "waiting"))
    return Judgement(
        tuple(Unit(row["workflow"], row["survived"] + row["stuck"], _findings(row)) for row in rows)
        + tuple(_of_rows(evidence)),
        reason="dropped" if is_lost else "unsettled" if is_waiting else "",
        short_s=longest_short_s(rows),
    )


def _of_rows(evidence: Evidence) -> Iterator[Unit]:
    """A unit of the jobs that the database has open, and of which no telemetry came."""
    bound_s = max(evidence.policy.stuck_seconds, evidence.policy.job_seconds)
    [row] = evidence.rows(
        """
        SELECT
            count(*) AS stuck,
            min(unit) AS unit,
            arg_min(state, unit) AS state,
            max(read_ns - updated_ns) / 1e9 AS longest_s,
            list(row_no ORDER BY unit)[:$shown] AS lines
        FROM state_row
        WHERE is_last
            AND instance_no IS NULL
            AND state IN ('queued', 'processing', 'retrying')
            AND read_ns - updated_ns > $bound_ns
        """,
        {"bound_ns": int(bound_s * 1e9), "shown": SHOWN},
    )
    if row["stuck"]:
        finding = Finding(
            f"The database has {counted(row['stuck'], 'job')} open of which no telemetry came,"
            f" `{row['unit']}` for one, in state {row['state']}; the longest for"
            f" {row['longest_s']:.0f} s.",
            subject="state rows",
            instance=row["unit"],
            evidence=tuple(Reference(row=line) for line in row["lines"]),
        )
        yield Unit("state rows", row["stuck"], (finding,))


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["stuck"]:
        return ()
    state = f", in state {row['state']}" if row["state"] else ""
    return (
        Finding(
            f"{counted(row['stuck'], 'job')} of `{row['workflow']}` began and never ended,"
            f" `{row['instance']}` for one{state}; the run went on for {row['longest_s']:.0f} s"
            " without a word of it.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


CHECK = Check(
    id="ST-01",
    title="Stuck jobs are detected and resolved",
    severity=Severity.CRITICAL,
    task=9,
    serves=("pattern-14", "CRITICAL-6", "TEST-RR-S02"),
    judge=judge,
    judges_absence=True,
    remedy="Give every job a deadline, and let a reaper end or requeue what is past it.",
)
