"""Work that paused while a target was down, without a word to who waits for it.

What: Each time that a target fails at least three calls in a row, a log record of each job that
calls it says that the work paused, how much of it is done, and why. Nothing else of what users are
told can be seen in telemetry, so where no record says it, a person must answer.

Why: Who is told nothing asks for the same work again, and so makes the outage worse.

Fix: When a breaker opens, log it once for each job with its progress and its cause, and show users
the same.

Source: the audit's test of a systemic failure.
"""

from typing import Final

from tracejury.checks.check import Check, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence

# How far the work has come; paths and dates, and what counts attempts, tell something else.
_PROGRESS: Final = r"(^|[^/\w.-])\d+ ?(of|/|out of) ?\d+($|[^/\w])"
_ATTEMPTS: Final = r"\b(attempt|try|retry)\W+\d+ ?(of|/|out of) ?\d+\b"
_PAUSE: Final = r"\b(paus|on hold|postpon|defer|resum|suspend|delayed|continues? (later|when))"
_CAUSE: Final = (
    r"\b(breaker|unavailable|outage|overload|unreachable|is down|not respond|does not answer"
    r"|timed? ?out)"
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow that called a target while it was down."""
    rows = evidence.rows(
        """
        WITH hit AS (
            SELECT DISTINCT
                called.instance_no,
                outage.target,
                outage.start_ns,
                coalesce(outage.until_ns, outage.last_ns) AS end_ns
            FROM outage
            JOIN outage_call AS called USING (service, process, target)
            WHERE called.failed AND called.start_ns BETWEEN outage.start_ns AND outage.last_ns
        ),
        told AS (
            SELECT DISTINCT hit.instance_no, hit.target, hit.start_ns, hit.end_ns
            FROM hit
            JOIN log_instance USING (instance_no)
            JOIN stored.log_record AS log USING (log_no)
            WHERE greatest(log.time_ns, log.observed_ns) BETWEEN hit.start_ns AND hit.end_ns
                AND regexp_matches(log.body, $progress, 'i')
                AND NOT regexp_matches(log.body, $attempts, 'i')
                AND regexp_matches(log.body, $pause, 'i')
                AND (
                    regexp_matches(log.body, $cause, 'i')
                    OR contains(lower(log.body), lower(hit.target))
                )
        )
        SELECT
            instance.workflow,
            count(*) AS paused,
            count(told.instance_no) AS told
        FROM hit
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN told
            ON told.instance_no = hit.instance_no
            AND told.target = hit.target
            AND (told.start_ns, told.end_ns) = (hit.start_ns, hit.end_ns)
        GROUP BY instance.workflow
        ORDER BY instance.workflow
        """,
        {"progress": _PROGRESS, "attempts": _ATTEMPTS, "pause": _PAUSE, "cause": _CAUSE},
    )
    untold = [f"`{row['workflow']}`" for row in rows if row["told"] < row["paused"]]
    return Judgement(
        tuple(
            Unit(row["workflow"], row["told"] if row["told"] == row["paused"] else 0)
            for row in rows
        ),
        question=f"Were the users of {', '.join(untold)} told that their work paused, how far it"
        " was, and why?"
        if untold
        else "",
    )


CHECK = Check(
    id="PAR-07",
    title="The user is told of the pause",
    severity=Severity.MEDIUM,
    task=4,
    serves=("TEST-RR-P02",),
    judge=judge,
    remedy="When work pauses, log how far it is and why it waits, and show users the same.",
)
