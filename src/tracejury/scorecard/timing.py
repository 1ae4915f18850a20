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
    return Timing(
        steps=tuple(StepTiming(**row) for row in rows),
        explained=_explained(reader),
        gaps=reader.value("""
            SELECT count(*)
            FROM gap
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT instance.background
        """),
        unexplained=gaps(reader),
    )


def _explained(reader: Reader) -> float | None:
    """The share of critical-path time that lies neither in a gap nor between spans."""
    share = reader.value("""
        WITH path AS (
            SELECT critical.*
            FROM critical
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT instance.background
        ),
        unexplained AS (
            SELECT sum(greatest(
                least(path.end_ns, gap.start_ns::BIGINT + gap.gap_ns)
                    - greatest(path.start_ns, gap.start_ns::BIGINT),
                0
            )) AS time_ns
            FROM path
            JOIN gap USING (span_no)
            UNION ALL
            SELECT sum(end_ns - start_ns)
            FROM path
            WHERE span_no < 0
        )
        SELECT 1 - (SELECT coalesce(sum(time_ns), 0) FROM unexplained)
            / nullif((SELECT sum(end_ns - start_ns) FROM path), 0)
    """)
    return None if share is None else float(share)
