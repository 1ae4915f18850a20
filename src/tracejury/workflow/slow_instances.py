"""Workflow instances that took longer than theirs usually do, and the steps that took the excess.

An instance is slow if it took longer than the upper quartile of the usual instances by more than
three times their quartiles' distance (Tukey's fence for what is far out, on logarithms), and at
least half as long again as the middle one. Usual are those of a clean run where one is named, else
those of the same store that did not fail, nor ran while a fault lasted; too few of them tell
nothing. The critical path tiles an instance, so that what its steps held more of it than they
usually do is the excess.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from tracejury.store.reader import Reader, Row
from tracejury.workflow.baseline import FEWEST_TIMED, INSTANCE_TIMES, STEP_TIMES

# Of a slow instance so many steps are told, and no more than it takes to explain this share.
_STEPS: Final = 5
_EXPLAINED: Final = 0.9


@dataclass(frozen=True, slots=True)
class Excess:
    """What one step held the critical path longer than usual. `span` is (trace_id, span_id).

    `part` is own, after (what came of the step was waited for) or between (nothing ran, no span).
    """

    service: str
    step: str
    target: str
    part: str
    took_ms: float
    usual_ms: float
    spans: int
    usual_spans: float
    span: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class SlowInstance:
    """The slowest of the instances whose excess lies mostly in the same step; `alike`: the others.

    `compared_with`: how many usual instances there are. `entry` is (trace_id, span_id).
    """

    correlation_id: str
    workflow: str
    entry: tuple[str, str]
    took_ms: float
    usual_ms: float
    compared_with: int
    alike: int
    excess: tuple[Excess, ...]


@dataclass(frozen=True, slots=True)
class Slow:
    """`judged` instances had something to be compared with, `not_judged` had too little.

    `groups` counts what `instances` has the first of.
    """

    judged: int
    not_judged: int
    slow: int
    groups: int
    instances: tuple[SlowInstance, ...]
    by_baseline: bool


def slow_instances(reader: Reader, shown: int, *, fault_id: str | None = None) -> Slow:
    """The slowest instances, one for each step that most of the excess lies in, at most `shown`.

    With `fault_id` of those that ran while that fault lasted.
    """
    by_baseline = bool(reader.value("SELECT count(*) > 0 FROM baseline_instance_time"))
    instance_times, step_times = _usual(by_baseline=by_baseline)
    fewest = {} if by_baseline else {"fewest": FEWEST_TIMED}
    reader.register("usual_instance", reader.arrow(instance_times, fewest))
    reader.register("judged_instance", reader.arrow(_JUDGED, {"fault": fault_id}))
    [counts] = reader.rows(_COUNTS)
    if not counts["slow"]:
        return Slow(counts["judged"], counts["not_judged"], 0, 0, (), by_baseline)
    reader.register("usual_step", reader.arrow(step_times, fewest))
    reader.register("excess_time", reader.arrow(_EXCESS))
    [groups] = reader.rows(_GROUPS)
    first = reader.rows(_FIRST, {"shown": shown})
    steps = defaultdict(list)
    for row in reader.rows(_STEPS_OF, {"instances": [one["instance_no"] for one in first]}):
        steps[row["instance_no"]].append(row)
    return Slow(
        judged=counts["judged"],
        not_judged=counts["not_judged"],
        slow=counts["slow"],
        groups=groups["groups"],
        instances=tuple(_slow_instance(one, steps[one["instance_no"]]) for one in first),
        by_baseline=by_baseline,
    )


def _usual(*, by_baseline: bool) -> tuple[str, str]:
    if by_baseline:
        return "FROM baseline_instance_time", "FROM baseline_step_time"
    return INSTANCE_TIMES, STEP_TIMES


def _slow_instance(row: Row, steps: list[Row]) -> SlowInstance:
    return SlowInstance(
        correlation_id=row["correlation_id"],
        workflow=row["workflow"],
        entry=(row["trace_id"], row["span_id"]),
        took_ms=row["took_ms"],
        usual_ms=row["usual_ms"],
        compared_with=row["compared_with"],
        alike=row["alike"],
        excess=tuple(map(_excess, _explaining(steps))),
    )


def _explaining(steps: list[Row]) -> list[Row]:
    """The steps with the most excess, as many as explain nearly all of it."""
    whole = sum(step["excess_ms"] for step in steps)
    told: list[Row] = []
    for step in steps[:_STEPS]:
        if told and sum(one["excess_ms"] for one in told) >= _EXPLAINED * whole:
            break
        told.append(step)
    return told


def _excess(row: Row) -> Excess:
    return Excess(
        service=row["service"],
        step=row["name"],
        target=row["target"],
        part=row["part"],
        took_ms=row["held_ms"],
        usual_ms=row["usual_ms"],
        spans=row["spans"],
        usual_spans=row["usual_spans"],
        span=(row["trace_id"], row["span_id"]) if row["trace_id"] else None,
    )


# Instances are compared with those of the same shape where these are enough.
_JUDGED: Final = """
    SELECT
        instance.instance_no,
        instance.entry_service,
        instance.entry_name,
        instance.took_ns,
        coalesce(same.shape, usual.shape) AS shape,
        exp(coalesce(same.median, usual.median)) AS usual_ns,
        coalesce(same.instances, usual.instances) AS compared_with,
        coalesce(
            ln(1 + instance.took_ns) > CASE WHEN same.shape IS NOT NULL
                THEN greatest(same.upper + 3 * (same.upper - same.lower), same.median + ln(1.5))
                ELSE greatest(usual.upper + 3 * (usual.upper - usual.lower), usual.median + ln(1.5))
            END,
            false
        ) AS is_slow
    FROM shaped_instance AS instance
    LEFT JOIN usual_instance AS same
        ON same.entry_service = instance.entry_service
        AND same.entry_name = instance.entry_name
        AND same.shape = instance.shape
    LEFT JOIN usual_instance AS usual
        ON usual.entry_service = instance.entry_service
        AND usual.entry_name = instance.entry_name
        AND usual.shape = 0
    WHERE instance.outcome <> 'failed'
        AND (
            $fault IS NULL
            OR instance.instance_no IN (
                SELECT instance_no FROM fault_phase WHERE fault_id = $fault AND phase = 'during'
            )
        )
"""

_COUNTS: Final = """
    SELECT
        count(*) FILTER (compared_with IS NOT NULL) AS judged,
        count(*) FILTER (compared_with IS NULL) AS not_judged,
        count(*) FILTER (is_slow) AS slow
    FROM judged_instance
"""

# Of every slow instance the steps that held more of its critical path than usual, the worst first.
_EXCESS: Final = """
    SELECT
        slow.instance_no,
        slow.entry_service,
        slow.entry_name,
        path.service,
        path.name,
        path.kind,
        path.part,
        path.held_ns,
        path.spans,
        path.longest_no,
        coalesce(usual.held_ns, 0) AS usual_ns,
        coalesce(usual.spans, 0) AS usual_spans,
        path.held_ns - coalesce(usual.held_ns, 0) AS excess_ns,
        row_number() OVER (
            PARTITION BY slow.instance_no
            ORDER BY
                path.held_ns - coalesce(usual.held_ns, 0) DESC,
                path.service, path.name, path.kind, path.part
        ) AS place
    FROM judged_instance AS slow
    JOIN path_time AS path USING (instance_no)
    LEFT JOIN usual_step AS usual
        ON usual.entry_service = slow.entry_service AND usual.entry_name = slow.entry_name
        AND usual.shape = slow.shape
        AND usual.service = path.service AND usual.name = path.name AND usual.kind = path.kind
        AND usual.part = path.part
    WHERE slow.is_slow AND path.held_ns > coalesce(usual.held_ns, 0)
"""

_GROUPS: Final = """
    SELECT count(DISTINCT (entry_service, entry_name, service, name, kind, part)) AS groups
    FROM excess_time
    WHERE place = 1
"""

_FIRST: Final = """
    WITH worst AS (
        SELECT
            arg_max(instance_no, (slow.took_ns - slow.usual_ns, -instance_no)) AS instance_no,
            count(*) - 1 AS alike
        FROM excess_time AS main
        JOIN judged_instance AS slow USING (instance_no)
        WHERE main.place = 1
        GROUP BY
            main.entry_service, main.entry_name, main.service, main.name, main.kind, main.part
    )
    SELECT
        worst.instance_no,
        worst.alike,
        instance.correlation_id,
        instance.workflow,
        lower(hex(trace.trace_id)) AS trace_id,
        format('{:016x}', entry.span_id) AS span_id,
        slow.took_ns / 1e6 AS took_ms,
        slow.usual_ns / 1e6 AS usual_ms,
        slow.compared_with
    FROM worst
    JOIN judged_instance AS slow USING (instance_no)
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN node AS entry ON entry.span_no = instance.entry_span_no
    JOIN trace USING (trace_no)
    ORDER BY slow.took_ns - slow.usual_ns DESC, worst.instance_no
    LIMIT $shown
"""

_STEPS_OF: Final = """
    SELECT
        excess.instance_no,
        excess.service,
        excess.name,
        excess.part,
        coalesce(nullif(call.target, '?'), '') AS target,
        excess.held_ns / 1e6 AS held_ms,
        excess.usual_ns / 1e6 AS usual_ms,
        excess.excess_ns / 1e6 AS excess_ms,
        excess.spans,
        excess.usual_spans,
        coalesce(lower(hex(trace.trace_id)), '') AS trace_id,
        coalesce(format('{:016x}', node.span_id), '') AS span_id
    FROM excess_time AS excess
    LEFT JOIN node ON node.span_no = excess.longest_no
    LEFT JOIN trace ON trace.trace_no = node.trace_no
    LEFT JOIN external_call AS call ON call.span_no = excess.longest_no
    WHERE excess.instance_no IN (SELECT unnest($instances))
    ORDER BY excess.instance_no, excess.place
"""
