-- table: half_step
-- One row a call that is usually answered, as its caller names it, and a half that answers it.
--   caller        VARCHAR  service of the CLIENT or PRODUCER
--   caller_name   VARCHAR  span name of the caller's half
--   route         VARCHAR  peer and operation as the caller names them
--   message_type  VARCHAR  task or message type of a PRODUCER; '' for a CLIENT
--   callee        VARCHAR  service of the SERVER or CONSUMER
--   callee_name   VARCHAR  its span name
--   share         DOUBLE   how likely a half that is not stored is this one; they sum to 1
WITH usual AS (
    SELECT caller, caller_name, route, message_type, callee, callee_name, sum(pairs) AS pairs
    FROM baseline_pair
    GROUP BY ALL
),
compared AS (
    SELECT
        pair.caller, pair.caller_name, pair.route, pair.message_type,
        pair.callee, pair.callee_name,
        sum(pair.pairs) - coalesce(any_value(usual.pairs), 0) AS here,
        coalesce(any_value(usual.pairs), 0) AS usual
    FROM pair
    LEFT JOIN usual USING (caller, caller_name, route, message_type, callee, callee_name)
    GROUP BY ALL
),
unanswered AS (
    SELECT caller, caller_name, route, message_type, count(*) AS calls
    FROM unanswered_call
    GROUP BY ALL
),
-- How often each would answer if the mix of them were the usual one.
weighed AS (
    SELECT
        compared.*,
        coalesce(unanswered.calls, 0) AS unanswered,
        (sum(here) OVER route_calls + coalesce(unanswered.calls, 0)) * usual
            / nullif(sum(usual) OVER route_calls, 0) AS expected,
        (here + usual) / sum(here + usual) OVER route_calls AS seen,
        min(callee) OVER route_calls = max(callee) OVER route_calls AS is_certain
    FROM compared
    LEFT JOIN unanswered USING (caller, caller_name, route, message_type)
    WINDOW route_calls AS (PARTITION BY caller, caller_name, route, message_type)
),
-- Answers below which spans are stored: they name them, there or absent.
named AS (
    SELECT service AS callee, sum(seen) AS seen, sum(absent) AS absent
    FROM (
        SELECT service, count(*) AS seen, 0 AS absent
        FROM node
        WHERE kind IN ('SERVER', 'CONSUMER') AND span_no IN (SELECT child.parent_no FROM node AS child)
        GROUP BY service
        UNION ALL
        SELECT service, 0, sum(share)
        FROM ghost_step
        WHERE kind IN ('SERVER', 'CONSUMER')
        GROUP BY service
    )
    GROUP BY service
),
-- What is known of the answers of a service by these, and by the calls that nobody else answers.
service AS (
    SELECT
        weighed.callee,
        sum(weighed.here) < 0.1 * sum(weighed.expected) AS is_silent,
        coalesce(sum(weighed.unanswered) FILTER (weighed.is_certain), 0)
            + coalesce(any_value(named.absent), 0) AS absent,
        coalesce(sum(weighed.unanswered + weighed.here) FILTER (weighed.is_certain), 0)
            + coalesce(any_value(named.absent + named.seen), 0) AS told
    FROM weighed
    LEFT JOIN named USING (callee)
    GROUP BY weighed.callee
),
overall AS (
    SELECT (1 + sum(absent)) / (2 + sum(told)) AS rate
    FROM service
    WHERE NOT coalesce(is_silent, false)
),
blended AS (
    SELECT
        weighed.*,
        (service.absent + 5 * coalesce(overall.rate, 0.5)) / (service.told + 5) AS rate,
        coalesce(service.is_silent, false) AS is_silent
    FROM weighed
    JOIN service USING (callee)
    CROSS JOIN overall
),
likelihood AS (
    SELECT
        *,
        here * least(rate, 0.9) / (1 - least(rate, 0.9)) AS by_rate,
        bool_or(is_silent) OVER (PARTITION BY caller, caller_name, route, message_type) AS has_silent
    FROM blended
),
weight AS (
    SELECT
        *,
        0.001 * seen + CASE
            WHEN is_silent THEN expected
            -- Beside one that is silent, another explains no more than is short of it.
            WHEN has_silent THEN least(by_rate, greatest(coalesce(expected, 0) - here, 0))
            ELSE by_rate
        END AS weight
    FROM likelihood
)
SELECT
    caller, caller_name, route, message_type, callee, callee_name,
    (weight / sum(weight) OVER (
        PARTITION BY caller, caller_name, route, message_type
    ))::DOUBLE AS share
FROM weight
