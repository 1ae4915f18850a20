-- table: ghost_step
-- One row a parent that is named and not stored, and a step that it may be of.
--   trace_no  BIGINT   row number of the trace
--   span_id   UBIGINT  id of the parent
--   service   VARCHAR  of the step
--   name      VARCHAR  of the step
--   kind      VARCHAR  of the step
--   share     DOUBLE   how likely it is of this step; they sum to 1
WITH
-- Of what a process counted and sent in whole no span is missing.
whole AS (
    SELECT sent.service
    FROM (SELECT DISTINCT service, instance_id FROM node) AS sent
    LEFT JOIN sdk_instance AS sdk
        ON sdk.service = sent.service
        AND sdk.instance_id IS NOT DISTINCT FROM sent.instance_id
    GROUP BY sent.service
    HAVING bool_and(coalesce(
        sdk.missing = 0 AND sdk.unended = 0 AND coalesce(sdk.unsampled, 0) = 0, false
    ))
),
child AS (
    SELECT
        orphan.trace_no,
        orphan.missing_parent AS span_id,
        node.service, node.name, node.kind,
        mode(node.service ORDER BY node.service) FILTER (orphan.side = 'local')
            OVER (PARTITION BY orphan.trace_no, orphan.missing_parent) AS local_service
    FROM orphan
    JOIN node USING (span_no)
    WHERE NOT orphan.external_entry
),
told AS (
    SELECT
        child.trace_no, child.span_id,
        likely.parent_service AS service,
        likely.parent_name AS name,
        likely.parent_kind AS kind,
        count(*) AS children,
        sum(likely.share) AS weight
    FROM (SELECT DISTINCT * FROM child) AS child
    JOIN likely_parent AS likely USING (service, name, kind)
    WHERE coalesce(
            child.local_service = likely.parent_service,
            likely.parent_service NOT IN (SELECT whole.service FROM whole)
        )
    GROUP BY ALL
),
-- A parent is of a step below which all its children are seen, if there is one.
fitting AS (
    SELECT *
    FROM told
    QUALIFY children = max(children) OVER (PARTITION BY trace_no, span_id)
)
SELECT
    trace_no, span_id, service, name, kind,
    (weight / sum(weight) OVER (PARTITION BY trace_no, span_id))::DOUBLE AS share
FROM fitting
