"""Errors that do not say what happened, to what, or what the provider answered.

What: Every terminal error (the lowest failed span of a failure) has four parts: a type that tells
it from other errors; a message that says more than "failed" and more than the type; the id of the
job, item or message it happened to, on the span, above it or in its log; and, for calls to a
provider that answered, the answer's status or request id. An HTTP answer below 500 needs no
message, for its code explains it; probes that were answered "no" and handled are not judged. An
error that says enough passes only where nothing is known to be missing of its workflow instance:
the attempt that made it good may be among what is.

Why: `operation failed` sends its reader into the source code. The type says which kind of fault it
is, the id which customer it hit, and the provider's request id is what its support asks for.

Fix: Record the exception where it is raised, with its message; set `job.id` or `item.id` on the
span; keep the provider's status and request id. Keep personal data out of messages.

Source: OpenTelemetry recording-errors and exceptions; the lexicon of generic messages in
tracejury.telemetry.lexicon.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted, either

_PARTS: Final = {
    "without_type": "a specific type",
    "without_message": "a specific message",
    "without_entity": "the id of what it happened to",
    "without_answer": "the provider's status or request id",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a service, step, target and type of terminal error."""
    rows = evidence.rows(
        _ERRORS,
        {
            "generic_types": sorted(lexicon.GENERIC_TYPES),
            "generic_message": f"(?i){lexicon.GENERIC_MESSAGE.pattern}",
            "entity_message": f"(?i){lexicon.ENTITY_MESSAGE.pattern}",
            "unanswered_types": sorted(
                lexicon.TIMEOUT_TYPES | lexicon.CONNECTION_TYPES | lexicon.BREAKER_TYPES
            ),
            "timeout_message": f"(?i){lexicon.TIMEOUT_MESSAGE.pattern}",
            "shown": SHOWN,
        },
    )
    units = tuple(Unit(_name(row), row["errors"] - row["unseen"], _findings(row)) for row in rows)
    is_exposed = any(unit.exposures for unit in units)
    return Judgement(units, reason="dropped" if units and not is_exposed else "")


def _name(row: Row) -> str:
    target = f" → {row['target']}" if row["target"] else ""
    error_type = f" ({row['error_type']})" if row["error_type"] else ""
    return f"{row['service'] or '(no service name)'} `{row['step']}`{target}{error_type}"


def _findings(row: Row) -> tuple[Finding, ...]:
    lacking = [part for column, part in _PARTS.items() if row[column]]
    if not lacking:
        return ()
    said = f'"{row["message"]}"' if row["message"] else "nothing"
    return (
        Finding(
            message=f"{row['lacking']} of {counted(row['errors'], 'error')} of {_name(row)}"
            f" {either(row['lacking'], 'lacks', 'lack')} {' and '.join(lacking)}"
            f" ({4 - len(lacking)} of 4 parts); {either(row['lacking'], 'it says', 'they say')}"
            f" {said}.",
            subject=_name(row),
            evidence=references(row["evidence"]),
        ),
    )


_ERRORS: Final = r"""
    WITH holed AS (
        SELECT DISTINCT instance_no
        FROM missing_in_instance
        WHERE signs > 0
    ),
    terminal AS (
        SELECT
            node.span_no,
            node.service,
            node.name AS step,
            coalesce(called.target, call.peer, '') AS target,
            error.error_type,
            trim(error.message) AS message,
            regexp_extract(error.error_type, '([^.:/*$]*)\.?$', 1) AS short_type,
            terminal_error.has_entity,
            try_cast(field.http_status AS INTEGER) AS http_status,
            -- Who asked a provider and got an answer can say which.
            coalesce(called.is_external, false)
                AND called.protocol IN ('http', 'rpc', 'genai', 'object', 'faas') AS asked_provider,
            coalesce(
                field.http_status, field.rpc_status, field.db_status, field.provider_request_id
            ) IS NOT NULL AS has_answer,
            NOT terminal_error.on_path AND node.kind = 'CLIENT'
                AND try_cast(field.http_status AS INTEGER) < 500 AS is_probe,
            terminal_error.instance_no IN (SELECT holed.instance_no FROM holed) AS is_holed,
            span.reference
        FROM terminal_error
        JOIN node USING (span_no)
        JOIN span_reference AS span USING (span_no)
        JOIN span_error AS error USING (span_no)
        LEFT JOIN span_field AS field USING (span_no)
        LEFT JOIN call USING (span_no)
        LEFT JOIN external_call AS called USING (span_no)
    ),
    judged AS (
        SELECT
            *,
            short_type IN (SELECT unnest($generic_types)) AS without_type,
            (regexp_full_match(message, $generic_message)
                OR trim(message, ' :') IN (error_type, short_type))
                AND coalesce(http_status >= 500, true) AS without_message,
            NOT has_entity AND NOT regexp_matches(message, $entity_message) AS without_entity,
            asked_provider AND NOT has_answer
                AND short_type NOT IN (SELECT unnest($unanswered_types))
                AND NOT regexp_matches(message, $timeout_message) AS without_answer
        FROM terminal
        WHERE NOT is_probe
    ),
    lacking AS (
        SELECT *, without_type OR without_message OR without_entity OR without_answer AS is_lacking
        FROM judged
    )
    SELECT
        service,
        step,
        target,
        error_type,
        count(*) AS errors,
        count(*) FILTER (is_holed AND NOT is_lacking) AS unseen,
        count(*) FILTER (is_lacking) AS lacking,
        count(*) FILTER (without_type) AS without_type,
        count(*) FILTER (without_message) AS without_message,
        count(*) FILTER (without_entity) AS without_entity,
        count(*) FILTER (without_answer) AS without_answer,
        coalesce(max(left(message, 80)) FILTER (without_message),
            min(left(message, 80)) FILTER (is_lacking), '') AS message,
        list(reference ORDER BY span_no) FILTER (is_lacking)[:$shown] AS evidence
    FROM lacking
    GROUP BY service, step, target, error_type
    ORDER BY service, step, target, error_type
"""

CHECK = Check(
    id="OBS-09",
    title="Error messages are specific",
    severity=Severity.MEDIUM,
    task=10,
    serves=("pattern-17", "MEDIUM-5"),
    judge=judge,
    remedy="Record the exception with its message where it is raised, and set job.id or item.id.",
)
