"""Jobs that nothing ends.

What: Of every type of job at least one was ended within the bound (30 minutes) by a limit of the
whole job, while a step of it was still open, and did not end well. It fails where a job went on for
longer than the bound and nothing cut it off by then. A timeout of one of its calls that ended the
job is no limit of the job, and a limit that is only configured was never seen to work. Where the
span of a job never came, nobody knows whether something ended it.

Why: Step timeouts do not add up to a limit: retries, loops and a step without a timeout make a job
last as long as they like, and it holds its worker and its place.

Fix: Give each type of job a maximum duration that its runner enforces (Celery `task_time_limit`, a
workflow's execution timeout), above the longest good run and below the visibility timeout.

Source: the audit's pattern 2, no job-level timeout.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow that has jobs: the jobs that a limit ended, or that nothing did."""
    bound_ns = evidence.policy.job_seconds * 1e9
    rows = evidence.rows(_JOBS, {"bound_ns": bound_ns, "shown": SHOWN})
    units = tuple(
        Unit(row["workflow"], row["limited"] + row["endless"], _findings(row, bound_ns))
        for row in rows
    )
    configured = [row["workflow"] for row in rows if row["configured"] and not row["limited"]]
    note = f"Configured, never seen to work: {', '.join(configured)}." if configured else ""
    is_open = bool(evidence.rows(_OPEN)[0]["some"])
    return Judgement(units, note=note, reason="dropped" if is_open else "")


def _findings(row: Row, bound_ns: float) -> tuple[Finding, ...]:
    if not row["endless"]:
        return ()
    return (
        Finding(
            f"{counted(row['endless'], 'job')} of `{row['workflow']}` went on for up to"
            f" {row['longest_s']:.1f} s; nothing ended {either(row['endless'], 'it', 'them')} at"
            f" the bound of {bound_ns / 1000000000.0:g} s.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_OPEN: Final = """
    SELECT count(*) > 0 AS some
    FROM ghost
    JOIN job USING (instance_no)
    WHERE ghost.kind IN ('CONSUMER', '')
        AND ghost.cause <> 'killed'
        AND ghost.instance_no NOT IN (SELECT ended_by_limit.instance_no FROM ended_by_limit)
"""

_JOBS: Final = """
    -- What runs a job: the outermost span that took it from a queue.
    WITH taken AS (
        SELECT delivery.instance_no, node.span_no, node.duration_ns
        FROM delivery
        JOIN node USING (span_no)
    ),
    limited AS (
        SELECT instance_no
        FROM ended_by_limit
        WHERE has_open_step AND limit_ns <= $bound_ns
    ),
    configured AS (
        SELECT DISTINCT instance.instance_no
        FROM stored.span_attribute AS attribute
        JOIN node USING (span_no)
        JOIN trace_instance AS instance USING (trace_no)
        WHERE attribute.key = 'celery.timelimit'
    ),
    job AS (
        SELECT
            instance.instance_no,
            instance.workflow,
            instance.correlation_id,
            max(taken.duration_ns) AS duration_ns,
            arg_max(taken.span_no, taken.duration_ns) AS span_no,
            any_value(limited.instance_no) IS NOT NULL AS is_limited,
            any_value(configured.instance_no) IS NOT NULL AS is_configured
        FROM taken
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN limited USING (instance_no)
        LEFT JOIN configured USING (instance_no)
        WHERE NOT instance.background
        GROUP BY ALL
    ),
    judged AS (
        SELECT *, coalesce(duration_ns > $bound_ns, false) AND NOT is_limited AS is_endless
        FROM job
    )
    SELECT
        judged.workflow,
        count(*) FILTER (judged.is_limited) AS limited,
        count(*) FILTER (judged.is_endless) AS endless,
        bool_or(judged.is_configured) AS configured,
        max(judged.duration_ns) FILTER (judged.is_endless) / 1e9 AS longest_s,
        arg_max(judged.correlation_id, judged.duration_ns) FILTER (judged.is_endless) AS instance,
        list(span.reference ORDER BY judged.duration_ns DESC, judged.span_no)
            FILTER (judged.is_endless)[:$shown] AS evidence
    FROM judged
    LEFT JOIN span_reference AS span USING (span_no)
    GROUP BY judged.workflow
    ORDER BY judged.workflow
"""

CHECK = Check(
    id="TIM-06",
    title="Every job has a maximum duration",
    severity=Severity.CRITICAL,
    task=3,
    serves=("pattern-2", "TEST-RR-T02", "CRITICAL-2"),
    judge=judge,
    remedy="Give each type of job a time limit that its runner enforces, and hang one to see it.",
)
