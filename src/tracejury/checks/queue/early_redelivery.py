"""Messages that come again while somebody is still working on them.

What: Where a message is delivered again although nobody gave it back, its first worker is done with
it or dead by then, and it comes sooner than a job may last. It fails where both work on it at the
same time. What is reported is the observed delay: it may be many times the configured timeout,
which is a question for the queue's configuration. A delivery that failed gave its message back, and
two spans of one process tell of one delivery.

Why: A visibility timeout shorter than the work has every long job done twice, at the same time.

Fix: Make the visibility timeout (ack deadline, consumer timeout) longer than the longest job, or
extend the lease while the work goes on, and shorter than the limit of the whole job.

Source: the audit's pattern 13, no visibility timeout; semantic conventions for messaging spans.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a destination from which a message came again."""
    rows = evidence.rows(
        _AGAIN,
        {
            "shown": SHOWN,
            "job_ns": evidence.policy.job_seconds * 1e9,
            "skew_ns": evidence.policy.skew_seconds * 1e9,
        },
    )
    return Judgement(
        tuple(
            Unit(row["destination"] or "?", row["in_turn"] + row["at_once"], _findings(row))
            for row in rows
        ),
        note=_note(rows),
        reason=_reason(rows),
    )


def _reason(rows: list[Row]) -> str:
    if any(row["unclear"] for row in rows):
        return "dropped"
    return "units" if any(row["late"] and row["in_turn"] for row in rows) else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["at_once"]:
        return ()
    return (
        Finding(
            f"{counted(row['at_once'], 'message')} from `{row['destination'] or '?'}` came again"
            f" while {either(row['at_once'], 'it was', 'they were')} in work, for one"
            f" {row['after_s']:.1f} s after its first delivery, which took {row['took_s']:.1f} s.",
            subject=row["destination"] or "?",
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    delays = [row["delay_s"] for row in rows if row["delay_s"] is not None]
    late = sum(row["late"] for row in rows)
    if not delays:
        return ""
    said = (
        f"Delivered again after {max(delays):.1f} s at the latest; what is configured, nobody sees."
    )
    return said + (f" {late} came later than a job may last." if late else "")


_AGAIN: Final = """
    WITH again AS (
        SELECT
            later.span_no,
            later.instance_no,
            later.destination,
            later.service,
            later.start_ns,
            earlier.span_no AS earlier_no,
            earlier.start_ns AS earlier_ns,
            earlier.end_ns AS ended_ns,
            earlier.failed AS gave_back,
            earlier.instance_id IS NOT DISTINCT FROM later.instance_id AS is_same_process
        FROM delivery AS later
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN delivery AS earlier
            ON earlier.creation_no = later.creation_no
            AND earlier.consumer_group = later.consumer_group
            AND earlier.service = later.service
            AND earlier.number = later.number - 1
        WHERE later.is_again AND NOT instance.background
    ),
    -- Of a delivery that is not stored, the last sign in the records of what it had begun.
    sign AS (
        SELECT ghost.instance_no, ghost.service, max(ghost.last_ns) AS last_ns
        FROM ghost
        WHERE ghost.kind IN ('CONSUMER', '')
        GROUP BY ghost.instance_no, ghost.service
    ),
    timed AS (
        SELECT
            again.*,
            -- The clocks of two hosts may differ by so much.
            CASE WHEN earlier.host IS NOT DISTINCT FROM later.host THEN 0 ELSE $skew_ns END
                AS slack_ns,
            crash_hit.crashed_ns,
            sign.last_ns AS sign_ns
        FROM again
        JOIN node AS later USING (span_no)
        LEFT JOIN node AS earlier ON earlier.span_no = again.earlier_no
        LEFT JOIN crash_hit
            ON crash_hit.instance_no = again.instance_no
            AND crash_hit.service = again.service
            AND again.earlier_no IS NULL
        LEFT JOIN sign
            ON sign.instance_no = again.instance_no
            AND sign.service = again.service
            AND again.earlier_no IS NULL
    ),
    judged AS (
        SELECT
            *,
            (start_ns - coalesce(earlier_ns, crashed_ns)) AS delay_ns,
            CASE
                WHEN earlier_no IS NULL AND crashed_ns IS NULL THEN 'unclear'
                WHEN earlier_no IS NULL AND (start_ns < crashed_ns OR sign_ns > start_ns)
                    THEN 'unclear'
                WHEN earlier_no IS NULL THEN 'in turn'
                WHEN is_same_process THEN 'told twice'
                WHEN ended_ns > start_ns + slack_ns THEN 'at once'
                WHEN gave_back THEN 'given back'
                WHEN ended_ns <= start_ns - slack_ns THEN 'in turn'
                ELSE 'unclear'
            END AS how
        FROM timed
    )
    SELECT
        judged.destination,
        count(*) FILTER (judged.how = 'in turn' AND judged.delay_ns < $job_ns) AS in_turn,
        count(*) FILTER (judged.how = 'in turn' AND judged.delay_ns >= $job_ns) AS late,
        count(*) FILTER (judged.how = 'at once') AS at_once,
        count(*) FILTER (judged.how = 'unclear') AS unclear,
        max(judged.delay_ns) FILTER (judged.how = 'in turn') / 1e9 AS delay_s,
        arg_min(judged.delay_ns, (span.start_ns, span.reference))
            FILTER (judged.how = 'at once') / 1e9 AS after_s,
        arg_min(judged.ended_ns - judged.earlier_ns, (span.start_ns, span.reference))
            FILTER (judged.how = 'at once') / 1e9 AS took_s,
        arg_min(instance.correlation_id, (span.start_ns, span.reference))
            FILTER (judged.how = 'at once') AS instance,
        list(span.reference ORDER BY span.start_ns, span.reference)
            FILTER (judged.how = 'at once')[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span USING (span_no)
    WHERE judged.how NOT IN ('told twice', 'given back')
    GROUP BY judged.destination
    ORDER BY judged.destination
"""

CHECK = Check(
    id="Q-03",
    title="The visibility timeout fits the work",
    severity=Severity.HIGH,
    task=8,
    serves=("pattern-13", "TEST-RR-Q02"),
    judge=judge,
    remedy="Make the visibility timeout longer than the longest job, or extend it during the work.",
)
