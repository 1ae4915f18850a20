"""Calls of which nobody can say whom they reached.

What: Every CLIENT and PRODUCER span says whom it called: a service name, an address, a database, a
destination, a bucket or a model provider; or the half that answered it is stored. An address of its
own machine names a proxy or a sidecar and no dependency, so it neither passes nor fails. Of nested
spans of one call the innermost counts.

Why: A dependency without a name can neither be given a fault, nor a timeout, nor a suspect's rank.

Fix: Use the instrumentation library of the client, or set `server.address` (HTTP, RPC),
`db.system.name` and `db.namespace`, `messaging.destination.name`, or `service.peer.name`.

Source: semantic conventions for HTTP, database, RPC and messaging spans.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted, either

_ADDRESS_ONLY = r"^(\d+(\.\d+){3}|\[?[0-9a-fA-F]*:[0-9a-fA-F:]+\]?)(:\d+)?$"


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target: its calls that say whom they reached, or fail to."""
    rows = evidence.rows(
        """
        WITH called AS (
            SELECT
                call.*,
                coalesce(
                    call.peer, field.rpc_service, nullif(split_part(field.rpc_method, '/', 1), '')
                ) AS identity,
                coalesce(field.peer_name, field.db_system, field.destination, field.object_bucket,
                    field.genai_provider, field.rpc_service, field.function_name) AS beside_address,
                call.is_external AND coalesce(regexp_matches(call.peer, $own_machine), false)
                    AS own_machine
            FROM outgoing_call AS call
            JOIN workflow_instance AS instance USING (instance_no)
            LEFT JOIN span_field AS field USING (span_no)
            WHERE NOT instance.background
        )
        SELECT
            service,
            CASE
                WHEN own_machine THEN coalesce(beside_address, peer)
                WHEN target <> '?' THEN target
                ELSE coalesce(identity, '?')
            END AS reached,
            CASE WHEN is_nameless THEN name ELSE '' END AS nameless,
            min(kind) AS kind,
            bool_and(own_machine AND beside_address IS NULL) AS is_proxy,
            bool_and(is_external) AS is_external,
            count(*) AS calls,
            list(
                CASE WHEN is_nameless THEN {
                    'trace_id': lower(hex(trace_id)), 'span_id': format('{:016x}', span_id)
                } END
                ORDER BY span_no
            ) FILTER (is_nameless)[:$shown] AS evidence
        FROM (SELECT *, identity IS NULL AND target = '?' AS is_nameless FROM called)
        GROUP BY service, reached, nameless
        ORDER BY service, reached, nameless
        """,
        {"shown": SHOWN, "own_machine": lexicon.OWN_MACHINE.pattern},
    )
    units = tuple(
        Unit(
            f"{row['service']} → {row['reached']}"
            + (f" ({row['nameless']})" * bool(row["nameless"])),
            0 if row["is_proxy"] else row["calls"],
            _finding(row) if row["nameless"] else (),
        )
        for row in rows
    )
    # A call that is known to be missing may have had a target that no other names.
    lacks = evidence.rows("SELECT count(*) > 0 AS some FROM ghost")[0]["some"]
    return Judgement(units, note=_classes(evidence, rows), reason="dropped" if lacks else "")


def _finding(row: Row) -> tuple[Finding, ...]:
    spans = counted(row["calls"], f"{row['kind']} span")
    return (
        Finding(
            f"{spans} `{row['nameless']}` of"
            f" {row['service'] or 'a nameless service'} recorded nothing of whom"
            f" {either(row['calls'], 'it', 'they')} called.",
            subject=row["service"],
            evidence=references(row["evidence"]),
        ),
    )


def _classes(evidence: Evidence, rows: list[Row]) -> str:
    """Who is internal, who external, and who is known by a number alone."""
    named = [row for row in rows if not row["nameless"] and not row["is_proxy"]]
    numbers = {
        row["peer"]
        for row in evidence.rows(
            "SELECT DISTINCT peer FROM call WHERE regexp_full_match(peer, $address)",
            {"address": _ADDRESS_ONLY},
        )
    }
    classes = {
        "Internal": {row["reached"] for row in named if not row["is_external"]},
        "External": {row["reached"] for row in named if row["is_external"]} - numbers,
        "By number alone": {row["reached"] for row in named} & numbers,
        "Own machine, perhaps a proxy": {row["reached"] for row in rows if row["is_proxy"]},
    }
    return " ".join(f"{name}: {', '.join(sorted(who))}." for name, who in classes.items() if who)


CHECK = Check(
    id="INV-02",
    title="External dependencies are identified at every step",
    severity=Severity.HIGH,
    task=2,
    serves=(),
    judge=judge,
    remedy="Record the peer of every call: server.address, db.namespace or a destination name.",
)
