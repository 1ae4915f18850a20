-- table: self_time
-- One row a span with usable times: how long it ran while nothing below it did.
--   span_no      BIGINT  row number of the span
--   self_ns      BIGINT  its duration less the union of what lies below it
--   largest_gap_ns    BIGINT  longest stretch covered by nothing below it
--   gap_start_ns      BIGINT  when that stretch began
--   children     BIGINT  spans directly below it
WITH below AS (
    -- What lies below a span counts as far as the span itself goes.
    SELECT
        layout.above_no AS span_no,
        layout.start_ns,
        least(layout.end_ns, node.end_ns) AS end_ns
    FROM layout
    JOIN node ON node.span_no = layout.above_no
    WHERE layout.start_ns <= node.end_ns
),
covered AS (
    SELECT
        span_no,
        start_ns,
        end_ns,
        max(end_ns) OVER (
            PARTITION BY span_no
            ORDER BY start_ns, end_ns
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached_ns
    FROM below
),
hole AS (
    SELECT covered.span_no, coalesce(covered.reached_ns, node.start_ns) AS start_ns,
        covered.start_ns - coalesce(covered.reached_ns, node.start_ns) AS size_ns
    FROM covered
    JOIN node USING (span_no)
    WHERE covered.start_ns > coalesce(covered.reached_ns, node.start_ns)
    UNION ALL
    SELECT node.span_no, last.end_ns, node.end_ns - last.end_ns
    FROM node
    JOIN (
        SELECT span_no, max(end_ns) AS end_ns
        FROM below
        GROUP BY span_no
    ) AS last USING (span_no)
    WHERE node.end_ns > last.end_ns
),
summed AS (
    SELECT span_no, sum(size_ns)::BIGINT AS self_ns, max(size_ns) AS largest_gap_ns,
        arg_max(start_ns, size_ns) AS gap_start_ns
    FROM hole
    GROUP BY span_no
),
counted AS (
    SELECT span_no, count(*) AS children
    FROM below
    GROUP BY span_no
)
SELECT
    node.span_no,
    CASE WHEN counted.children IS NULL THEN node.duration_ns ELSE coalesce(summed.self_ns, 0) END AS self_ns,
    CASE WHEN counted.children IS NULL THEN node.duration_ns ELSE coalesce(summed.largest_gap_ns, 0) END
        AS largest_gap_ns,
    coalesce(summed.gap_start_ns, node.start_ns) AS gap_start_ns,
    coalesce(counted.children, 0) AS children
FROM node
LEFT JOIN summed USING (span_no)
LEFT JOIN counted USING (span_no)
WHERE node.end_ns IS NOT NULL
