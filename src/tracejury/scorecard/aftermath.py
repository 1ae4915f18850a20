"""What jobs said of their state after each fault, and what it takes to find out why."""

from typing import Final

from tracejury.scorecard.result import Aftermath
from tracejury.store.reader import Reader
from tracejury.workflow.diagnosis_effort import around, effort, search_of
from tracejury.workflow.failure_points import failure_points


def aftermaths(reader: Reader) -> tuple[Aftermath, ...]:
    """One for each fault during which something ran, in the order of their start."""
    states: dict[str, dict[str, int]] = {}
    for row in reader.rows(_STATES):
        states.setdefault(row["fault_id"], {})[row["state"]] = row["jobs"]
    failed = {row["instance_no"]: row["fault_ids"] for row in reader.rows(_FAILED)}
    costs: dict[str, list[dict[str, float]]] = {}
    points = failure_points(reader) if failed else ()
    run = around(reader, points)
    for instance in points:
        for fault in failed.get(instance.instance_no, ()):
            costs.setdefault(fault, []).append(effort(search_of(instance, run)))
    return tuple(
        Aftermath(
            fault=fault,
            states=seen,
            find_minutes=_mean([cost["find"] for cost in costs.get(fault, ())]),
            diagnosis_minutes=_mean([sum(cost.values()) for cost in costs.get(fault, ())]),
        )
        for fault, seen in states.items()
    )


def _mean(numbers: list[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


_FAILED: Final = """
    SELECT instance_no, list(fault_id ORDER BY fault_id) AS fault_ids
    FROM fault_phase
    WHERE outcome = 'failed' AND phase IN ('during', 'after')
    GROUP BY instance_no
"""

_STATES: Final = """
    WITH said AS (
        SELECT instance_no, arg_max(state, (time_ns, is_final, state)) AS state
        FROM state_record
        WHERE level = 'job'
        GROUP BY instance_no
    )
    SELECT near.fault_id, coalesce(said.state, '') AS state, count(*) AS jobs
    FROM fault_phase AS near
    JOIN fault ON fault.id = near.fault_id
    LEFT JOIN said USING (instance_no)
    WHERE near.phase = 'during'
    GROUP BY near.fault_id, said.state
    ORDER BY min(fault.start_ns), near.fault_id, jobs DESC, state
"""
