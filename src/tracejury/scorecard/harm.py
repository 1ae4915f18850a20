"""Who was hurt by a fault, and for how long: the workflows that ran while it lasted, and since.

An instance is laid to a fault where it overlaps its window, or began within the policy's
`recovery_seconds` after it and ended before the next fault. What failed there may have failed in
any case: the share of success before the fault stands beside it. Before is what the view
`fault_phase` says: what an earlier fault left behind is no picture of the usual.
"""

from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.result import Hurt
from tracejury.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Harm:
    """What a fault did to workflow instances. Seconds; None where nothing failed or tells."""

    hurt: tuple[Hurt, ...]
    hurt_for_s: float | None
    recovered_after_s: float | None


NONE = Harm((), None, None)


def harm_by_fault(reader: Reader) -> dict[str, Harm]:
    """What each fault of the run did, by its id."""
    found: dict[str, list[Hurt]] = {}
    for row in reader.rows(_HURT):
        found.setdefault(row["fault_id"], []).append(
            Hurt(
                workflow=row["workflow"],
                instances=row["instances"],
                failed=row["failed"],
                unfinished=row["unfinished"],
                p95_before_ms=row["p95_before_ms"],
                p95_during_ms=row["p95_during_ms"],
            )
        )
    lasted = {row["fault_id"]: row for row in reader.rows(_LASTED)}
    return {
        fault: Harm(
            tuple(hurt),
            lasted[fault]["hurt_for_s"] if fault in lasted else None,
            lasted[fault]["recovered_after_s"] if fault in lasted else None,
        )
        for fault, hurt in found.items()
    }


_HURT: Final = """
    WITH usual AS (
        SELECT fault_id, workflow, quantile_cont(took_ns / 1e6, 0.95) AS p95_ms
        FROM fault_phase
        WHERE phase = 'before'
        GROUP BY fault_id, workflow
    ),
    near AS (
        SELECT *, phase = 'during' AS is_during
        FROM fault_phase
        WHERE phase <> 'before'
    )
    SELECT
        near.fault_id,
        near.workflow,
        count(*) FILTER (near.is_during) AS instances,
        count(*) FILTER (near.outcome = 'failed') AS failed,
        count(*) FILTER (near.is_during AND near.outcome = 'unknown') AS unfinished,
        max(usual.p95_ms) AS p95_before_ms,
        quantile_cont(near.took_ns / 1e6, 0.95) FILTER (near.is_during) AS p95_during_ms
    FROM near
    LEFT JOIN usual ON usual.fault_id = near.fault_id AND usual.workflow = near.workflow
    GROUP BY near.fault_id, near.workflow
    HAVING count(*) FILTER (near.is_during OR near.outcome = 'failed') > 0
    ORDER BY near.fault_id, failed DESC, instances DESC, near.workflow
"""

_LASTED: Final = """
    WITH failed AS (
        SELECT
            near.fault_id,
            near.workflow,
            max(fault.end_ns) AS over_ns,
            min(greatest(near.start_ns, fault.start_ns)) AS first_ns,
            max(near.start_ns) AS last_began_ns,
            max(near.end_ns) AS last_ns
        FROM fault_phase AS near
        JOIN fault ON fault.id = near.fault_id
        WHERE near.outcome = 'failed' AND near.phase <> 'before'
        GROUP BY near.fault_id, near.workflow
    ),
    -- Nobody recovers unseen, nor by what others do: what next ran of the workflow went well.
    well AS (
        SELECT failed.fault_id, failed.workflow
        FROM failed
        JOIN workflow_instance AS instance
            ON instance.workflow = failed.workflow
            AND instance.start_ns > failed.last_began_ns
            AND instance.end_ns > failed.over_ns
        WHERE instance.outcome <> 'unknown' AND NOT instance.background
        GROUP BY failed.fault_id, failed.workflow
        HAVING arg_min(instance.outcome, (instance.start_ns, instance.end_ns)) = 'ok'
    )
    SELECT
        failed.fault_id,
        (max(failed.last_ns) - min(failed.first_ns)) / 1e9 AS hurt_for_s,
        CASE
            WHEN bool_and(well.workflow IS NOT NULL AND course.fate IS DISTINCT FROM 'damaged')
            THEN greatest(max(failed.last_ns - failed.over_ns), 0) / 1e9
        END AS recovered_after_s
    FROM failed
    LEFT JOIN well ON well.fault_id = failed.fault_id AND well.workflow = failed.workflow
    LEFT JOIN fault_course AS course
        ON course.fault_id = failed.fault_id AND course.workflow = failed.workflow
    GROUP BY failed.fault_id
"""
