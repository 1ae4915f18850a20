"""Jobs that two retries work on at once.

What: The second request for a job that is in work is refused (409, or a worker that says that it is
in progress already) and nothing works on it twice. It fails where the same step works on one job,
or on one item of it, twice at the same time, begun by two requests or below two loops. Messages
that are processed under one name are of one kind where their type is the same or, if none is
recorded, where all that the one changes elsewhere the other changes, too; where that holds of a
part, nothing is said. A job that is spread over many messages runs beside itself on purpose, calls
may be hedged, and a message that is delivered too early is judged with the queue.

Why: Two clicks on "retry" pay twice, and the two runs overwrite each other's results.

Fix: Take a lock on the job, or move it from failed to processing in one statement, and answer 409
to whoever finds it taken.

Source: the audit's test of retry idempotency: a second retry while one runs is refused.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted, either

# So many steps up a change is followed to the message for which it was made.
_DEEPEST: Final = 64

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
            "deepest": _DEEPEST,
            "in_progress": f"(?i){lexicon.IN_PROGRESS_MESSAGE.pattern}",
            "shown": SHOWN,
        },
    )
    return Judgement(
        tuple(
            Unit(row["workflow"], row["refused"] + row["doubled"], _findings(row)) for row in rows
        ),
        # Which kind of message it was would tell whether the job was worked on twice.
        reason="uninstrumented" if any(row["alike"] for row in rows) else "",
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["doubled"]:
        return ()
    return (
        Finding(
            f"{counted(row['doubled'], 'job')} of `{row['workflow']}`"
            f" {either(row['doubled'], 'was', 'were')} worked on twice at the same time:"
            f" `{row['step']}` of `{row['unit']}` ran {row['beside_s']:.3g} s beside itself.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_TRIGGERS: Final = """
    -- What asks for work: a request that changes something, and that nothing of this run made.
    WITH RECURSIVE asked AS (
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
    -- An item that two loops of one step work on at once.
    item_pair AS (
        SELECT
            later.instance_no,
            first.span_no AS first_no,
            later.span_no AS later_no,
            later.name,
            later.item,
            later.span_no IN (SELECT delivery.span_no FROM delivery) AS is_message,
            least(first.end_ns, later.end_ns) - later.start_ns AS beside_ns,
            coalesce(first_node.host, first_node.instance_id, '')
                = coalesce(later_node.host, later_node.instance_id, '') AS is_near
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
    processed AS (
        SELECT delivery.*, node.trace_no, node.name, node.span_id,
            coalesce(node.host, node.instance_id, '') AS clock
        FROM delivery
        JOIN node USING (span_no)
        WHERE delivery.end_ns IS NOT NULL
            AND (
                delivery.instance_no IN (SELECT asked_twice.instance_no FROM asked_twice)
                OR delivery.instance_no IN (SELECT item_pair.instance_no FROM item_pair)
            )
    ),
    effect AS (
        SELECT node.span_no, node.trace_no, node.service, node.parent_no, node.start_ns, call.route
        FROM side_effect
        JOIN node USING (span_no)
        JOIN call USING (span_no)
        SEMI JOIN processed ON processed.trace_no = node.trace_no
    ),
    -- From each change up to the message for which it was made.
    climbed AS (
        SELECT span_no, parent_no AS at_no, 1 AS steps
        FROM effect
        WHERE parent_no IS NOT NULL
        UNION ALL
        SELECT climbed.span_no, node.parent_no, climbed.steps + 1
        FROM climbed
        JOIN node ON node.span_no = climbed.at_no
        WHERE node.parent_no IS NOT NULL
            AND climbed.steps < $deepest
            AND climbed.at_no NOT IN (SELECT processed.span_no FROM processed)
    ),
    -- What each message changed. What lost its way up may belong to any that was in work then.
    did AS (
        SELECT processed.span_no, effect.route
        FROM climbed
        JOIN processed ON processed.span_no = climbed.at_no
        JOIN effect ON effect.span_no = climbed.span_no AND effect.service = processed.service
        UNION
        SELECT processed.span_no, effect.route
        FROM effect
        JOIN processed
            ON processed.trace_no = effect.trace_no
            AND processed.service = effect.service
            AND effect.start_ns BETWEEN processed.start_ns AND processed.end_ns
        WHERE effect.span_no NOT IN (
            SELECT climbed.span_no
            FROM climbed
            JOIN processed ON processed.span_no = climbed.at_no
        )
    ),
    -- Messages of different kinds may lie in one queue and be processed under one name. Where
    -- their type is not recorded, what they change tells them apart.
    worked AS (
        SELECT
            processed.*,
            -- Who takes a message and finds the job taken does nothing.
            made.routes IS NOT NULL AS has_work,
            CASE WHEN processed.message_type = '' THEN made.routes ELSE [''] END AS works
        FROM processed
        LEFT JOIN (
            SELECT span_no, list(route ORDER BY route) AS routes
            FROM did
            GROUP BY span_no
        ) AS made USING (span_no)
    ),
    named AS (
        SELECT DISTINCT node.trace_no, record_item.item
        FROM record_item
        JOIN node USING (span_no)
        SEMI JOIN worked ON worked.trace_no = node.trace_no
    ),
    -- What began before with the same work, and ran longest of that.
    followed AS (
        SELECT
            *,
            arg_max(
                {'span_no': span_no, 'trace_no': trace_no, 'end_ns': end_ns, 'clock': clock},
                (end_ns, start_ns, span_id)
            ) OVER (
                PARTITION BY instance_no, service, name, destination, message_type, work
                ORDER BY start_ns, span_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
        FROM (SELECT *, unnest(works) AS work FROM worked WHERE has_work)
        WHERE instance_no IN (SELECT asked_twice.instance_no FROM asked_twice)
    ),
    pair AS (
        SELECT DISTINCT
            instance_no,
            before.span_no AS first_no,
            span_no AS later_no,
            name,
            '' AS item,
            true AS is_message,
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
        SELECT *
        FROM item_pair
    ),
    beside AS (
        SELECT
            pair.instance_no, pair.later_no AS span_no, pair.name AS step, pair.item,
            pair.beside_ns, pair.is_near,
            -- One may have failed before it came to the rest of its work, or go on with it.
            NOT pair.is_message
            OR list_has_all(first.works, later.works)
            OR list_has_all(later.works, first.works) AS is_same
        FROM pair
        LEFT JOIN worked AS first ON first.span_no = pair.first_no
        LEFT JOIN worked AS later ON later.span_no = pair.later_no
        WHERE pair.beside_ns > CASE WHEN pair.is_near THEN 5000000 ELSE $skew_ns END
            AND (
                NOT pair.is_message
                OR ((first.destination, first.message_type)
                    = (later.destination, later.message_type)
                    AND list_has_any(first.works, later.works))
            )
    ),
    doubled AS (
        SELECT beside.*, node.span_id
        FROM beside
        JOIN node USING (span_no)
        WHERE beside.is_same
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
            alike.instance_no IS NOT NULL AND doubled.instance_no IS NULL AS is_alike,
            doubled.*
        FROM workflow_instance AS instance
        LEFT JOIN refused USING (instance_no)
        LEFT JOIN doubled USING (instance_no)
        LEFT JOIN (SELECT DISTINCT beside.instance_no FROM beside) AS alike USING (instance_no)
        WHERE NOT instance.background
            AND (refused.instance_no IS NOT NULL OR alike.instance_no IS NOT NULL)
    )
    SELECT
        judged.workflow,
        count(*) FILTER (judged.is_refused AND judged.span_no IS NULL) AS refused,
        count(*) FILTER (judged.span_no IS NOT NULL) AS doubled,
        count(*) FILTER (judged.is_alike) AS alike,
        arg_max(judged.step, (judged.beside_ns, judged.span_id)) AS step,
        arg_max(
            coalesce(nullif(judged.item, ''), judged.correlation_id),
            (judged.beside_ns, judged.span_id)
        ) FILTER (judged.span_no IS NOT NULL) AS unit,
        max(judged.beside_ns) / 1e9 AS beside_s,
        arg_max(judged.correlation_id, (judged.beside_ns, judged.span_id))
            FILTER (judged.span_no IS NOT NULL) AS instance,
        list(span.reference ORDER BY judged.beside_ns DESC, judged.span_id)
            FILTER (judged.span_no IS NOT NULL)[:$shown] AS evidence
    FROM judged
    LEFT JOIN span_reference AS span USING (span_no)
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
