"""Workers that a flood of messages brings down.

What: While a flood (one that the fault file names, and that sends at least twice as much as usual)
lasts, no worker dies, every message can be sent and is processed in the end, workers go on at an
even pace (each quarter of the time within half of the mean, over at least 20 messages), and the
memory of none of them grows: in the last third at most half as much again as in the first. It fails
where a worker dies or messages are refused. Without a metric of the workers' memory a person must
answer, and where a program was killed that a worker had begun, of whose memory their metrics tell
nothing.

Why: A queue is there to turn a flood into a wait. Where workers die of it, it becomes an outage.

Fix: Bound prefetch and concurrency, take in no more than fits into memory, and slow producers down
before the broker refuses them.

Source: the audit's test of backpressure; semantic conventions for process and runtime metrics.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# Assumed: what is too few to speak of a pace, what is even, and what is growth.
_FEWEST: Final = 20
_UNEVEN: Final = 0.5
_GROWN: Final = 1.5

MEMORY_METRIC: Final = (
    r"^(process\.memory\.usage|process\.runtime\..*memory|jvm\.memory\.used|go\.memory\.used"
    r"|container\.memory\.(usage|working_set)|v8js\.memory\.heap\.used)$"
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a queue that was flooded."""
    rows = evidence.rows(
        _FLOODED,
        {
            "shown": SHOWN,
            "fewest": _FEWEST,
            "uneven": _UNEVEN,
            "grown": _GROWN,
            "memory": MEMORY_METRIC,
        },
    )
    return Judgement(
        tuple(
            Unit(_name(row), int(_sustained(row) or bool(_findings(row))), _findings(row))
            for row in rows
        ),
        note=" ".join(_note(row) for row in rows),
        reason=_reason(rows),
        question="Was the workers' memory bounded? No metric says so."
        if any(row["is_bounded"] is None and _withstood(row) for row in rows)
        else "",
    )


def _name(row: Row) -> str:
    return f"{row['destination']} in {row['fault_id']}"


def _withstood(row: Row) -> bool:
    """All but the memory was as it should be."""
    is_whole = not row["unprocessed"] and not row["lacks_spans"]
    return bool(row["is_alone"] and row["is_even"] and is_whole)


def _sustained(row: Row) -> bool:
    return _withstood(row) and bool(row["is_bounded"])


def _findings(row: Row) -> tuple[Finding, ...]:
    # What two faults did cannot be laid to one of them.
    if not row["is_alone"] or not (row["refused"] or row["crashes"]):
        return ()
    what = [f"{counted(row['crashes'], 'worker')} died"] if row["crashes"] else []
    what += [f"{counted(row['refused'], 'message')} could not be sent"] if row["refused"] else []
    return (
        Finding(
            f"While `{row['fault_id']}` flooded `{row['destination']}`, {' and '.join(what)}.",
            subject=_name(row),
            fault=row["fault_id"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(row: Row) -> str:
    said = f"`{row['destination']}` held up to {counted(row['depth'], 'message')} of {row['sent']}."
    if row["is_bounded"] is False:
        said += " The workers' memory grew."
    if row["killed"]:
        were = either(row["killed"], "was", "were")
        said += (
            f" {counted(row['killed'], 'process', 'processes')} {were} killed that need be no"
            f" {either(row['killed'], 'worker', 'workers')}."
        )
    return said + ("" if row["is_even"] else " No even pace was seen.")


def _reason(rows: list[Row]) -> str:
    if any(row["lacks_spans"] for row in rows):
        return "dropped"
    if any(row["unprocessed"] for row in rows):
        return "unsettled"
    return "uninstrumented" if any(row["is_bounded"] is None for row in rows) else ""


_FLOODED: Final = """
    WITH worker AS (
        SELECT DISTINCT flood.fault_id, flood.destination, delivery.service
        FROM flooded_queue AS flood
        JOIN sent_message USING (destination)
        JOIN delivery ON delivery.creation_no = sent_message.span_no
    ),
    -- Who worked meanwhile. What one process needs says nothing of another.
    at_work AS (
        SELECT DISTINCT
            flood.fault_id, flood.destination, delivery.service,
            coalesce(delivery.instance_id, '') AS process
        FROM flooded_queue AS flood
        JOIN sent_message USING (destination)
        JOIN delivery ON delivery.creation_no = sent_message.span_no
        WHERE delivery.start_ns BETWEEN flood.start_ns AND flood.end_ns
    ),
    dead AS (
        SELECT flood.fault_id, flood.destination, count(*) AS crashes
        FROM flooded_queue AS flood
        JOIN worker USING (fault_id, destination)
        JOIN crash
            ON crash.service = worker.service
            AND crash.time_ns BETWEEN flood.start_ns AND flood.end_ns
        -- What the fault file did to a worker is no answer to the flood.
        WHERE crash.evidence NOT LIKE 'fault %'
        GROUP BY flood.fault_id, flood.destination
    ),
    -- Whether the memory ran out that a program needed which a worker had begun, no metric tells.
    other AS (
        SELECT flood.fault_id, flood.destination, count(*) AS killed
        FROM flooded_queue AS flood
        JOIN worker USING (fault_id, destination)
        JOIN killed_process AS process
            ON process.service = worker.service
            AND process.time_ns BETWEEN flood.start_ns AND flood.end_ns
        WHERE NOT process.is_own
        GROUP BY flood.fault_id, flood.destination
    ),
    taken AS (
        SELECT
            flood.fault_id,
            flood.destination,
            message.started_ns,
            count(*) OVER queue AS messages,
            4 * (message.started_ns - min(message.started_ns) OVER queue)
                // (1 + max(message.started_ns) OVER queue - min(message.started_ns) OVER queue)
                AS quarter
        FROM flooded_queue AS flood
        JOIN sent_message AS message USING (destination)
        WHERE message.sent_ns BETWEEN flood.start_ns AND flood.end_ns
            AND message.started_ns IS NOT NULL
        WINDOW queue AS (PARTITION BY flood.fault_id, flood.destination)
    ),
    pace AS (
        SELECT
            fault_id,
            destination,
            count(*) = 4
                AND min(messages) >= $fewest
                AND min(started) >= (1 - $uneven) * min(messages) / 4
                AND max(started) <= (1 + $uneven) * min(messages) / 4 AS is_even
        FROM (
            SELECT fault_id, destination, quarter, min(messages) AS messages, count(*) AS started
            FROM taken
            GROUP BY fault_id, destination, quarter
        )
        GROUP BY fault_id, destination
    ),
    measured AS (
        SELECT
            flood.fault_id,
            flood.destination,
            point.service,
            coalesce(point.instance_id, '') AS process,
            point.metric,
            max(point.value) FILTER (
                point.time_ns <= flood.start_ns + (flood.end_ns - flood.start_ns) / 3
            ) AS early,
            max(point.value) FILTER (
                point.time_ns >= flood.end_ns - (flood.end_ns - flood.start_ns) / 3
            ) AS late
        FROM flooded_queue AS flood
        JOIN worker USING (fault_id, destination)
        JOIN metric_point AS point
            ON point.service = worker.service
            AND point.time_ns BETWEEN flood.start_ns AND flood.end_ns
        WHERE regexp_matches(point.metric, $memory)
        GROUP BY ALL
    ),
    memory AS (
        SELECT
            fault_id,
            destination,
            count(DISTINCT (service, process)) FILTER (
                (fault_id, destination, service, process) IN (
                    SELECT (worker.fault_id, worker.destination, worker.service, worker.process)
                    FROM at_work AS worker
                )
            ) AS processes,
            bool_and(late <= $grown * early) AS is_bounded
        FROM measured
        WHERE early IS NOT NULL AND late IS NOT NULL
        GROUP BY fault_id, destination
    ),
    refused AS (
        SELECT
            flood.fault_id,
            flood.destination,
            list(span.reference ORDER BY span.start_ns, span.reference)[:$shown] AS evidence
        FROM flooded_queue AS flood
        JOIN sent_message AS message USING (destination)
        JOIN span_reference AS span USING (span_no)
        WHERE message.failed AND message.sent_ns BETWEEN flood.start_ns AND flood.end_ns
        GROUP BY flood.fault_id, flood.destination
    )
    SELECT
        flood.fault_id,
        flood.destination,
        flood.sent,
        flood.refused,
        flood.unprocessed,
        flood.depth,
        flood.is_alone,
        coalesce(dead.crashes, 0) AS crashes,
        coalesce(other.killed, 0) AS killed,
        coalesce(pace.is_even, false) AS is_even,
        CASE
            WHEN other.killed IS NULL AND memory.processes = (
                SELECT count(*)
                FROM at_work AS worker
                WHERE worker.fault_id = flood.fault_id AND worker.destination = flood.destination
            )
            THEN memory.is_bounded
        END AS is_bounded,
        EXISTS (
            SELECT 1
            FROM ghost
            WHERE ghost.last_ns >= flood.start_ns AND ghost.first_ns <= flood.end_ns
        ) AS lacks_spans,
        refused.evidence
    FROM flooded_queue AS flood
    LEFT JOIN dead USING (fault_id, destination)
    LEFT JOIN other USING (fault_id, destination)
    LEFT JOIN pace USING (fault_id, destination)
    LEFT JOIN memory USING (fault_id, destination)
    LEFT JOIN refused USING (fault_id, destination)
    ORDER BY flood.destination, flood.fault_id
"""

CHECK = Check(
    id="Q-06",
    title="Workers sustain a flood",
    severity=Severity.MEDIUM,
    task=8,
    serves=("TEST-RR-Q03",),
    judge=judge,
    remedy="Bound prefetch and concurrency, and slow producers down before the broker refuses.",
)
