-- table: fault_alert
-- One row a fault and an alert that began to fire while it lasted or soon after, and that does not
-- fire without a fault.
--   fault_id   VARCHAR  id of the fault
--   alert_no   BIGINT   row number of the alert
--   name       VARCHAR  label alertname; '' where it has none
--   starts_ns  BIGINT   when it began to fire, nanoseconds since 1970
--   is_about   BOOLEAN  a label names the fault's target, a caller of it, or the workflow
WITH policy AS (
    SELECT (1e9 * value)::BIGINT AS detection_ns
    FROM bound
    WHERE name = 'detection_seconds'
),
firing AS (
    SELECT alert_no, coalesce(name, '') AS name, starts_ns::BIGINT AS starts_ns, fingerprint, labels
    FROM alert
    WHERE status = 'firing' AND starts_ns BETWEEN 1 AND 9223372036854775807
),
timed AS (
    SELECT fault.id AS fault_id, firing.*
    FROM firing
    CROSS JOIN policy
    JOIN fault
        ON firing.starts_ns BETWEEN fault.start_ns AND fault.end_ns + policy.detection_ns
),
-- A watchdog fires in any case.
usual AS (
    SELECT DISTINCT firing.fingerprint
    FROM firing
    ANTI JOIN timed USING (alert_no)
),
known AS (
    SELECT id AS fault_id, lower(target) AS name
    FROM fault
    UNION
    SELECT id, lower(workflow)
    FROM fault
    UNION
    SELECT fault.id, lower(call.service)
    FROM fault
    JOIN (SELECT DISTINCT service, target FROM external_call) AS call
        ON lower(call.target) = lower(fault.target)
    UNION
    SELECT fault_call.fault_id, lower(node.service)
    FROM fault_call
    JOIN node USING (span_no)
    UNION
    SELECT fault_call.fault_id, lower(instance.workflow)
    FROM fault_call
    JOIN workflow_instance AS instance USING (instance_no)
),
label AS (
    SELECT alert_no, lower(unnest(json_extract_string(labels, '$.*'))) AS value
    FROM firing
),
about AS (
    SELECT DISTINCT known.fault_id, label.alert_no
    FROM known
    -- An address names its host, too.
    JOIN label ON known.name IN (label.value, split_part(label.value, ':', 1))
    WHERE known.name <> ''
)
SELECT
    timed.fault_id,
    timed.alert_no,
    timed.name,
    timed.starts_ns,
    about.alert_no IS NOT NULL AS is_about
FROM timed
LEFT JOIN about
    ON about.fault_id = timed.fault_id AND about.alert_no = timed.alert_no
WHERE timed.fingerprint NOT IN (SELECT usual.fingerprint FROM usual)
