-- table: fault_course
-- One row a fault and a workflow that ran while it lasted: how it went before, during and after.
--   fault_id       VARCHAR  id of the fault
--   workflow       VARCHAR  name of the workflow
--   is_alone       BOOLEAN  no other fault lasted at the same time
--   bound_ns       BIGINT   until when an instance may begin and count as after
--   befores        BIGINT   instances before
--   durings        BIGINT   instances during
--   afters         BIGINT   instances after
--   success_before DOUBLE   of those whose outcome is known, the share that went well; NULL: of none
--   success_during DOUBLE   the same during
--   success_after  DOUBLE   the same after
--   before_ms      DOUBLE   95th percentile from first start to last end, before; NULL without any
--   during_ms      DOUBLE   the same during
--   after_ms       DOUBLE   the same after
--   ok_before      DOUBLE   share that is known to have gone well and been seen whole
--   ok_during      DOUBLE   the same during
--   ok_tail        DOUBLE   the same of the later half of those after, at least five
--   unfailed_tail  DOUBLE   share of these that is not known to have failed
--   tail_ms        DOUBLE   95th percentile of these
--   tail_failed    BIGINT[] row numbers of the entry spans of those of them that failed
--   fate           VARCHAR  unharmed, recovered, damaged; early (ran too seldom, or the run ended or the next fault began), unknown (too few before of which the outcome is known), helped (an operator's workflow ran), unclear
--   recovered_s    DOUBLE   seconds from the fault's end to the start of the last instance after it that failed or took half as long again as before_ns; 0 without one; NULL but for recovered
WITH policy AS (
    -- Assumed: how far from before an instance may be and count as recovered, and what is too few.
    SELECT 0.05 AS worse, 1.5 AS slower, 5 AS fewest
),
ordered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY fault_id, workflow, phase ORDER BY start_ns DESC, end_ns DESC
        ) AS from_last,
        count(*) OVER (PARTITION BY fault_id, workflow, phase) AS instances
    FROM fault_phase
),
share AS (
    SELECT
        fault_id,
        workflow,
        phase,
        count(*) AS instances,
        count(*) FILTER (outcome <> 'unknown') AS known,
        count(*) FILTER (outcome = 'ok') / nullif(count(*) FILTER (outcome <> 'unknown'), 0)
            AS success,
        count(*) FILTER (whole_outcome = 'ok') / count(*) AS ok,
        count(*) FILTER (outcome = 'ok') / count(*) AS ended_well,
        count(*) FILTER (whole_outcome <> 'failed') / count(*) AS unfailed,
        quantile_cont(took_ns, 0.95) AS p95_ns,
        list(entry_span_no ORDER BY start_ns, end_ns) FILTER (outcome = 'failed') AS failed
    FROM (
        SELECT *
        FROM ordered
        UNION ALL
        SELECT ordered.* REPLACE ('tail' AS phase)
        FROM ordered
        CROSS JOIN policy
        WHERE phase = 'after' AND from_last <= greatest(policy.fewest, instances / 2)
    )
    GROUP BY ALL
),
judged AS (
    SELECT DISTINCT fault_id, is_alone, until_ns, bound_ns
    FROM fault_phase
),
around AS (
    SELECT
        judged.*,
        during.workflow,
        coalesce(before.instances, 0) AS befores,
        coalesce(before.known, 0) AS known_before,
        during.instances AS durings,
        coalesce(after.instances, 0) AS afters,
        coalesce(tail.instances, 0) AS tails,
        before.success AS success_before,
        during.success AS success_during,
        after.success AS success_after,
        before.ok AS ok_before,
        during.ok AS ok_during,
        before.ended_well AS ended_well_before,
        during.ended_well AS ended_well_during,
        tail.ok AS ok_tail,
        tail.success AS success_tail,
        tail.unfailed AS unfailed_tail,
        before.p95_ns AS before_ns,
        during.p95_ns AS during_ns,
        after.p95_ns AS after_ns,
        tail.p95_ns AS tail_ns,
        coalesce(tail.failed, []) AS tail_failed
    FROM judged
    JOIN share AS during ON during.fault_id = judged.fault_id AND during.phase = 'during'
    LEFT JOIN share AS before
        ON before.fault_id = during.fault_id
        AND before.workflow = during.workflow
        AND before.phase = 'before'
    LEFT JOIN share AS after
        ON after.fault_id = during.fault_id
        AND after.workflow = during.workflow
        AND after.phase = 'after'
    LEFT JOIN share AS tail
        ON tail.fault_id = during.fault_id
        AND tail.workflow = during.workflow
        AND tail.phase = 'tail'
),
-- When the last instance began that was not as before.
late AS (
    SELECT ran.fault_id, ran.workflow, max(ran.start_ns) AS last_ns
    FROM fault_phase AS ran
    JOIN around USING (fault_id, workflow)
    CROSS JOIN policy
    WHERE ran.phase = 'after'
        AND (ran.outcome = 'failed' OR ran.took_ns > policy.slower * around.before_ns)
    GROUP BY ran.fault_id, ran.workflow
),
operated AS (
    SELECT workflow AS name
    FROM workflow
    WHERE trigger = 'admin'
),
helped AS (
    SELECT DISTINCT fault_id
    FROM fault_phase
    WHERE phase IN ('during', 'after') AND workflow IN (SELECT name FROM operated)
),
run AS (
    SELECT max(last_ns) AS end_ns
    FROM instance_life
),
fated AS (
    SELECT
        around.*,
        greatest(coalesce(late.last_ns, 0) - around.until_ns, 0) / 1e9 AS recovered_s,
        CASE
            WHEN around.known_before < policy.fewest THEN 'unknown'
            -- A workflow that the fault did no harm has nothing to recover from. Where many before are not
            -- known to have gone well, those that failed meanwhile are no fewer for that.
            WHEN around.ok_during >= around.ok_before - policy.worse
                AND around.success_during >= around.success_before - policy.worse
                AND around.during_ns <= policy.slower * around.before_ns
                THEN 'unharmed'
            -- What is missing may have been harmed; nothing that is there was.
            WHEN around.ended_well_during >= around.ended_well_before - policy.worse
                AND coalesce(around.success_during >= around.success_before - policy.worse, true)
                AND around.during_ns <= policy.slower * around.before_ns
                THEN 'unclear'
            WHEN around.fault_id IN (SELECT fault_id FROM helped) THEN 'helped'
            WHEN around.tails >= policy.fewest
                AND around.ok_tail >= around.ok_before - policy.worse
                AND around.success_tail >= around.success_before - policy.worse
                AND around.tail_ns <= policy.slower * around.before_ns
                THEN 'recovered'
            WHEN around.tails < policy.fewest OR run.end_ns < around.bound_ns
                -- The next fault began before this one had all of its time.
                OR around.bound_ns < around.until_ns
                    + (SELECT 1e9 * value FROM bound WHERE name = 'recovery_seconds')
                THEN 'early'
            WHEN around.unfailed_tail < around.ok_before - policy.worse
                OR around.tail_ns > policy.slower * around.before_ns
                THEN 'damaged'
            ELSE 'unclear'
        END AS fate
    FROM around
    CROSS JOIN policy
    CROSS JOIN run
    LEFT JOIN late
        ON late.fault_id = around.fault_id AND late.workflow = around.workflow
    WHERE around.workflow NOT IN (SELECT name FROM operated)
)
SELECT
    fault_id,
    workflow,
    is_alone,
    bound_ns,
    befores,
    durings,
    afters,
    success_before,
    success_during,
    success_after,
    before_ns / 1e6 AS before_ms,
    during_ns / 1e6 AS during_ms,
    after_ns / 1e6 AS after_ms,
    ok_before,
    ok_during,
    ok_tail,
    unfailed_tail,
    tail_ns / 1e6 AS tail_ms,
    tail_failed,
    fate,
    CASE WHEN fate = 'recovered' THEN recovered_s END AS recovered_s
FROM fated
