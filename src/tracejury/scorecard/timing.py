"""Where the time went: per step, against the baseline, and how much of it spans account for."""

from tracejury.scorecard.result import StepTiming, Timing
from tracejury.store.reader import Reader


def timing(reader: Reader) -> Timing:
    """Every step of every workflow, the largest share of the critical path first."""
    rows = reader.rows("""
        SELECT
            step.workflow, step.service, step.name, step.kind, step.spans, step.errors,
            step.p50_ms, step.p95_ms, step.p99_ms, step.self_p50_ms, step.critical_share,
            clean.p95_ms AS baseline_p95_ms
        FROM workflow_step AS step
        LEFT JOIN (
            SELECT service, name, kind, max(p95_ms) AS p95_ms
            FROM baseline_step
            GROUP BY ALL
        ) AS clean USING (service, name, kind)
        ORDER BY step.critical_share DESC NULLS LAST, step.workflow, step.service, step.name,
            step.kind, step.place
    """)
    return Timing(
        steps=tuple(
            StepTiming(
                workflow=row["workflow"],
                service=row["service"],
                name=row["name"],
                kind=row["kind"],
                count=row["spans"],
                errors=row["errors"],
                p50_ms=row["p50_ms"],
                p95_ms=row["p95_ms"],
                p99_ms=row["p99_ms"],
                self_ms=row["self_p50_ms"],
                critical_share=row["critical_share"],
                baseline_p95_ms=row["baseline_p95_ms"],
            )
            for row in rows
        ),
        explained=_explained(reader),
        gaps=reader.value("""
            SELECT count(*)
            FROM gap
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT instance.background
        """),
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
