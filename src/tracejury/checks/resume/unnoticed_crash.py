"""Crashes that left no trace.

What: A crash of the run is recognised: the fault file names it, a log record speaks of a lost
worker or of a kill, or a process fell silent with open spans while another took its place. Spans of
an orderly end are flushed, and silence of an idle process is none.

Why: What the other checks say of resuming rests on knowing that, and when, something crashed.

Fix: Give each process its own `service.instance.id`, export at short intervals, and let the
supervisor log what it restarts.

Source: the audit's test of a worker crash; OTLP span flags, bits 8 and 9.
"""

from tracejury.checks.check import Check, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence


def judge(evidence: Evidence) -> Judgement:
    """One unit a service that crashed: the signs of it."""
    rows = evidence.rows("""
        SELECT
            crash.service,
            count(*) AS signs,
            list(DISTINCT crash.evidence ORDER BY crash.evidence)[:3] AS evidence,
            -- Somebody's work was hit, or another process took the place of one that fell silent.
            bool_or(
                crash.service IN (SELECT hit.service FROM crash_hit AS hit)
                OR EXISTS (
                    SELECT 1
                    FROM instance_life AS life
                    JOIN instance_life AS successor USING (service)
                    WHERE life.service = crash.service
                        AND life.last_ns <= successor.first_ns
                        AND crash.time_ns BETWEEN life.first_ns AND successor.first_ns
                )
            ) AS is_felt
        FROM crash
        GROUP BY crash.service
        ORDER BY crash.service
    """)
    return Judgement(
        tuple(Unit(row["service"], row["signs"]) for row in rows),
        note=" ".join(
            f"{row['service']}: {'; '.join(row['evidence'])}"
            f"{'' if row['is_felt'] else ', of which the telemetry shows nothing'}."
            for row in rows
        ),
    )


CHECK = Check(
    id="RSM-00",
    title="Crashes are recognised",
    severity=Severity.INFO,
    task=6,
    serves=("TEST-RR-RE01",),
    judge=judge,
    remedy="Give each process its own service.instance.id, and export at short intervals.",
)
