-- table: loop
-- One row a loop: at least three spans of one step of a process below one span, one after the other.
-- Further attempts at the same thing are no turns.
--   loop_no      BIGINT   row number of the first turn
--   holder_no    BIGINT   row number of the span that the turns lie below; NULL: it is not stored
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  whose loop it is
--   name         VARCHAR  span name of the turns
--   kind         VARCHAR  kind of the turns
--   turns        BIGINT   how often it went round
--   first_ns     BIGINT   start of the first turn
--   last_ns      BIGINT   end of the last turn
--   is_ended     BOOLEAN  the span that the turns lie below is stored and ended
WITH crowded AS (
    -- Few spans have three others below them, and to compare the names of all is dear.
    SELECT trace_no, parent_no, missing_parent
    FROM node
    WHERE kind IN ('INTERNAL', 'CLIENT', 'PRODUCER')
        AND start_ns IS NOT NULL
        AND (parent_no IS NOT NULL OR missing_parent IS NOT NULL)
    GROUP BY ALL
    HAVING count(*) >= 3
),
repeated AS (
    SELECT
        trace_no, parent_no, missing_parent, service, name, kind,
        count(*) AS turns,
        arg_min(span_no, (start_ns, span_id)) AS loop_no,
        min(start_ns) AS first_ns,
        max(coalesce(end_ns, start_ns)) AS last_ns
    FROM node
    SEMI JOIN crowded
        ON crowded.trace_no = node.trace_no
        AND crowded.parent_no IS NOT DISTINCT FROM node.parent_no
        AND crowded.missing_parent IS NOT DISTINCT FROM node.missing_parent
    WHERE kind IN ('INTERNAL', 'CLIENT', 'PRODUCER')
        AND start_ns IS NOT NULL
        AND (parent_no IS NOT NULL OR missing_parent IS NOT NULL)
    GROUP BY ALL
    HAVING count(*) >= 3
        -- What runs side by side is a fan-out.
        AND sum(coalesce(end_ns, start_ns) - start_ns) - 5000000 * count(*)
            <= max(coalesce(end_ns, start_ns)) - min(start_ns)
),
again AS (
    SELECT node.parent_no, node.service, node.name, node.kind, count(*) AS attempts
    FROM attempt_of AS attempt
    JOIN node USING (span_no)
    WHERE attempt.how = 'siblings' AND attempt.number > 1
    GROUP BY ALL
)
SELECT
    repeated.loop_no,
    repeated.parent_no AS holder_no,
    instance.instance_no,
    repeated.service,
    repeated.name,
    repeated.kind,
    repeated.turns - coalesce(again.attempts, 0) AS turns,
    repeated.first_ns,
    repeated.last_ns,
    holder.end_ns IS NOT NULL AS is_ended
FROM repeated
JOIN trace_instance USING (trace_no)
JOIN workflow_instance AS instance ON instance.instance_no = trace_instance.instance_no
LEFT JOIN node AS holder ON holder.span_no = repeated.parent_no
LEFT JOIN again
    ON again.parent_no = repeated.parent_no
    AND again.service = repeated.service
    AND again.name = repeated.name
    AND again.kind = repeated.kind
WHERE NOT instance.background
    -- What lies in another process is what it did for this one.
    AND coalesce(holder.service = repeated.service, true)
    AND repeated.turns - coalesce(again.attempts, 0) >= 3
