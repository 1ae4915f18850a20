"""Calls to another process that do not say what was asked, what came back, or how long it took.

What: For each caller and target, at least 95 % of the calls say what was asked (method and URL,
database operation or query, RPC method, messaging operation and destination, model), what came back
(a status code, an error type, or success by silence where the protocol records success so) and how
long it took.

Why: When a provider is slow, refuses or answers nonsense, these three are what tells its fault from
yours, and what its support asks for.

Fix: Use the instrumentation of the client library instead of a span of your own, or set the
attributes that the finding names. The current names are those of the semantic conventions.

Source: OpenTelemetry semantic conventions for HTTP, database, RPC, messaging and S3 spans.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_PARTS = {
    "with_request": "what was asked",
    "with_response": "what came back",
    "with_duration": "how long it took",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a caller and target: its calls."""
    rows = evidence.rows(_CALLS, {"shown": SHOWN})
    share = evidence.policy.call_details_share
    return Judgement(
        tuple(Unit(_name(row), row["calls"], _findings(row, share)) for row in rows),
        note=_note(rows),
    )


def _note(rows: list[Row]) -> str:
    implicit = sum(row["implicit"] for row in rows)
    if not implicit:
        return ""
    return (
        f"{counted(implicit, 'response')} {either(implicit, 'is', 'are')} success by silence:"
        " nothing but the end was recorded."
    )


def _name(row: Row) -> str:
    return f"{row['service'] or '(no service name)'} → {row['target']}"


def _findings(row: Row, share: float) -> tuple[Finding, ...]:
    short = {part: row["calls"] - row[part] for part in _PARTS if row[part] < share * row["calls"]}
    if not short:
        return ()
    lacks = " and ".join(
        f"{count} {either(count, 'does', 'do')} not say {_PARTS[part]}"
        for part, count in short.items()
    )
    return (
        Finding(
            message=f"Of {counted(row['calls'], 'call')} of"
            f" {row['service'] or '(no service name)'} to {row['target']}, {lacks}; missing:"
            f" {', '.join(row['missing'])}.",
            subject=_name(row),
            evidence=references(row["evidence"]),
        ),
    )


_CALLS = """
    SELECT
        call.service,
        call.target,
        count(*) AS calls,
        count(*) FILTER (call.has_request) AS with_request,
        count(*) FILTER (call.has_response) AS with_response,
        count(*) FILTER (call.has_duration) AS with_duration,
        count(*) FILTER (call.implicit) AS implicit,
        list_sort(list_distinct(flatten(list(call.missing)))) AS missing,
        list({'trace_id': call.trace_id, 'span_id': call.span_id} ORDER BY call.span_no)
            FILTER (len(call.missing) > 0)[:$shown] AS evidence
    FROM external_call AS call
    JOIN workflow_instance AS instance ON instance.instance_no = call.instance_no
    WHERE NOT instance.background
    GROUP BY call.service, call.target
    ORDER BY call.service, call.target
"""

CHECK = Check(
    id="OBS-06",
    title="Every external call records request and response",
    severity=Severity.HIGH,
    task=10,
    serves=("pattern-19", "TEST-RR-O02"),
    judge=judge,
    remedy="Instrument the client library, or set the attributes that the finding names.",
)
