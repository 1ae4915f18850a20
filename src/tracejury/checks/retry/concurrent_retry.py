"""Jobs that two retries work on at once.

What: The second request for a job that is in work is refused (409, or a worker that says that it is
in progress already) and nothing works on it twice. It fails where the same step works on one job,
or on one item of it, twice at the same time, begun by two requests or below two loops. A job that
is spread over many messages runs beside itself on purpose, calls may be hedged, and a message that
is delivered too early is judged with the queue.

Why: Two clicks on "retry" pay twice, and the two runs overwrite each other's results.

Fix: Take a lock on the job, or move it from failed to processing in one statement, and answer 409
to whoever finds it taken.

Source: the audit's test of retry idempotency: a second retry while one runs is refused.
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon

_SHOWN: Final = 5

# Routes that begin a job, or begin it again, whatever stands before the verb.
_TRIGGER: Final = (
    r"(?i)\b(re[-_]?)?(try|run|start|process|play|submit|queue|generate|execute|sume|launch)\b"
    r"|\btrigger\b"
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow with a job that was asked for again while it was in work."""
    rows = evidence.rows(
        _TRIGGERS,
        {
            "skew_ns": int(evidence.policy.skew_seconds * 1e9),
            "trigger": _TRIGGER,
            "in_progress": f"(?i){lexicon.IN_PROGRESS_MESSAGE.pattern}",
            "shown": _SHOWN,
        },
    )
    return Judgement(
        tuple(
            Unit(row["workflow"], row["refused"] + row["doubled"], _findings(row)) for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["doubled"]:
        return ()
    return (
        Finding(
            f"{row['doubled']} jobs of `{row['workflow']}` were worked on twice at the same time:"
            f" `{row['step']}` of `{row['unit']}` ran {row['beside_s']:.3g} s beside itself.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=tuple(Reference(**entry) for entry in row["evidence"]),
        ),
    )


_TRIGGERS: Final = """
    -- What asks for work: a request that changes something, and that nothing of this run made.
    WITH asked AS (
        SELECT instance.instance_no, node.trace_no, node.span_no, node.start_ns,
            coalesce(field.http_route, node.name) AS route,
            upper(coalesce(field.http_method, split_part(node.name, ' ', 1))) = 'POST' AS is_post,
            coalesce(field.http_status = '409', false) AS is_refused
        FROM node
        JOIN trace_instance AS instance USING (trace_no)
        LEFT JOIN span_field AS field USING (span_no)
        WHERE node.kind = 'SERVER'
            AND node.parent_no IS NULL
            AND node.start_ns IS NOT NULL
            AND upper(coalesce(field.http_method, split_part(node.name, ' ', 1)))
                NOT IN ('GET', 'HEAD', 'OPTIONS')
    ),
    asked_twice AS (
        SELECT instance_no
        FROM asked
        GROUP BY instance_no
        HAVING count(*) > 1
    ),
    worked AS (
        SELECT
            delivery.instance_no, delivery.span_no, delivery.service, node.name, node.trace_no,
            delivery.destination, delivery.message_type, node.span_id, delivery.start_ns,
            delivery.end_ns, coalesce(node.host, node.instance_id, '') AS clock,
            -- Who takes a message and finds the job taken does nothing.
            EXISTS (
                SELECT 1
                FROM side_effect AS effect
                JOIN node AS call USING (span_no)
                WHERE call.trace_no = node.trace_no
                    AND call.service = node.service
                    AND call.start_ns BETWEEN delivery.start_ns AND delivery.end_ns
            ) AS has_work
        FROM delivery
        JOIN asked_twice USING (instance_no)
        JOIN node USING (span_no)
        WHERE delivery.end_ns IS NOT NULL
    ),
    named AS (
        SELECT DISTINCT node.trace_no, record_item.item
        FROM record_item
        JOIN node USING (span_no)
        SEMI JOIN worked ON worked.trace_no = node.trace_no
    ),
    -- What began before, and ran longest of that.
    followed AS (
        SELECT
            *,
            arg_max(
                {'trace_no': trace_no, 'end_ns': end_ns, 'clock': clock},
                (end_ns, start_ns, span_id)
            ) OVER (
                PARTITION BY instance_no, service, name, destination, message_type
                ORDER BY start_ns, span_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
        FROM worked
        WHERE has_work
    ),
    beside AS (
        SELECT
            instance_no,
            span_no,
            name AS step,
            '' AS item,
            least(before.end_ns, end_ns) - start_ns AS beside_ns,
            before.clock = clock AS is_near
        FROM followed
        -- Each trigger has a trace of its own; messages within one are parts of one job.
        WHERE before.trace_no <> trace_no
            AND before.end_ns > start_ns
            -- Requests for other items of a batch are other work.
            AND (
                before.trace_no NOT IN (SELECT named.trace_no FROM named)
                OR followed.trace_no NOT IN (SELECT named.trace_no FROM named)
                OR EXISTS (
                    SELECT 1
                    FROM named AS first
                    JOIN named AS later USING (item)
                    WHERE first.trace_no = before.trace_no AND later.trace_no = followed.trace_no
                )
            )
        UNION ALL
        SELECT
            later.instance_no,
            later.span_no,
            later.name,
            later.item,
            least(first.end_ns, later.end_ns) - later.start_ns,
            coalesce(first_node.host, first_node.instance_id, '')
                = coalesce(later_node.host, later_node.instance_id, '')
        FROM item_run AS later
        JOIN item_run AS first
            ON first.instance_no = later.instance_no
            AND first.item = later.item
            AND first.service = later.service
            AND first.name = later.name
            AND first.number = later.number - 1
            AND first.end_ns > later.start_ns
        JOIN node AS first_node ON first_node.span_no = first.span_no
        JOIN node AS later_node ON later_node.span_no = later.span_no
        JOIN node AS first_loop ON first_loop.span_no = first.loop_no
        JOIN node AS later_loop ON later_loop.span_no = later.loop_no
        WHERE later.number > 1
            AND NOT first.is_fragment
            AND NOT later.is_fragment
            -- Calls may be hedged, and what answers them with them.
            AND later_node.kind IN ('INTERNAL', 'CONSUMER')
            AND first_loop.span_no <> later_loop.span_no
            AND (first_loop.service, first_loop.name) = (later_loop.service, later_loop.name)
            -- A loop inside of the other is no second one.
            AND first_loop.parent_no IS DISTINCT FROM later_loop.span_no
            AND later_loop.parent_no IS DISTINCT FROM first_loop.span_no
    ),
    doubled AS (
        SELECT beside.*, node.span_id, node.trace_no
        FROM beside
        JOIN node USING (span_no)
        WHERE beside.beside_ns > CASE WHEN beside.is_near THEN 5000000 ELSE $skew_ns END
        QUALIFY row_number() OVER (
            PARTITION BY beside.instance_no
            ORDER BY beside.beside_ns DESC, node.start_ns, node.span_id
        ) = 1
    ),
    told AS (
        SELECT worked.instance_no, worked.span_no
        FROM worked
        JOIN log_instance USING (span_no)
        JOIN stored.log_record AS log USING (log_no)
        WHERE NOT worked.has_work AND regexp_matches(log.body, $in_progress)
    ),
    refusal AS (
        SELECT asked.instance_no, asked.span_no, asked.start_ns, asked.trace_no
        FROM asked
        JOIN asked_twice USING (instance_no)
        WHERE asked.is_refused
            -- A conflict of two edits refuses no second run.
            AND ((asked.is_post AND regexp_matches(asked.route, $trigger)) OR EXISTS (
                SELECT 1
                FROM asked AS granted
                WHERE granted.instance_no = asked.instance_no
                    AND granted.route = asked.route
                    AND NOT granted.is_refused
            ))
        UNION
        SELECT told.instance_no, told.span_no, node.start_ns, node.trace_no
        FROM told
        JOIN node USING (span_no)
    ),
    refused AS (
        SELECT DISTINCT refusal.instance_no
        FROM refusal
        JOIN worked
            ON worked.instance_no = refusal.instance_no
            AND worked.trace_no <> refusal.trace_no
            AND worked.span_no NOT IN (SELECT told.span_no FROM told)
            AND refusal.start_ns BETWEEN worked.start_ns AND worked.end_ns
    ),
    judged AS (
        SELECT
            instance.workflow,
            instance.correlation_id,
            refused.instance_no IS NOT NULL AS is_refused,
            doubled.*
        FROM workflow_instance AS instance
        LEFT JOIN refused USING (instance_no)
        LEFT JOIN doubled USING (instance_no)
        WHERE NOT instance.background
            AND (refused.instance_no IS NOT NULL OR doubled.instance_no IS NOT NULL)
    )
    SELECT
        judged.workflow,
        count(*) FILTER (judged.is_refused AND judged.span_no IS NULL) AS refused,
        count(*) FILTER (judged.span_no IS NOT NULL) AS doubled,
        arg_max(judged.step, (judged.beside_ns, judged.span_id)) AS step,
        arg_max(
            coalesce(nullif(judged.item, ''), judged.correlation_id),
            (judged.beside_ns, judged.span_id)
        ) AS unit,
        max(judged.beside_ns) / 1e9 AS beside_s,
        coalesce(
            arg_max(judged.correlation_id, (judged.beside_ns, judged.span_id))
                FILTER (judged.span_no IS NOT NULL),
            ''
        ) AS instance,
        coalesce(
            list(
                {'trace_id': lower(hex(trace.trace_id)),
                 'span_id': format('{:016x}', judged.span_id)}
                ORDER BY judged.beside_ns DESC, judged.span_id
            ) FILTER (judged.span_no IS NOT NULL)[:$shown],
            []
        ) AS evidence
    FROM judged
    LEFT JOIN trace USING (trace_no)
    GROUP BY judged.workflow
    ORDER BY judged.workflow
"""

CHECK = Check(
    id="RET-07",
    title="A second retry is refused while one runs",
    severity=Severity.HIGH,
    task=5,
    serves=("TEST-RR-R03",),
    judge=judge,
    remedy="Take a lock on the job, and answer 409 to whoever finds it taken.",
)
