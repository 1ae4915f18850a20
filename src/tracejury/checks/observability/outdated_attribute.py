"""Attributes that the semantic conventions know by another name or type, or that they require.

What: A span has no key that the conventions gave up, unless it has the new one beside it; what it
has is of the type that they fix; and it has the keys without which its kind of call cannot be told:
of HTTP the peer of a caller and the path of a server, of a database its system, of messaging the
system. The names of the advice are those of OpenTelemetry's weaver: `deprecated`, `type_mismatch`
and `required_attribute_not_present`. Other keys are not looked at.

Why: Dashboards, samplers and this audit know spans by these keys, and each needs a second name for
each of them as long as somebody sends the first.

Fix: Raise the instrumentation's version, or set `OTEL_SEMCONV_STABILITY_OPT_IN=http,database`.

Source: OpenTelemetry's semantic conventions (1.44.0) and weaver's live check.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted
from tracejury.telemetry.semconv import DEPRECATED_KEYS, KEY_TYPES

_NAMED: Final = 5


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its spans that have a key of the conventions."""
    keys = {
        "old": list(DEPRECATED_KEYS),
        "new": list(DEPRECATED_KEYS.values()),
        "typed": list(KEY_TYPES),
        "types": list(KEY_TYPES.values()),
    }
    advice = [*evidence.rows(_KEYS, keys), *evidence.rows(_REQUIRED)]
    advice.sort(key=lambda row: (row["service"], row["advice"], row["key"]))
    by_service = {
        service: tuple(_findings(service, list(rows)))
        for service, rows in groupby(advice, key=itemgetter("service"))
    }
    return Judgement(
        tuple(
            Unit(
                row["service"] or "(no service name)",
                row["spans"],
                by_service.get(row["service"], ()),
            )
            for row in evidence.rows(_SERVICES, {"known": [*DEPRECATED_KEYS, *KEY_TYPES]})
        )
    )


def _findings(service: str, rows: list[Row]) -> Iterator[Finding]:
    for advice, group in groupby(rows, key=itemgetter("advice")):
        found = list(group)
        named = ", ".join(_said(row) for row in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        yield Finding(
            f"{service or '(no service name)'}, {advice}: {named}{more}.",
            subject=service,
            evidence=tuple(Reference(**row["evidence"]) for row in found[:_NAMED]),
        )


def _said(row: Row) -> str:
    spans = counted(row["spans"], "span")
    match row["advice"]:
        case "deprecated":
            return f"`{row['key']}` (now `{DEPRECATED_KEYS[row['key']]}`) on {spans}"
        case "type_mismatch":
            return f"`{row['key']}` is no {KEY_TYPES[row['key']]} on {spans}"
        case _:
            return f"`{row['key']}` is missing on {spans}"


_SERVICES: Final = """
    SELECT node.service, count(*) AS spans
    FROM node
    SEMI JOIN (
        SELECT attribute.span_no
        FROM stored.span_attribute AS attribute
        WHERE list_contains($known::VARCHAR[], attribute.key)
    ) AS conventional ON conventional.span_no = node.span_no
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no)
    WHERE NOT instance.background
    GROUP BY node.service
    ORDER BY node.service
"""

_KEYS: Final = """
    WITH given_up AS (
        SELECT unnest($old::VARCHAR[]) AS key, unnest($new::VARCHAR[]) AS successor
    ),
    fixed AS (
        SELECT unnest($typed::VARCHAR[]) AS key, unnest($types::VARCHAR[]) AS type
    ),
    outdated AS (
        SELECT attribute.span_no, attribute.key, given_up.successor
        FROM stored.span_attribute AS attribute
        JOIN given_up ON given_up.key = attribute.key
    ),
    advised AS (
        SELECT outdated.span_no, outdated.key, 'deprecated' AS advice
        FROM outdated
        ANTI JOIN (
            SELECT attribute.span_no, attribute.key
            FROM stored.span_attribute AS attribute
            WHERE attribute.key IN (SELECT outdated.successor FROM outdated)
        ) AS beside
            ON beside.span_no = outdated.span_no
            AND beside.key = outdated.successor
        UNION ALL
        SELECT attribute.span_no, attribute.key, 'type_mismatch'
        FROM stored.span_attribute AS attribute
        JOIN fixed ON fixed.key = attribute.key AND fixed.type <> attribute.type
    )
    SELECT
        node.service,
        advised.advice,
        advised.key,
        count(*) AS spans,
        arg_min(
            {'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', node.span_id)},
            (node.start_ns, node.trace_no, node.span_id)
        ) AS evidence
    FROM advised
    JOIN node USING (span_no)
    JOIN trace USING (trace_no)
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no)
    WHERE NOT instance.background
        -- At a server the peer is the client, which has other names now.
        AND NOT (
            node.kind = 'SERVER'
            AND regexp_matches(advised.key, '^net\\.(sock\\.)?peer\\.')
            AND node.span_no IN (
                SELECT attribute.span_no
                FROM stored.span_attribute AS attribute
                WHERE attribute.key IN ('client.address', 'client.port')
            )
        )
    GROUP BY node.service, advised.advice, advised.key
"""

# Any name of a field will do here: an older one is advice of its own.
_REQUIRED: Final = """
    WITH judged AS (
        SELECT
            node.service,
            node.trace_no,
            node.span_id,
            node.start_ns,
            unnest([
                CASE WHEN node.kind = 'CLIENT' AND field.http_method IS NOT NULL
                    AND field.peer_address IS NULL AND field.url_full IS NULL
                    THEN 'server.address' END,
                CASE WHEN node.kind = 'SERVER' AND field.http_method IS NOT NULL
                    AND field.url_path IS NULL AND field.url_full IS NULL
                    THEN 'url.path' END,
                CASE WHEN coalesce(field.db_operation, field.db_query) IS NOT NULL
                    AND field.db_system IS NULL
                    THEN 'db.system.name' END,
                CASE WHEN node.kind IN ('PRODUCER', 'CONSUMER') AND field.destination IS NOT NULL
                    AND field.messaging_system IS NULL
                    THEN 'messaging.system' END
            ]) AS key
        FROM node
        JOIN span_field AS field USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
    )
    SELECT
        judged.service,
        'required_attribute_not_present' AS advice,
        judged.key,
        count(*) AS spans,
        arg_min(
            {'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', judged.span_id)},
            (judged.start_ns, judged.trace_no, judged.span_id)
        ) AS evidence
    FROM judged
    JOIN trace USING (trace_no)
    WHERE judged.key IS NOT NULL
    GROUP BY judged.service, judged.key
"""

CHECK = Check(
    id="OBS-16",
    title="Attributes follow the conventions",
    severity=Severity.INFO,
    task=10,
    serves=(),
    judge=judge,
    remedy="Raise the instrumentation's version, or set OTEL_SEMCONV_STABILITY_OPT_IN.",
)
