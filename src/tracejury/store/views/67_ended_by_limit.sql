-- table: ended_by_limit
-- One row a workflow instance whose job ended by a limit of the whole job, and not well.
--   instance_no    BIGINT   row number of the workflow instance
--   limit_ns       BIGINT   how long the job had been at work when the limit struck
--   has_open_step  BOOLEAN  a step of it was still open then
WITH RECURSIVE taken AS (
    SELECT
        instance.instance_no, node.span_no, node.trace_no, node.service, node.start_ns, node.end_ns
    FROM node
    JOIN trace_instance AS instance USING (trace_no)
    LEFT JOIN span_field AS field USING (span_no)
    WHERE node.kind = 'CONSUMER'
        AND node.end_ns IS NOT NULL
        AND coalesce(field.messaging_operation NOT IN ('receive', 'poll'), true)
),
said AS (
    SELECT instance_no, arg_max(state, (time_ns, is_final, state)) AS state
    FROM state_record
    WHERE level = 'job'
    GROUP BY instance_no
),
struck AS (
    SELECT node.span_no, node.trace_no, node.end_ns
    FROM error_class AS class
    JOIN node USING (span_no)
    WHERE class.is_job_limit AND node.end_ns IS NOT NULL
),
-- What one message set going, and not what others of its trace did.
part AS (
    SELECT taken.span_no AS taken_no, taken.span_no
    FROM taken
    SEMI JOIN struck USING (trace_no)
    UNION
    SELECT part.taken_no, node.span_no
    FROM part
    JOIN node ON node.parent_no = part.span_no
    WHERE node.span_no NOT IN (SELECT taken.span_no FROM taken)
)
SELECT
    taken.instance_no,
    max(struck.end_ns - taken.start_ns)::BIGINT AS limit_ns,
    bool_or(
        struck.span_no <> taken.span_no
        OR EXISTS (
            SELECT 1
            FROM part
            JOIN node AS step USING (span_no)
            WHERE part.taken_no = taken.span_no
                AND step.span_no <> taken.span_no
                AND step.start_ns >= taken.start_ns
                AND coalesce(step.end_ns >= taken.end_ns, true)
        )
        OR EXISTS (
            SELECT 1
            FROM ghost
            WHERE ghost.trace_no = taken.trace_no
                AND ghost.service = taken.service
                AND ghost.first_ns >= taken.start_ns
        )
    ) AS has_open_step
FROM taken
JOIN struck USING (trace_no)
LEFT JOIN span_error AS failed ON failed.span_no = taken.span_no
LEFT JOIN said ON said.instance_no = taken.instance_no
-- What was struck and handled, and after which the job went on or ended well, ended no job.
WHERE (
        (taken.span_no, struck.span_no) IN (SELECT (part.taken_no, part.span_no) FROM part)
        -- Where spans between were lost, the trace must do.
        OR struck.span_no NOT IN (SELECT part.span_no FROM part)
    )
    AND struck.end_ns BETWEEN greatest(taken.start_ns, taken.end_ns - 5000000000) AND taken.end_ns
    AND (failed.span_no IS NOT NULL OR said.state IN ('failed', 'timeout', 'cancelled', 'partial'))
GROUP BY taken.instance_no
