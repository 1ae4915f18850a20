"""Where the time went: per step, against the baseline, and how much of it spans account for."""

from tracejury.scorecard.gaps import gaps
from tracejury.scorecard.result import StepTiming, Timing
from tracejury.store.reader import Reader


def timing(reader: Reader) -> Timing:
    """Every step of every workflow, the largest share of the critical path first."""
    rows = reader.rows("""
        SELECT
            workflow, service, name, kind, spans AS count, errors, p50_ms, p95_ms, p99_ms,
            self_p50_ms AS self_ms, critical_share,
            clean_p50_ms AS baseline_p50_ms,
            clean_p95_ms AS baseline_p95_ms,
            clean_p99_ms AS baseline_p99_ms,
            budget_ms, over_budget,
            halved_ms AS halved_saves_ms,
            removed_ms AS removed_saves_ms,
            removed_share AS removed_saves_share
        FROM workflow_step
        ORDER BY critical_share DESC NULLS LAST, workflow, service, name, kind, place
    """)
    explained, queued = _shares(reader)
    return Timing(
        steps=tuple(StepTiming(**row) for row in rows),
        explained=explained,
        queued=queued,
        gaps=reader.value("""
            SELECT count(*)
            FROM gap
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT instance.background
        """),
        unexplained=gaps(reader),
    )


def _shares(reader: Reader) -> tuple[float | None, float | None]:
    """Of critical-path time, what spans account for, and what messages waited in a queue.

    Neither a gap is accounted for, nor time between spans, nor the wait after a span's end for what
    came of it. Such a wait for a consumer, or for what came of a message, is the queue's.
    """
    [shares] = reader.rows("""
        WITH path AS (
            SELECT
                critical.instance_no,
                critical.span_no,
                critical.start_ns,
                critical.end_ns,
                coalesce(
                    least(critical.end_ns, greatest(critical.start_ns, node.end_ns)),
                    critical.start_ns
                ) AS held_until_ns,
                coalesce(node.kind = 'PRODUCER', false) AS is_sent
            FROM critical
            JOIN workflow_instance AS instance USING (instance_no)
            LEFT JOIN node USING (span_no)
            WHERE NOT instance.background
        ),
        consumed AS (
            SELECT DISTINCT instance_no, node.start_ns
            FROM node
            JOIN trace_instance USING (trace_no)
            WHERE node.kind = 'CONSUMER'
        ),
        queue AS (
            SELECT sum(path.end_ns - path.held_until_ns) AS time_ns
            FROM path
            LEFT JOIN consumed
                ON consumed.instance_no = path.instance_no
                AND consumed.start_ns = path.end_ns
            WHERE path.is_sent
                OR (path.span_no >= 0 AND consumed.start_ns IS NOT NULL)
        ),
        gaps AS (
            SELECT sum(greatest(
                least(path.held_until_ns, gap.start_ns::BIGINT + gap.gap_ns)
                    - greatest(path.start_ns, gap.start_ns::BIGINT),
                0
            )) AS time_ns
            FROM path
            JOIN gap USING (span_no)
        ),
        held AS (
            SELECT
                sum(held_until_ns - start_ns)::DOUBLE AS time_ns,
                nullif(sum(end_ns - start_ns), 0)::DOUBLE AS whole_ns
            FROM path
        )
        SELECT
            (held.time_ns - coalesce(gaps.time_ns, 0)) / held.whole_ns AS explained,
            coalesce(queue.time_ns, 0) / held.whole_ns AS queued
        FROM held
        CROSS JOIN gaps
        CROSS JOIN queue
    """)
    return shares["explained"], shares["queued"]
