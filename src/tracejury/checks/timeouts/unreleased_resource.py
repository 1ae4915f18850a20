"""Timeouts after which nobody cleans up.

What: After each call that was given up, something that says so releases what it held: a ROLLBACK,
an aborted upload, a log record of a clean-up. It fails where the same process later ran out of
connections or files, and had not before its first timeout. That nothing is recorded proves nothing,
which is the usual state.

Why: Each timeout keeps a connection, a transaction or a file, until the pool is empty and every
other job waits for it.

Fix: Release in a `finally` or a context manager what the call held, and log it.

Source: the audit's test of external call timeouts: resources released.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target that it gave up: it counts once all instances cleaned up."""
    rows = evidence.rows(
        _GIVEN_UP,
        {
            "released": f"(?i){lexicon.RELEASED_MESSAGE.pattern}",
            "exhausted": f"(?i){lexicon.OUT_OF_RESOURCES_MESSAGE.pattern}",
            "shown": SHOWN,
        },
    )
    return Judgement(
        tuple(
            Unit(
                _name(row),
                (row["released"] if row["released"] == row["instances"] else 0) + row["exhausted"],
                _findings(row),
            )
            for row in rows
        )
    )


def _name(row: Row) -> str:
    return f"{row['service']} → {row['target']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["exhausted"]:
        return ()
    return (
        Finding(
            f"After {counted(row['calls'], 'call')} to {row['target']} that it gave up,"
            f" {row['service']} ran out of connections or files: `{row['error']}` after"
            f" {row['after_s']:.3g} s.",
            subject=_name(row),
            evidence=references(row["evidence"]),
        ),
    )


_GIVEN_UP: Final = """
    WITH given_up AS (
        SELECT cut.instance_no, cut.service, cut.target, node.instance_id, node.end_ns
        FROM cut_off AS cut
        JOIN waiting_call USING (span_no)
        JOIN node USING (span_no)
        WHERE cut.waited_for = 'answer'
    ),
    of_instance AS (
        SELECT instance_no, service, target, max(end_ns) AS last_ns
        FROM given_up
        GROUP BY ALL
    ),
    release AS (
        SELECT call.instance_no, call.service, call.start_ns::BIGINT AS time_ns
        FROM external_call AS call
        SEMI JOIN of_instance USING (instance_no, service)
        LEFT JOIN span_field AS field USING (span_no)
        WHERE NOT call.failed
            AND (
                regexp_matches(
                    coalesce(field.db_operation, field.db_query, ''), '^\\s*ROLLBACK', 'i'
                )
                OR coalesce(field.rpc_method LIKE '%AbortMultipartUpload', false)
            )
        UNION ALL
        SELECT log_instance.instance_no, resource.service,
            greatest(log.time_ns, log.observed_ns)::BIGINT
        FROM stored.log_record AS log
        JOIN log_instance USING (log_no)
        JOIN resource ON resource.resource_id = log.resource_id
        SEMI JOIN of_instance
            ON of_instance.instance_no = log_instance.instance_no
            AND of_instance.service = resource.service
        -- A warning speaks of a connection that somebody else closed.
        WHERE log.severity_number < 13
            AND regexp_matches(log.body, $released)
            AND greatest(log.time_ns, log.observed_ns) <= 9223372036854775807
    ),
    last_release AS (
        SELECT instance_no, service, max(time_ns) AS time_ns
        FROM release
        GROUP BY instance_no, service
    ),
    cleaned AS (
        SELECT
            of_instance.service,
            of_instance.target,
            count(*) AS instances,
            count(*) FILTER (last_release.time_ns >= of_instance.last_ns) AS released
        FROM of_instance
        LEFT JOIN last_release USING (instance_no, service)
        GROUP BY of_instance.service, of_instance.target
    ),
    of_process AS (
        SELECT service, target, instance_id, count(*) AS calls, min(end_ns) AS first_ns
        FROM given_up
        WHERE instance_id IS NOT NULL
        GROUP BY ALL
    ),
    shortage AS (
        SELECT node.service, node.instance_id, node.span_no, node.span_id, node.start_ns,
            coalesce(nullif(class.short_type, ''), error.message) AS error
        FROM error_class AS class
        JOIN span_error AS error USING (span_no)
        JOIN node USING (span_no)
        WHERE class.is_pool_timeout OR regexp_matches(error.message, $exhausted)
    ),
    exhausted AS (
        SELECT of_process.*, shortage.span_no, shortage.span_id, shortage.start_ns, shortage.error
        FROM of_process
        JOIN shortage USING (service, instance_id)
        WHERE shortage.start_ns >= of_process.first_ns
            AND NOT EXISTS (
                SELECT 1
                FROM shortage AS before
                WHERE before.service = of_process.service
                    AND before.instance_id = of_process.instance_id
                    AND before.start_ns < of_process.first_ns
            )
        QUALIFY row_number() OVER (
            PARTITION BY of_process.service, of_process.target, of_process.instance_id
            ORDER BY shortage.start_ns, shortage.span_id
        ) = 1
    )
    SELECT
        cleaned.service,
        cleaned.target,
        max(cleaned.instances) AS instances,
        max(cleaned.released) AS released,
        count(exhausted.span_no) AS exhausted,
        arg_min(exhausted.calls, (exhausted.start_ns, exhausted.span_id)) AS calls,
        arg_min(exhausted.error, (exhausted.start_ns, exhausted.span_id)) AS error,
        arg_min(exhausted.start_ns - exhausted.first_ns, (exhausted.start_ns, exhausted.span_id))
            / 1e9 AS after_s,
        list(span.reference ORDER BY exhausted.start_ns, exhausted.span_id)
            FILTER (exhausted.span_no IS NOT NULL)[:$shown] AS evidence
    FROM cleaned
    LEFT JOIN exhausted USING (service, target)
    LEFT JOIN span_reference AS span USING (span_no)
    GROUP BY cleaned.service, cleaned.target
    ORDER BY cleaned.service, cleaned.target
"""

CHECK = Check(
    id="TIM-05",
    title="Resources are released after a timeout",
    severity=Severity.MEDIUM,
    task=3,
    serves=("TEST-RR-T01",),
    judge=judge,
    remedy="Release in a finally what the call held, and log it.",
)
