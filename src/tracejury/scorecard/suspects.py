"""Rank who is to blame for what happened in a window of time, against the time outside all windows.

Three kinds of evidence, step by step. Time: own time of a step, and the part of a call that its
callee does not account for (charged mostly to the callee). Errors: failures that the window has and
the rest has not, charged to the callee where a call failed. Silence: spans that began in the window
and never arrived, though others name them or were answered by them. A target that the fault file
names is never used.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.result import Suspect
from tracejury.store.reader import Reader, Row

# Whoever is called answers for most of the time that the caller waits and nobody accounts for.
_CALLEE_SHARE: Final = 0.7

# What a span that never arrived says, against one that was e times slower than usual.
_SILENT_POINTS: Final = 2.0

# Below this, nothing stands out.
_STANDS_OUT: Final = 3.0

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Ranking:
    """Suspects of one window, best first, and whether the first is worth the name."""

    stands_out: bool
    suspects: tuple[Suspect, ...]


def rank(reader: Reader, start_ns: int, end_ns: int) -> Ranking:
    """Suspects for the window from `start_ns` to `end_ns`."""
    window = {"start": start_ns, "end": end_ns}
    blame: dict[tuple[str, str], float] = defaultdict(float)
    evidence: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for row in reader.rows(_SLOWER, window):
        _charge(blame, evidence, row, _slower(row))
    for row in reader.rows(_FAILING, window):
        _charge(blame, evidence, row, _failing(row))
    for row in reader.rows(_SILENT, window):
        _charge(blame, evidence, row, _silent(row))
    by_service: dict[str, float] = defaultdict(float)
    for (service, _), points in blame.items():
        by_service[service] += points
    ranked = sorted(blame, key=lambda key: (-by_service[key[0]], -blame[key], key))
    suspects = tuple(
        _suspect(service, by_service[service], ranked, evidence)
        for service in dict.fromkeys(s for s, _ in ranked)
    )
    best = suspects[:_SHOWN]
    return Ranking(bool(best) and best[0].score >= _STANDS_OUT, best)


def _suspect(
    service: str,
    points: float,
    ranked: list[tuple[str, str]],
    evidence: dict[tuple[str, str], list[tuple[float, str]]],
) -> Suspect:
    steps = [key for key in ranked if key[0] == service]
    said = sorted((entry for key in steps for entry in evidence[key]), reverse=True)
    return Suspect(
        service=service,
        step=steps[0][1],
        score=round(points, 2),
        evidence=tuple(sentence for _, sentence in said[:3]),
    )


def _charge(
    blame: dict[tuple[str, str], float],
    evidence: dict[tuple[str, str], list[tuple[float, str]]],
    row: Row,
    said: tuple[float, str],
) -> None:
    points, sentence = said
    if points <= 0:
        return
    callee = row["callee"]
    shares = [((row["service"], row["name"]), 1.0)]
    if callee:
        shares = [
            ((callee, row["name"]), _CALLEE_SHARE),
            ((row["service"], row["name"]), 1 - _CALLEE_SHARE),
        ]
    for key, share in shares:
        blame[key] += points * share
        evidence[key].append((points * share, sentence))


def _slower(row: Row) -> tuple[float, str]:
    points = math.sqrt(row["inside"]) * row["log_ratio"]
    what = f"waiting for {row['callee']} in" if row["callee"] else "own time of"
    return points, (
        f"{what} `{row['name']}` of {row['service']}: {row['inside_ms']:.0f} ms in the window,"
        f" {row['outside_ms']:.0f} ms outside ({row['inside']} spans)"
    )


def _failing(row: Row) -> tuple[float, str]:
    usual = (row["failed_outside"] + 0.5) / (row["outside"] + 1)
    points = math.sqrt(row["failed"]) * math.log(
        (row["failed"] + 0.5) / (row["inside"] + 1) / usual
    )
    kinds = row["error_type"] or "failures"
    return points, (
        f"`{row['name']}` of {row['service']} failed {row['failed']} of {row['inside']} times in"
        f" the window ({kinds}), {row['failed_outside']} of {row['outside']} outside"
    )


def _silent(row: Row) -> tuple[float, str]:
    usual = row["outside"] * row["window_share"]
    points = _SILENT_POINTS * math.sqrt(max(row["inside"] - usual, 0.0))
    return points, (
        f"{row['inside']} spans `{row['name']}` of {row['service']} that began in the window never"
        f" arrived ({row['cause']}), {row['outside']} outside"
    )


_TIMED: Final = """
    WITH half AS (
        SELECT parent_no AS span_no, any_value(service) AS service, max(duration_ns) AS duration_ns
        FROM node
        WHERE kind IN ('SERVER', 'CONSUMER') AND parent_no IS NOT NULL
        GROUP BY parent_no
    ),
    -- Whoever called what failed handles a failure: its time and its error are not its own.
    passed_on AS (
        SELECT DISTINCT node.parent_no AS span_no
        FROM span_error AS error
        JOIN node USING (span_no)
        WHERE NOT error.by_log
    ),
    timed AS (
        SELECT
            node.service,
            node.name,
            node.kind,
            call.target AS callee,
            node.start_ns,
            -- A call's own time is what its callee does not account for.
            CASE
                WHEN node.kind IN ('CLIENT', 'PRODUCER')
                THEN greatest(node.duration_ns - coalesce(half.duration_ns, 0), 0)
                ELSE self_time.self_ns
            END + 1000 AS time_ns,
            error.span_no IS NOT NULL AS failed,
            error.error_type,
            node.start_ns BETWEEN $start AND $end AS is_inside,
            EXISTS (
                SELECT 1 FROM fault WHERE node.start_ns BETWEEN fault.start_ns AND fault.end_ns
            ) AS is_in_a_fault
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN self_time USING (span_no)
        LEFT JOIN external_call AS call USING (span_no)
        LEFT JOIN half USING (span_no)
        LEFT JOIN span_error AS error USING (span_no)
        WHERE NOT instance.background
            AND node.start_ns IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM passed_on WHERE passed_on.span_no = node.span_no)
    )
"""

_SLOWER: Final = (
    _TIMED
    + """
    SELECT
        service, name, callee,
        count(*) FILTER (is_inside) AS inside,
        avg(ln(time_ns)) FILTER (is_inside)
            - avg(ln(time_ns)) FILTER (NOT is_inside AND NOT is_in_a_fault) AS log_ratio,
        avg(time_ns) FILTER (is_inside) / 1e6 AS inside_ms,
        avg(time_ns) FILTER (NOT is_inside AND NOT is_in_a_fault) / 1e6 AS outside_ms
    FROM timed
    WHERE time_ns IS NOT NULL
    GROUP BY service, name, kind, callee
    HAVING inside > 0 AND log_ratio > 0
"""
)

_FAILING: Final = (
    _TIMED
    + """
    SELECT
        service, name, callee,
        count(*) FILTER (is_inside) AS inside,
        count(*) FILTER (is_inside AND failed) AS failed,
        count(*) FILTER (NOT is_inside AND NOT is_in_a_fault) AS outside,
        count(*) FILTER (NOT is_inside AND NOT is_in_a_fault AND failed) AS failed_outside,
        mode(error_type) FILTER (is_inside AND failed) AS error_type
    FROM timed
    GROUP BY service, name, kind, callee
    HAVING failed > 0
"""
)

_SILENT: Final = """
    WITH lost AS (
        SELECT service, name, cause, first_ns AS time_ns
        FROM ghost
        WHERE service <> ''
        UNION ALL
        SELECT half.callee, half.callee_name, 'not-exported', node.start_ns
        FROM missing_half AS half
        JOIN node USING (span_no)
    ),
    whole AS (
        SELECT greatest(max(start_ns) - min(start_ns), 1) AS run_ns
        FROM node
    )
    SELECT
        lost.service,
        lost.name,
        NULL AS callee,
        mode(lost.cause) AS cause,
        count(*) FILTER (lost.time_ns BETWEEN $start AND $end) AS inside,
        count(*) FILTER (lost.time_ns NOT BETWEEN $start AND $end) AS outside,
        least(($end - $start) / any_value(whole.run_ns), 1.0) AS window_share
    FROM lost
    CROSS JOIN whole
    GROUP BY lost.service, lost.name
    HAVING inside > 0
"""
