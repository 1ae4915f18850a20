-- table: entry
-- One row a workflow instance: the span it began with.
--   instance_no    BIGINT   row number of the workflow instance
--   span_no        BIGINT   row number of the entry span
--   entry_service  VARCHAR  its service
--   entry_name     VARCHAR  its name
--   entry_kind     VARCHAR  its kind
--   rootless       BOOLEAN  nothing stored is a root: the earliest orphan stands in
SELECT
    instance.instance_no,
    arg_min(node.span_no, first) AS span_no,
    arg_min(node.service, first) AS entry_service,
    arg_min(node.name, first) AS entry_name,
    arg_min(node.kind, first) AS entry_kind,
    min(rank) > 0 AS rootless
FROM (
    SELECT
        tops.*,
        CASE
            WHEN tops.missing_parent IS NULL OR orphan.external_entry THEN 0
            ELSE 1
        END AS rank,
        -- Of two that tie, the one whose content comes first.
        (rank, coalesce(tops.start_ns, 9223372036854775807), tops.trace_no, tops.span_id, tops.service, tops.name, tops.kind)
            AS first
    FROM node AS tops
    JOIN forest USING (span_no)
    LEFT JOIN orphan USING (span_no)
    WHERE forest.depth = 0
) AS node
JOIN trace_instance AS instance ON instance.trace_no = node.trace_no
GROUP BY instance.instance_no
