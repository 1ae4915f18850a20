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
        least(layout.end_ns, node.end_ns) AS end_ns,
        node.start_ns AS first_ns,
        node.end_ns AS last_ns
    FROM layout
    JOIN node ON node.span_no = layout.above_no
    WHERE layout.start_ns <= node.end_ns
),
-- Before each of what lies below: from where on nothing ran.
covered AS (
    SELECT
        *,
        coalesce(
            max(end_ns) OVER (
                PARTITION BY span_no
                ORDER BY start_ns, end_ns
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            first_ns
        ) AS reached_ns
    FROM below
),
summed AS (
    SELECT
        span_no,
        coalesce(sum(start_ns - reached_ns) FILTER (start_ns > reached_ns), 0) AS inner_ns,
        coalesce(max(start_ns - reached_ns) FILTER (start_ns > reached_ns), 0) AS largest_ns,
        arg_max(reached_ns, (start_ns - reached_ns, reached_ns)) FILTER (start_ns > reached_ns) AS gap_start_ns,
        max(end_ns) AS covered_ns,
        any_value(last_ns) - max(end_ns) AS rest_ns,
        count(*) AS children
    FROM covered
    GROUP BY span_no
)
SELECT
    node.span_no,
    CASE
        WHEN summed.children IS NULL THEN node.duration_ns
        ELSE (summed.inner_ns + summed.rest_ns)::BIGINT
    END AS self_ns,
    coalesce(greatest(summed.largest_ns, summed.rest_ns), node.duration_ns) AS largest_gap_ns,
    CASE
        WHEN summed.rest_ns > summed.largest_ns THEN summed.covered_ns
        ELSE coalesce(summed.gap_start_ns, node.start_ns)
    END AS gap_start_ns,
    coalesce(summed.children, 0) AS children
FROM node
LEFT JOIN summed USING (span_no)
WHERE node.end_ns IS NOT NULL
