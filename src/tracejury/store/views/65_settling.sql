-- table: settling
-- One row a workflow instance: whether the run went on for long enough to say that nothing more
-- became of it.
--   instance_no           BIGINT   row number of the workflow instance
--   last_ns               BIGINT   latest time on one of its records
--   bound_ns              BIGINT   how long work of its workflow may wait: the longest of 60 s, the job bound and ten times the 99th percentile
--   run_end_ns            BIGINT   latest time on any record of the run
--   is_settled            BOOLEAN  the run went on for longer than that
--   is_redelivery_settled BOOLEAN  it went on for longer than a message waits for its redelivery, too
--   short_ns              BIGINT   how much longer it would have had to go on; 0 where it is settled
--   redelivery_short_ns   BIGINT   the same, for its redelivery
WITH usual AS (
    SELECT
        workflow,
        quantile_cont((end_ns - start_ns)::DOUBLE, 0.99) AS p99_ns
    FROM workflow_instance
    WHERE NOT background AND outcome = 'ok'
    GROUP BY workflow
),
spoken AS (
    SELECT
        log_instance.instance_no,
        max(CASE WHEN log.time_ns = 0 THEN log.observed_ns ELSE log.time_ns END) AS last_ns
    FROM log_instance
    JOIN stored.log_record AS log USING (log_no)
    WHERE greatest(log.time_ns, log.observed_ns) <= 9223372036854775807
    GROUP BY log_instance.instance_no
),
run AS (
    SELECT max(life.last_ns) AS end_ns
    FROM instance_life AS life
),
policy AS (
    SELECT
        1e9 * any_value(value) FILTER (name = 'job_seconds') AS job_ns,
        1e9 * any_value(value) FILTER (name = 'redelivery_seconds') AS redelivery_ns
    FROM bound
),
waited AS (
    SELECT
        instance.instance_no,
        greatest(instance.end_ns, coalesce(spoken.last_ns, 0))::BIGINT AS last_ns,
        least(greatest(60e9, policy.job_ns, 10 * coalesce(usual.p99_ns, 0)), 9e18)::BIGINT AS bound_ns,
        run.end_ns AS run_end_ns,
        policy.redelivery_ns
    FROM workflow_instance AS instance
    LEFT JOIN usual USING (workflow)
    LEFT JOIN spoken USING (instance_no)
    CROSS JOIN policy
    CROSS JOIN run
    WHERE NOT instance.background
)
SELECT
    instance_no,
    last_ns,
    bound_ns,
    run_end_ns,
    run_end_ns - last_ns > bound_ns AS is_settled,
    run_end_ns - last_ns > greatest(bound_ns, redelivery_ns) AS is_redelivery_settled,
    least(greatest(bound_ns - (run_end_ns - last_ns), 0), 9e18)::BIGINT AS short_ns,
    least(greatest(bound_ns - (run_end_ns - last_ns), redelivery_ns - (run_end_ns - last_ns), 0), 9e18)::BIGINT
        AS redelivery_short_ns
FROM waited
