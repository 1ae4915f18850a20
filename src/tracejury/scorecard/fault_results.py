"""What happened around each injected fault: who failed, for how long, and who looks guilty."""

from functools import partial

from tracejury.scorecard.harm import NONE, Harm, harm_by_fault
from tracejury.scorecard.result import FaultResult
from tracejury.scorecard.suspects import Ranking, rank
from tracejury.store.reader import Reader
from tracejury.workflow.faults import Fault, with_own_ids


def fault_results(reader: Reader, injected: tuple[Fault, ...]) -> tuple[FaultResult, ...]:
    """One result a fault, in the order of the fault file."""
    rankings = rank(reader, [(fault.start_ns, fault.end_ns) for fault in injected])
    harm = harm_by_fault(reader)
    return tuple(map(partial(_result, reader, harm), injected, rankings))


def outside_of_run(reader: Reader, injected: tuple[Fault, ...]) -> tuple[str, ...]:
    """The ids of the faults whose whole window lies where nothing was heard of the run."""
    [time] = reader.rows("FROM run_time") or [{"from_ns": None, "until_ns": None}]
    if time["from_ns"] is None:
        return ()
    return tuple(
        fault.id
        for fault in injected
        if fault.end_ns < time["from_ns"] or fault.start_ns > time["until_ns"]
    )


def faults_of_run(reader: Reader, injected: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Of the faults of several runs those whose window touches this one's telemetry.

    Raises `InputError` where two of them have the same id. The store need not be rebuilt.
    """
    [heard] = reader.rows("""
        SELECT min(first_ns) AS first_ns, max(last_ns) AS last_ns
        FROM (
            SELECT
                min(nullif(start_ns, 0)) AS first_ns,
                max(greatest(start_ns, end_ns)) AS last_ns
            FROM stored.span
            UNION ALL
            SELECT
                min(nullif(greatest(time_ns, observed_ns), 0)),
                max(greatest(time_ns, observed_ns))
            FROM stored.log_record
        )
    """)
    if heard["first_ns"] is None:
        return ()
    return with_own_ids(
        fault
        for fault in injected
        if fault.start_ns <= heard["last_ns"] and fault.end_ns >= heard["first_ns"]
    )


def _result(reader: Reader, harms: dict[str, Harm], fault: Fault, ranking: Ranking) -> FaultResult:
    harm = harms.get(fault.id, NONE)
    shares = reader.rows(
        """
        SELECT
            CASE
                WHEN instance.end_ns < $start THEN 'before'
                WHEN instance.start_ns > $end THEN 'after'
                ELSE 'during'
            END AS phase,
            count(*) FILTER (instance.outcome = 'ok')
                / nullif(count(*) FILTER (instance.outcome <> 'unknown'), 0) AS success
        FROM workflow_instance AS instance
        WHERE NOT instance.background
        GROUP BY phase
        """,
        {"start": fault.start_ns, "end": fault.end_ns},
    )
    success = {row["phase"]: row["success"] for row in shares}
    services = [suspect.service for suspect in ranking.suspects]
    return FaultResult(
        id=fault.id,
        kind=fault.kind,
        target=fault.target,
        start_ns=fault.start_ns,
        end_ns=fault.end_ns,
        success_before=success.get("before"),
        success_during=success.get("during"),
        success_after=success.get("after"),
        detected_after_s=_detected_after_s(reader, fault),
        stands_out=ranking.stands_out,
        suspects=ranking.suspects,
        rank_of_target=services.index(fault.target) + 1 if fault.target in services else None,
        hurt=harm.hurt,
        hurt_for_s=harm.hurt_for_s,
        recovered_after_s=harm.recovered_after_s,
    )


def _detected_after_s(reader: Reader, fault: Fault) -> float | None:
    """Seconds from the fault's start to the first alert in its window; None without an alert."""
    first = reader.value(
        "SELECT min(starts_ns) FROM alert WHERE status = 'firing' AND starts_ns BETWEEN ? AND ?",
        [fault.start_ns, fault.end_ns],
    )
    return None if first is None else (first - fault.start_ns) / 1e9
