-- view: called_name
-- One row a call and a name that whom it called goes by: the service, its address, its system or destination.
--   span_no  BIGINT   row number of the CLIENT or PRODUCER span
--   name     VARCHAR  in lower case
SELECT DISTINCT
    called.span_no,
    called.name
FROM (
    SELECT
        call.span_no,
        unnest([
            lower(call.target),
            lower(named.peer),
            lower(field.db_system),
            replace(lower(field.db_system), 'postgresql', 'postgres'),
            lower(field.messaging_system),
            lower(field.destination),
            lower(field.genai_provider),
            lower(field.object_bucket)
        ]) AS name
    FROM external_call AS call
    LEFT JOIN call AS named USING (span_no)
    LEFT JOIN span_field AS field USING (span_no)
) AS called
WHERE called.name NOT IN ('', '?')
