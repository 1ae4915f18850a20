"""What a verdict rests on: counts of what came, and of what is known to be lost."""

from tracejury.scorecard.result import CheckResult, Trust
from tracejury.store.reader import Reader


def trust(reader: Reader, checks: tuple[CheckResult, ...]) -> Trust:
    """The trust line of a rebuilt run."""
    counted = reader.rows("""
        WITH delivered AS (
            SELECT
                coalesce(sum(received) FILTER (signal = 'metrics'), 0)::BIGINT AS metric_points,
                -- Alertmanager repeats what fires; that says nothing of the exporters.
                coalesce(sum(duplicates) FILTER (signal <> 'alerts'), 0)::BIGINT AS duplicates,
                coalesce(sum(rejected), 0)::BIGINT AS rejected
            FROM stored.delivery
        ),
        dropped AS (
            SELECT coalesce(sum(count), 0)::BIGINT AS dropped
            FROM (
                SELECT sum(dropped_attributes + dropped_events + dropped_links) AS count
                FROM stored.span
                UNION ALL SELECT sum(dropped_attributes) FROM stored.log_record
                UNION ALL SELECT sum(dropped_attributes) FROM stored.span_event
                UNION ALL SELECT sum(dropped_attributes) FROM stored.span_link
                UNION ALL SELECT sum(dropped_attributes) FROM stored.resource
                UNION ALL SELECT sum(dropped_attributes) FROM stored.scope
            )
        )
        SELECT
            delivered.*,
            dropped.dropped,
            (SELECT coalesce(sum(redacted), 0)::BIGINT FROM stored.redaction) AS redacted,
            (SELECT coalesce(sum(instances), 0)::BIGINT FROM stored.pruning) AS pruned,
            (SELECT coalesce(sum(spans), 0)::BIGINT FROM stored.pruning) AS pruned_spans,
            (
                SELECT strftime(
                    make_timestamp((max(until_ns) // 1000)::BIGINT), '%Y-%m-%dT%H:%M:%SZ'
                )
                FROM stored.pruning
                WHERE instances > 0 OR spans = 0  -- not what came late of some that were gone
            ) AS pruned_until,
            (SELECT coalesce(sum(records), 0)::BIGINT FROM stored.loss) AS lost,
            (SELECT count(*) FROM stored.span) AS spans,
            (SELECT count(*) FROM stored.log_record) AS logs,
            (
                SELECT count(DISTINCT node.trace_no)
                FROM node
                JOIN settled_before ON node.received_ns > settled_before.time_ns
            ) AS unsettled,
            (
                SELECT coalesce(sum(instance.spans), 0)::BIGINT
                FROM workflow_instance AS instance
                WHERE instance.background
            ) AS background,
            (SELECT sum(started)::BIGINT FROM sdk_instance) AS started_by_sdk
        FROM delivered
        CROSS JOIN dropped
    """)[0]
    sampling = next((check for check in checks if check.id == "ING-03"), None)
    known = {"pass": "none", "fail": "sampled"}
    return Trust(
        spans=counted["spans"],
        logs=counted["logs"],
        metric_points=counted["metric_points"],
        duplicates=counted["duplicates"],
        rejected=counted["rejected"],
        dropped=counted["dropped"],
        sampled=known.get(sampling.outcome, "unknown") if sampling else "unknown",
        unsettled=counted["unsettled"],
        background=counted["background"],
        started_by_sdk=counted["started_by_sdk"],
        redacted=counted["redacted"],
        pruned=counted["pruned"],
        pruned_spans=counted["pruned_spans"],
        pruned_until=counted["pruned_until"],
        lost=counted["lost"] + reader.missing,
    )
