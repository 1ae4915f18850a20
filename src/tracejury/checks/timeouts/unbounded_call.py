"""Calls that would wait for ever.

What: To every target that somebody calls, at least one call was seen to be given up by its caller:
a timeout that the caller raised, without an answer. A connect timeout alone bounds no call that got
its connection, nor does the wait for a free one of a pool; that a deadline has passed may be the
callee's answer. It fails where a fault held a call up for longer than the bound of its kind, and
the caller went on waiting. Where another call to the target went on beyond its bound, and longer
than any that was given up, it is no pass. Long polls, streams and blocking reads are left out.

Why: One dependency that hangs holds every worker that calls it, and with them all work. A call that
was never slow proves nothing, so a target that no fault touched stays untested.

Fix: Set a read or overall timeout on every client, not only a connect timeout, and bound the whole
of an answer that drips.

Source: the audit's pattern 1, no timeout on external calls, and its timeout table.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# What else somebody gave up waiting for, and nothing more.
_OTHER_WAITS: Final = {
    "connection": "Only while connecting",
    "pool": "Only while waiting for a free connection of the pool",
    "unclear": "Only by a deadline that may be the callee's",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target: calls that were cut off, or waited on and on."""
    rows = evidence.rows(_CALLS, {"shown": SHOWN})
    units = tuple(
        Unit(f"{row['service']} → {row['target']}", _exposures(row), _findings(row)) for row in rows
    )
    return Judgement(units, note=_note(rows))


def _exposures(row: Row) -> int:
    """How often a timeout was seen to work, or not to; a longer call beside takes the former."""
    given_up = 0 if row["beside_s"] else row["cut_off"]
    return int(given_up + row["endless"])


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["endless"]:
        return ()
    return (
        Finding(
            f"{counted(row['endless'], 'call')} of {row['service']} to {row['target']} waited"
            f" {row['longest_s']:.1f} s during `{row['fault']}`, beyond the bound of"
            f" {row['bound_s']:g} s, and {either(row['endless'], 'was', 'were')} not given up.",
            subject=f"{row['service']} → {row['target']}",
            fault=row["fault"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    seen = [
        f"{row['service']} → {row['target']} after {row['shortest_s']:.3g} s"
        for row in rows
        if row["cut_off"]
    ]
    parts = [f"Given up: {', '.join(seen)}."] if seen else []
    for kind, words in _OTHER_WAITS.items():
        pairs = [f"{row['service']} → {row['target']}" for row in rows if row["only"] == kind]
        if pairs:
            parts.append(f"{words}: {', '.join(pairs)}.")
    longer = [
        f"{row['service']} → {row['target']} for {row['beside_s']:.3g} s"
        for row in rows
        if row["beside_s"]
    ]
    if longer:
        parts.append(f"Not given up beside these: {', '.join(longer)}.")
    return " ".join(parts)


_CALLS: Final = """
    WITH cut AS (
        SELECT span_no, waited_for, duration_ns
        FROM cut_off
    ),
    given_up AS (
        SELECT waiting.service, waiting.target, max(cut.duration_ns) AS longest_ns
        FROM cut
        JOIN waiting_call AS waiting USING (span_no)
        WHERE cut.waited_for = 'answer'
        GROUP BY waiting.service, waiting.target
    ),
    -- Held up by a fault for longer than its kind may take, and not given up by the caller.
    endless AS (
        SELECT waiting.span_no, max(fault.inside_ns) AS inside_ns, min(fault.fault_id) AS fault_id
        FROM fault_call AS fault
        JOIN waiting_call AS waiting USING (span_no)
        JOIN node USING (span_no)
        WHERE fault.fault_kind IN ('delay', 'hang', 'partition')
            AND fault.inside_ns >= waiting.bound_ns
            AND node.end_ns IS NOT NULL
            AND waiting.span_no NOT IN (SELECT cut.span_no FROM cut)
        GROUP BY waiting.span_no
    )
    SELECT
        waiting.service,
        waiting.target,
        count(*) FILTER (cut.waited_for = 'answer') AS cut_off,
        CASE
            WHEN count(*) FILTER (cut.waited_for = 'answer') = 0 THEN min(cut.waited_for)
        END AS only,
        min(cut.duration_ns) FILTER (cut.waited_for = 'answer') / 1e9 AS shortest_s,
        max(call.duration_ns) FILTER (
            cut.span_no IS NULL
            AND call.duration_ns > waiting.bound_ns
            AND call.duration_ns > 1.02 * given_up.longest_ns
        ) / 1e9 AS beside_s,
        count(endless.span_no) AS endless,
        max(endless.inside_ns) / 1e9 AS longest_s,
        min(waiting.bound_ns) FILTER (endless.span_no IS NOT NULL) / 1e9 AS bound_s,
        coalesce(min(endless.fault_id), '') AS fault,
        list(
            CASE WHEN endless.span_no IS NOT NULL THEN {
                'trace_id': lower(hex(call.trace_id)),
                'span_id': format('{:016x}', call.span_id)
            } END
            ORDER BY waiting.span_no
        ) FILTER (endless.span_no IS NOT NULL)[:$shown] AS evidence
    FROM waiting_call AS waiting
    JOIN outgoing_call AS call USING (span_no)
    LEFT JOIN cut USING (span_no)
    LEFT JOIN given_up
        ON given_up.service = waiting.service AND given_up.target = waiting.target
    LEFT JOIN endless USING (span_no)
    GROUP BY waiting.service, waiting.target
    ORDER BY waiting.service, waiting.target
"""

CHECK = Check(
    id="TIM-01",
    title="Every external call has a timeout",
    severity=Severity.CRITICAL,
    task=3,
    serves=("pattern-1", "TEST-RR-T01", "CRITICAL-1"),
    judge=judge,
    remedy="Set a read or overall timeout on every client, and hang each target once to see it.",
)
