"""What happened around each injected fault: who failed, for how long, and who looks guilty."""

import difflib
from collections.abc import Iterable
from dataclasses import replace

from tracejury.scorecard.difficulty import by_fault
from tracejury.scorecard.harm import NONE, Harm, harm_by_fault
from tracejury.scorecard.result import FaultCourse, FaultResult, Phases
from tracejury.scorecard.suspects import Ranking, rank
from tracejury.store.reader import Reader, Row
from tracejury.workflow.faults import Fault, with_own_ids


def fault_results(reader: Reader, injected: tuple[Fault, ...]) -> tuple[FaultResult, ...]:
    """One result a fault, in the order of the fault file."""
    rankings = rank(reader, [(fault.start_ns, fault.end_ns) for fault in injected])
    harm, courses = harm_by_fault(reader), _courses(reader)
    difficulties = by_fault(reader, injected, rankings)
    return tuple(
        replace(
            _result(reader, harm, fault, ranking),
            workflows=courses.get(fault.id, ()),
            difficulty=difficulty,
        )
        for fault, ranking, difficulty in zip(injected, rankings, difficulties, strict=True)
    )


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


def unknown_targets(
    reader: Reader, injected: tuple[Fault, ...]
) -> tuple[tuple[str, str, str], ...]:
    """The faults whose target nothing in the run is called: id, target, and what it may have meant.

    The last is '' where no name resembles the target.
    """
    if not any(fault.target for fault in injected):
        return ()
    known = {
        row["name"].lower(): row["name"]
        for row in reader.rows("""
            SELECT DISTINCT service AS name FROM resource
            UNION
            SELECT DISTINCT destination FROM delivery
            UNION
            SELECT DISTINCT name FROM called_name
        """)
    }
    return tuple(
        (fault.id, fault.target, known.get(next(iter(_alike(fault.target, known)), ""), ""))
        for fault in injected
        if fault.target and fault.target.lower() not in known
    )


def _alike(target: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(target.lower(), list(filter(None, known)), n=1)


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
            phase,
            count(*) FILTER (outcome = 'ok')
                / nullif(count(*) FILTER (outcome <> 'unknown'), 0) AS success
        FROM fault_phase
        WHERE fault_id = $fault
        GROUP BY phase
        """,
        {"fault": fault.id},
    )
    success = {row["phase"]: row["success"] for row in shares}
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
        first_error_after_s=_first_error_after_s(reader, fault),
        stands_out=ranking.stands_out,
        suspects=ranking.suspects,
        rank_of_target=_rank_of_target(reader, fault, ranking),
        hurt=harm.hurt,
        hurt_for_s=harm.hurt_for_s,
        recovered_after_s=harm.recovered_after_s,
        changed_before_s=ranking.changed_before_s,
        changed_after_s=ranking.changed_after_s,
    )


def _rank_of_target(reader: Reader, fault: Fault, ranking: Ranking) -> int | None:
    """Of the target among the suspects; it may be suspected by the address it was called by.

    A service that has spans of its own goes by its own name alone: a message to a broker names the
    broker, but who it is for is somebody else.
    """
    called = reader.rows(
        """
        SELECT DISTINCT call.target
        FROM fault_call
        JOIN external_call AS call USING (span_no)
        WHERE fault_id = $fault AND call.is_external
        """,
        {"fault": fault.id},
    )
    names = {fault.target, *(row["target"] for row in called)} - {"", "?"}
    ranks = (at for at, one in enumerate(ranking.suspects, 1) if one.service in names)
    return next(ranks, None)


def _courses(reader: Reader) -> dict[str, tuple[FaultCourse, ...]]:
    """How each workflow fared around each fault, the one that lost most first."""
    found: dict[str, list[FaultCourse]] = {}
    for row in reader.rows("""
        FROM fault_course
        ORDER BY success_before - success_during DESC NULLS LAST, workflow
    """):
        found.setdefault(row["fault_id"], []).append(_course(row))
    return {fault: tuple(courses) for fault, courses in found.items()}


def _course(row: Row) -> FaultCourse:
    return FaultCourse(
        workflow=row["workflow"],
        instances=Phases(row["befores"], row["durings"], row["afters"]),
        success=Phases(row["success_before"], row["success_during"], row["success_after"]),
        p95_ms=Phases(row["before_ms"], row["during_ms"], row["after_ms"]),
        recovery=row["fate"] if row["is_alone"] else "ambiguous",
        recovered_after_s=row["recovered_s"] if row["is_alone"] else None,
    )


def _detected_after_s(reader: Reader, fault: Fault) -> float | None:
    """Seconds from the fault's start to the first alert that it raised; None without an alert.

    An alert that names what another fault of the time hit, and not what this one did, is not its.
    """
    first = reader.value(
        """
        SELECT min(alert.starts_ns)
        FROM fault_alert AS alert
        WHERE alert.fault_id = $fault AND (
            alert.is_about
            OR alert.alert_no NOT IN (SELECT alert_no FROM fault_alert WHERE is_about)
        )
        """,
        {"fault": fault.id},
    )
    return None if first is None else (first - fault.start_ns) / 1e9


def _first_error_after_s(reader: Reader, fault: Fault) -> float | None:
    """Seconds from the fault's start to the end of the first span that failed while it lasted.

    A failure is where it began: what fails above it only passes on what may have been before.
    """
    first = reader.value(
        """
        SELECT min(node.end_ns)
        FROM span_error
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
            AND node.start_ns <= $end
            AND node.end_ns >= $start
            AND NOT EXISTS (
                SELECT 1
                FROM span_error AS error
                JOIN node AS below USING (span_no)
                WHERE below.parent_no = node.span_no AND NOT error.by_log
            )
        """,
        {"start": fault.start_ns, "end": fault.end_ns},
    )
    return None if first is None else (first - fault.start_ns) / 1e9
