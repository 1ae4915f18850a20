"""Calls to a traced peer of which only the caller's half arrived.

What: Every call that went well, to a peer and route whose server half was recorded at least once
(here or in the baseline), has its server half. Calls to peers that never showed one are external
or not instrumented: they are shown beside, and not judged. Failed calls may have reached nobody.

Why: Without the server half, nobody can tell whether a slow call was slow in the network, in the
queue before the server, or in the server; and what the server did next is not recorded.

Fix: Instrument every replica of the server, keep its route out of exclusion lists, and let every
proxy on the way pass `traceparent` on. Check that the server's exporter reaches the collector.

Source: jaegertracing/jaeger-analytics-java, trace quality HasClientServerSpans.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_NAMED_BESIDE = 5

# So many calls that coincide with what somebody else began are no chance.
_FEWEST = 3


def judge(evidence: Evidence) -> Judgement:
    """One unit a caller and route whose server half was seen; its calls that went well."""
    units = tuple(
        Unit(_name(row), row["calls"], (_finding(row),) if row["missing"] else ())
        for row in evidence.rows(_CALLS, {"shown": SHOWN})
    )
    clientless = tuple(
        Unit(f"{row['caller']} → {row['callee']} (without a CLIENT span)", 0)
        for row in evidence.rows(_CLIENTLESS)
    )
    return Judgement(units + clientless, note=_never_paired(evidence))


def _name(row: Row) -> str:
    return f"{row['service'] or '(no service name)'} → {row['route']}"


def _finding(row: Row) -> Finding:
    return Finding(
        message=f"{row['missing']} of {counted(row['calls'], 'call')} {_name(row)} went well and"
        f" {either(row['missing'], 'has', 'have')} no server half; {row['callee']} recorded it for"
        " others.",
        subject=_name(row),
        evidence=references(row["evidence"]),
    )


def _never_paired(evidence: Evidence) -> str:
    rows = evidence.rows(_NEVER_PAIRED, {"fewest": _FEWEST})
    if not rows:
        return ""
    named = ", ".join(row["route"] for row in rows[:_NAMED_BESIDE])
    more = f" and {len(rows) - _NAMED_BESIDE} more" if len(rows) > _NAMED_BESIDE else ""
    return " ".join((f"Never paired, so not judged: {named}{more}.", *_apart(rows)))


def _apart(rows: list[Row]) -> list[str]:
    """Say who seems to have answered, in traces of its own."""
    return [
        f"Whenever {row['service']} does, `{row['operation']}` of {row['callee']} begins, in traces"
        " of its own: check that traceparent is sent and read."
        for row in rows
        if row["callee"]
    ][:_NAMED_BESIDE]


# What a CLIENT calls by its route is known to be answered by a SERVER, here or in the baseline.
_CALLS = """
    WITH known AS (
        SELECT DISTINCT caller, caller_name, route
        FROM pair
        WHERE caller_kind = 'CLIENT'
    )
    SELECT
        call.service,
        call.route,
        count(*) AS calls,
        count(half.span_no) AS missing,
        min(half.callee) AS callee,
        list(
            CASE WHEN half.span_no IS NOT NULL THEN {
                'trace_id': lower(hex(call.trace_id)), 'span_id': format('{:016x}', call.span_id)
            } END
            ORDER BY call.span_no
        ) FILTER (half.span_no IS NOT NULL)[:$shown] AS evidence
    FROM outgoing_call AS call
    JOIN workflow_instance AS instance ON instance.instance_no = call.instance_no
    JOIN known
        ON known.caller = call.service
        AND known.caller_name = call.name
        AND known.route = call.route
    LEFT JOIN missing_half AS half ON half.span_no = call.span_no
    WHERE call.kind = 'CLIENT' AND NOT call.failed AND NOT instance.background
    GROUP BY call.service, call.route
    ORDER BY call.service, call.route
"""

# A SERVER that another service called, as its parent says, without a CLIENT or PRODUCER span.
_CLIENTLESS = """
    SELECT DISTINCT parent.service AS caller, node.service AS callee
    FROM node
    JOIN node AS parent ON parent.span_no = node.parent_no
    WHERE node.kind = 'SERVER'
        AND parent.kind NOT IN ('CLIENT', 'PRODUCER')
        AND parent.service <> node.service
    ORDER BY caller, callee
"""

# Who may have answered: a step of the same name that began a trace during most of the calls.
_NEVER_PAIRED = """
    WITH unpaired AS (
        SELECT
            call.service, call.route, call.operation,
            node.trace_no, node.start_ns, node.end_ns
        FROM external_call AS call
        JOIN workflow_instance AS instance ON instance.instance_no = call.instance_no
        JOIN node ON node.span_no = call.span_no
        WHERE call.kind = 'CLIENT'
            AND NOT instance.background
            AND NOT EXISTS (
                SELECT 1
                FROM pair
                WHERE pair.caller = call.service AND pair.route = call.route
            )
    ),
    begun AS (
        SELECT node.service, node.name, node.trace_no, node.start_ns
        FROM node
        WHERE node.kind = 'SERVER' AND node.parent_no IS NULL AND node.missing_parent IS NULL
    ),
    answered AS (
        SELECT unpaired.service, unpaired.route, next.service AS callee, count(*) AS calls
        FROM unpaired
        ASOF JOIN begun AS next
            ON next.name = unpaired.operation AND next.start_ns >= unpaired.start_ns
        WHERE next.start_ns <= unpaired.end_ns
            AND next.service <> unpaired.service
            AND next.trace_no <> unpaired.trace_no
        GROUP BY ALL
    ),
    counted AS (
        SELECT service, route, any_value(operation) AS operation, count(*) AS calls
        FROM unpaired
        GROUP BY service, route
    )
    SELECT
        counted.service,
        counted.operation,
        counted.service || ' → ' || counted.route AS route,
        (
            SELECT min(answered.callee)
            FROM answered
            WHERE answered.service = counted.service
                AND answered.route = counted.route
                AND counted.calls >= $fewest
                AND 2 * answered.calls > counted.calls
        ) AS callee
    FROM counted
    ORDER BY counted.service || ' → ' || counted.route
"""

CHECK = Check(
    id="OBS-04",
    title="Every internal call has its server half",
    severity=Severity.HIGH,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    judges_absence=True,
    remedy="Instrument every replica of the server, and pass traceparent through every proxy.",
)
