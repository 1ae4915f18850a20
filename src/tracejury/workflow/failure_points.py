"""Where a workflow instance failed: its terminal errors, and how many could each be the cause.

A terminal error below something that did not fail was handled. The candidates of one failure are
weighed and their entropy H gives the effective number of candidates, 2^H: 1 is unambiguous.
Independent failures (other items, other consumers) are not each other's candidates; an instance is
as ambiguous as its most ambiguous failure.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from math import log2
from typing import Final

from tracejury.store.reader import Reader, Row
from tracejury.telemetry import lexicon

# How much a candidate counts, by what speaks against it being the cause. Assumed, not measured.
WEIGHT_BROKEN_PATH: Final = 0.3  # something between it and the failure did not fail
WEIGHT_LATE: Final = 0.2  # it ended after what it would have caused
WEIGHT_TYPE_ONLY: Final = 0.8  # it has a type or a message, not both
WEIGHT_UNEXPLAINED: Final = 0.5  # it has neither

# Why a failure point cannot be told, whatever the number of candidates.
NO_CANDIDATE: Final = "no-candidate"
DARK_BOUNDARY: Final = "dark-boundary"
BROKEN_CHAIN: Final = "broken-chain"
UNEXPLAINED: Final = "unexplained"

# What makes a cause harder to find without making the failure point ambiguous.
LOST_BELOW: Final = "lost-below"

# The same of a fault that made nothing fail: most calls were recorded by one side alone.
HALF_CALLS: Final = "half-calls"

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """Terminal errors of one step, target and type: a place where an instance may have failed.

    `weight` is that of the likeliest of them; `evidence` holds (trace_id, span_id), at most five.
    `slowest_below` names the step that a timeout was waiting for, '' where there is none, and
    `slowest_ms` says how long it took.
    """

    service: str
    step: str
    target: str
    error_type: str
    message: str
    weight: float
    count: int
    evidence: tuple[tuple[str, str], ...]
    blockers: tuple[str, ...]
    slowest_below: str
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class FailedInstance:
    """One failed workflow instance. `effective` is 2^H of its most ambiguous failure, else 0.

    `blockers` are those of its candidates, or that there is none. `entry` is (trace_id, span_id).
    `has_entity`: every candidate, or a span above it, names its unit of work. `lost_below`: a span
    that began while a candidate ran has lost its parent, so that the failure may have begun in it.
    """

    instance_no: int
    correlation_id: str
    workflow: str
    entry: tuple[str, str]
    candidates: tuple[Candidate, ...]
    effective: float
    blockers: tuple[str, ...]
    start_ns: int = 0
    end_ns: int = 0
    logs: int = 0  # log records that belong to it
    services: int = 0  # that have spans in it
    has_entity: bool = False
    lost_below: bool = False


def failure_points(reader: Reader) -> tuple[FailedInstance, ...]:
    """Every failed workflow instance but the background, its candidates the likeliest first."""
    failed = reader.rows(_FAILED)
    units = reader.rows(
        _CANDIDATES,
        {
            "generic_types": sorted(lexicon.GENERIC_TYPES),
            "generic_message": f"(?i){lexicon.GENERIC_MESSAGE.pattern}",
            "connection_types": sorted(lexicon.CONNECTION_TYPES),
            "dark_boundary": DARK_BOUNDARY,
            "broken_chain": BROKEN_CHAIN,
            "unexplained": UNEXPLAINED,
            "shown": _SHOWN,
        },
    )
    by_instance = {
        number: tuple(rows) for number, rows in groupby(units, lambda row: row["instance_no"])
    }
    return tuple(_failed_instance(row, by_instance.get(row["instance_no"], ())) for row in failed)


def _failed_instance(instance: Row, units: tuple[Row, ...]) -> FailedInstance:
    # What was handled is no candidate while another lies on an unbroken path to the failure.
    broken_path = 0.0 if any(unit["on_path"] for unit in units) else WEIGHT_BROKEN_PATH
    weighed = [(unit, weight) for unit in units if (weight := _weight(unit, broken_path)) > 0]
    failures: dict[tuple[int, int], list[float]] = defaultdict(list)
    for unit, weight in weighed:
        failures[unit["failure_no"], unit["item"]].append(weight)
    candidates = _candidates(weighed)
    blockers = sorted({blocker for candidate in candidates for blocker in candidate.blockers})
    return FailedInstance(
        instance_no=instance["instance_no"],
        correlation_id=instance["correlation_id"],
        workflow=instance["workflow"],
        entry=(instance["trace_id"], instance["span_id"]),
        candidates=candidates,
        effective=max(map(effective, failures.values()), default=0.0),
        blockers=tuple(blockers) if candidates else (NO_CANDIDATE,),
        start_ns=instance["start_ns"],
        end_ns=instance["end_ns"],
        logs=instance["logs"],
        services=instance["services"],
        has_entity=bool(weighed) and all(unit["has_entity"] for unit, _ in weighed),
        lost_below=any(unit["lost_below"] for unit, _ in weighed),
    )


def effective(weights: Iterable[float]) -> float:
    """2^H of candidates with these weights: 1 for one, n for n of the same weight."""
    positive = [weight for weight in weights if weight > 0]
    shares = [weight / sum(positive) for weight in positive]
    return 2 ** -sum(share * log2(share) for share in shares) if shares else 0.0


def _weight(unit: Row, broken_path: float) -> float:
    path = 1.0 if unit["on_path"] else broken_path
    return path * (1.0 if unit["in_time"] else WEIGHT_LATE) * _explained(unit)


def _explained(unit: Row) -> float:
    if unit["specific_type"] and (unit["specific_message"] or unit["is_code"]):
        return 1.0
    if unit["specific_type"] or unit["specific_message"]:
        return WEIGHT_TYPE_ONLY
    return WEIGHT_UNEXPLAINED


def _candidates(weighed: list[tuple[Row, float]]) -> tuple[Candidate, ...]:
    """The same step, target and type of several failures is one candidate of the instance."""
    merged: dict[tuple[str, ...], list[tuple[Row, float]]] = defaultdict(list)
    for unit, weight in weighed:
        merged[unit["service"], unit["step"], unit["target"], unit["error_type"]].append(
            (unit, weight)
        )
    found = [_candidate(group) for group in merged.values()]
    return tuple(sorted(found, key=_likeliest_first))


def _likeliest_first(one: Candidate) -> tuple[float, int, str, str, str, str]:
    return -one.weight, -one.count, one.service, one.step, one.target, one.error_type


def _candidate(group: list[tuple[Row, float]]) -> Candidate:
    first = group[0][0]
    slowest = max((unit for unit, _ in group), key=lambda unit: float(unit["slowest_ms"]))
    evidence = [(span["trace_id"], span["span_id"]) for unit, _ in group for span in unit["spans"]]
    blockers = sorted({blocker for unit, _ in group for blocker in unit["blockers"]})
    return Candidate(
        service=first["service"],
        step=first["step"],
        target=first["target"],
        error_type=first["error_type"],
        message=first["message"],
        weight=max(weight for _, weight in group),
        count=sum(unit["count"] for unit, _ in group),
        evidence=tuple(evidence[:_SHOWN]),
        blockers=tuple(blockers),
        slowest_below=slowest["slowest"],
        slowest_ms=slowest["slowest_ms"],
    )


_FAILED: Final = """
    SELECT
        instance.instance_no,
        instance.correlation_id,
        instance.workflow,
        instance.start_ns,
        instance.end_ns,
        instance.logs,
        (
            SELECT count(DISTINCT member.service)
            FROM trace_instance
            JOIN node AS member USING (trace_no)
            WHERE trace_instance.instance_no = instance.instance_no
        ) AS services,
        lower(hex(trace.trace_id)) AS trace_id,
        format('{:016x}', entry.span_id) AS span_id
    FROM workflow_instance AS instance
    JOIN node AS entry ON entry.span_no = instance.entry_span_no
    JOIN trace USING (trace_no)
    WHERE instance.outcome = 'failed' AND NOT instance.background
    ORDER BY instance.instance_no
"""

_CANDIDATES: Final = r"""
    WITH lost AS (
        SELECT orphan.trace_no, child.start_ns
        FROM orphan
        JOIN node AS child USING (span_no)
        WHERE NOT orphan.external_entry
    ),
    terminal AS (
        SELECT
            terminal_error.*,
            node.service,
            node.name AS step,
            coalesce(called.target, call.peer, '') AS target,
            error.error_type,
            error.message,
            regexp_extract(error.error_type, '([^.:/*$]*)\.?$', 1) AS short_type,
            regexp_full_match(trim(error.message), $generic_message) AS generic_message,
            node.kind IN ('CLIENT', 'PRODUCER')
                AND NOT coalesce(called.is_external, true)
                AND NOT coalesce(called.has_server_half, false) AS is_dark,
            EXISTS (
                SELECT 1
                FROM lost
                WHERE lost.trace_no = node.trace_no
                    AND lost.start_ns BETWEEN node.start_ns AND node.end_ns
            ) AS lost_below,
            span.reference
        FROM terminal_error
        JOIN node USING (span_no)
        JOIN span_reference AS span USING (span_no)
        JOIN span_error AS error USING (span_no)
        LEFT JOIN call USING (span_no)
        LEFT JOIN external_call AS called USING (span_no)
        SEMI JOIN (
            SELECT instance_no FROM workflow_instance WHERE outcome = 'failed'
        ) AS failed ON failed.instance_no = terminal_error.instance_no
    ),
    judged AS (
        SELECT
            *,
            short_type NOT IN (SELECT unnest($generic_types)) AS specific_type,
            -- A message that only repeats the type says nothing more.
            NOT generic_message AND trim(message, ' :') NOT IN (error_type, short_type)
                AS specific_message,
            regexp_matches(error_type, '^[0-9]+$|^[A-Z][A-Z_]+$') AS is_code
        FROM terminal
    )
    SELECT
        judged.instance_no,
        judged.failure_no,
        judged.item,
        judged.service,
        judged.step,
        judged.target,
        judged.error_type,
        min(judged.message) AS message,
        bool_or(judged.on_path) AS on_path,
        bool_or(judged.in_time) AS in_time,
        bool_and(judged.specific_type) AS specific_type,
        bool_and(judged.specific_message) AS specific_message,
        bool_and(judged.is_code) AS is_code,
        bool_and(judged.has_entity) AS has_entity,
        bool_or(judged.lost_below) AS lost_below,
        list_filter([
            CASE WHEN bool_or(judged.is_dark
                AND judged.short_type NOT IN (SELECT unnest($connection_types)))
                THEN $dark_boundary END,
            CASE WHEN bool_or(judged.broken_chain) THEN $broken_chain END,
            CASE WHEN bool_or(NOT judged.specific_type AND NOT judged.specific_message)
                THEN $unexplained END
        ], lambda blocker: blocker IS NOT NULL) AS blockers,
        count(*) AS count,
        list(judged.reference ORDER BY judged.span_no)[:$shown] AS spans,
        coalesce(arg_max(
            slowest.service || ': ' || slowest.name,
            (slowest.duration_ns, slowest.service, slowest.name)
        ), '')
            AS slowest,
        coalesce(max(slowest.duration_ns), 0) / 1e6 AS slowest_ms
    FROM judged
    LEFT JOIN node AS slowest ON slowest.span_no = judged.slowest_no
    GROUP BY
        judged.instance_no, judged.failure_no, judged.item,
        judged.service, judged.step, judged.target, judged.error_type
    ORDER BY judged.instance_no, judged.failure_no, judged.item, judged.service, judged.step
"""
