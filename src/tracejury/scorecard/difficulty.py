"""How hard something was to diagnose: over failed instances, or over who is suspected instead."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Final

from tracejury.scorecard.result import Difficulty
from tracejury.scorecard.suspects import Ranking
from tracejury.store.reader import Reader, Row
from tracejury.workflow.diagnosis_effort import Around, Search, around, effort, savings, search_of
from tracejury.workflow.failure_points import (
    BROKEN_CHAIN,
    DARK_BOUNDARY,
    HALF_CALLS,
    LOST_BELOW,
    NO_CANDIDATE,
    UNEXPLAINED,
    FailedInstance,
    failure_points,
)
from tracejury.workflow.faults import Fault

# What the minutes of a breakdown are spent on.
CAUSES: Final = {
    "find": "finding the trace",
    "localise": "ruling out candidates",
    "explain": "reading what happened",
    "dark": "calls not recorded on both sides",
    "entity": "finding out what it happened to",
}

# Why a cause cannot be told, or not easily.
BLOCKERS: Final = {
    NO_CANDIDATE: "nothing in it says that it failed but its outcome",
    DARK_BOUNDARY: "a callee recorded nothing",
    BROKEN_CHAIN: "a span between an error and the top is not stored",
    UNEXPLAINED: "an error has neither a specific type nor a specific message",
    LOST_BELOW: "a span is lost in which the failure may have begun",
    HALF_CALLS: "most calls were recorded by one side alone",
}

# A fix that saves less than three seconds is not worth a line.
_LEAST_SAVING: Final = 0.05


def of_instances(failed: Sequence[FailedInstance], run: Around) -> Difficulty | None:
    """The mean over failed instances; None where there is none."""
    if not failed:
        return None
    searches = [search_of(instance, run) for instance in failed]
    blockers = {blocker for instance in failed for blocker in instance.blockers}
    if any(instance.lost_below for instance in failed):
        blockers.add(LOST_BELOW)
    return _difficulty(searches, blockers, failed=len(failed))


def by_workflow(failed: Iterable[FailedInstance], run: Around) -> dict[str, Difficulty]:
    """Of each workflow that failed."""
    groups: dict[str, list[FailedInstance]] = defaultdict(list)
    for instance in failed:
        groups[instance.workflow].append(instance)
    found = {name: of_instances(groups[name], run) for name in sorted(groups)}
    return {name: one for name, one in found.items() if one is not None}


def by_fault(
    reader: Reader,
    injected: Sequence[Fault],
    rankings: Sequence[Ranking],
) -> list[Difficulty | None]:
    """Of each fault: over what failed in its window, else over its suspects."""
    if not injected:
        return []
    failed = failure_points(reader)
    run = around(reader, failed)
    windows = {row["id"]: row for row in reader.rows(_WINDOWS)}
    found = []
    for fault, ranking in zip(injected, rankings, strict=True):
        hit = [
            one for one in failed if one.start_ns <= fault.end_ns and one.end_ns >= fault.start_ns
        ]
        found.append(of_instances(hit, run) or _of_suspects(ranking, run, windows[fault.id]))
    return found


def _of_suspects(ranking: Ranking, run: Around, window: Row) -> Difficulty | None:
    """Nothing failed, so that no error names a place, and no trace is the one to look at.

    Where nothing ran nothing can be found out.
    """
    if not ranking.candidates or not window["instances"]:
        return None
    search = Search(
        candidates=ranking.candidates,
        is_specific=False,
        has_entity=True,  # it happened to everything
        has_logs=window["has_logs"],
        lines=window["lines"],
        alike=1,
        kept=window["kept"],
        dark=run.half_hops,
    )
    blockers = {HALF_CALLS} if search.dark > _MOST else set()
    return _difficulty([search], blockers, failed=0)


# Where most calls lack a half, a delay is the caller's or the callee's, and nothing tells whose.
_MOST: Final = 0.5


def _difficulty(searches: Sequence[Search], blockers: Iterable[str], *, failed: int) -> Difficulty:
    costs = [effort(search) for search in searches]
    breakdown = {cause: mean(cost[cause] for cost in costs) for cause in costs[0]}
    saved: dict[str, float] = defaultdict(float)
    for search in searches:
        for fix, minutes in savings(search).items():
            saved[fix] += minutes / len(searches)
    return Difficulty(
        basis="errors" if failed else "suspects",
        candidates=mean(search.candidates for search in searches),
        minutes=sum(breakdown.values()),
        breakdown=breakdown,
        savings={fix: minutes for fix, minutes in saved.items() if minutes > _LEAST_SAVING},
        blockers=tuple(sorted(blockers)),
        failed_instances=failed,
    )


# Of each window: its log records, and how many of the instances that ran in it have some.
_WINDOWS: Final = """
    WITH log AS (
        SELECT
            fault.id,
            count(*) FILTER (record.trace_id IS NULL) AS lines,
            count(DISTINCT record.trace_id) AS named,
            count(DISTINCT trace.trace_id) AS kept
        FROM fault
        JOIN stored.log_record AS record
            ON greatest(record.time_ns, record.observed_ns) BETWEEN fault.start_ns AND fault.end_ns
        LEFT JOIN trace ON trace.trace_id = record.trace_id
        GROUP BY fault.id
    ),
    ran AS (
        SELECT fault.id, count(*) AS instances, count(*) FILTER (instance.logs > 0) AS logged
        FROM fault
        JOIN workflow_instance AS instance
            ON instance.start_ns <= fault.end_ns AND instance.end_ns >= fault.start_ns
        WHERE NOT instance.background
        GROUP BY fault.id
    )
    SELECT
        fault.id,
        coalesce(ran.instances, 0) AS instances,
        coalesce(log.lines, 0) AS lines,
        CASE WHEN log.kept > 0 THEN log.kept / log.named ELSE 1.0 END AS kept,
        coalesce(2 * ran.logged >= ran.instances, false) AS has_logs
    FROM fault
    LEFT JOIN log USING (id)
    LEFT JOIN ran USING (id)
"""
