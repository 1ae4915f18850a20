"""Health endpoints that say all is well while what the service needs is down.

What: While a dependency failed every call of a service, at least three in a row, the service's
readiness or health route did not answer with success, and below it were calls to that dependency.
It fails where such a route answered with success meanwhile. Liveness routes are left alone, and so
are health routes of a service that has a readiness route as well. Health checks are often excluded
from tracing; then nothing is concluded.

Why: A load balancer sends customers to where the health check says that all is well.

Fix: Have the readiness route call what the service cannot work without, with a short timeout, and
answer 503 where it fails; keep liveness apart and shallow.

Source: the audit's test of a server restart; its criterion that health endpoints test real
dependencies; semantic conventions for HTTP spans.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

_ROUTE: Final = r"(^|/)(-/)?(health|healthz|ready|readyz|readiness|status)/?$"
_READINESS: Final = r"(^|/)(-/)?(ready|readyz|readiness)/?$"


def judge(evidence: Evidence) -> Judgement:
    """One unit a service whose route was asked while a dependency of it was down."""
    rows = evidence.rows(
        _HEALTH + _ASKED, {"shown": SHOWN, "route": _ROUTE, "readiness": _READINESS}
    )
    return Judgement(
        tuple(Unit(row["service"], row["told"] + row["untold"], _findings(row)) for row in rows)
    )


def traced_services(evidence: Evidence) -> list[str]:
    """The services of which requests for a health route were recorded, by name."""
    rows = evidence.rows(_HEALTH + _SERVICES, {"route": _ROUTE, "readiness": _READINESS})
    return [row["service"] for row in rows]


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["untold"]:
        return ()
    return (
        Finding(
            f"{row['service']} answered `{row['route']}` {counted(row['untold'], 'time')} with"
            f" success while {row['target']} failed all of its calls.",
            subject=row["service"],
            evidence=references(row["evidence"]),
        ),
    )


_HEALTH: Final = """
    WITH named AS (
        SELECT
            node.span_no,
            node.service,
            node.start_ns,
            node.end_ns,
            coalesce(
                field.http_route,
                split_part(field.url_path, '?', 1),
                regexp_extract(node.name, '(/[^ ]*)$', 1)
            ) AS route,
            try_cast(field.http_status AS INTEGER) AS status
        FROM node
        LEFT JOIN span_field AS field USING (span_no)
        WHERE node.kind = 'SERVER' AND node.end_ns IS NOT NULL
    ),
    health AS (
        SELECT *, regexp_matches(route, $readiness, 'i') AS is_readiness
        FROM named
        WHERE regexp_matches(route, $route, 'i') AND status IS NOT NULL
        -- Who has a readiness route may keep the health route shallow.
        QUALIFY is_readiness OR NOT bool_or(regexp_matches(route, $readiness, 'i'))
            OVER (PARTITION BY service)
    )
"""

_SERVICES: Final = """
    SELECT DISTINCT service
    FROM health
    ORDER BY service
"""

_ASKED: Final = """
    , answered AS (
        SELECT service, target, start_ns::BIGINT AS start_ns
        FROM outgoing_call
        SEMI JOIN outage USING (service, target)
        WHERE NOT failed
    ),
    down AS (
        SELECT outage.service, outage.target, outage.start_ns, outage.last_ns
        FROM outage
        ASOF LEFT JOIN answered
            ON answered.service = outage.service
            AND answered.target = outage.target
            AND answered.start_ns >= outage.start_ns
        WHERE answered.start_ns IS NULL OR answered.start_ns > outage.last_ns
    ),
    -- To whom a health route of the service ever spoke.
    tested AS (
        SELECT DISTINCT health.service, call.target
        FROM health
        JOIN node AS below ON below.parent_no = health.span_no
        JOIN outgoing_call AS call ON call.span_no = below.span_no
    ),
    asked AS (
        SELECT
            health.span_no,
            health.service,
            health.route,
            health.status BETWEEN 200 AND 299 AS is_well,
            health.status >= 400 AS is_ill,
            min(down.target) AS target,
            bool_or(tested.target IS NOT NULL) AS is_tested
        FROM health
        JOIN down
            ON down.service = health.service
            AND health.start_ns >= down.start_ns
            AND health.end_ns <= down.last_ns
        LEFT JOIN tested ON tested.service = down.service AND tested.target = down.target
        GROUP BY health.span_no, health.service, health.route, is_well, is_ill
    )
    SELECT
        asked.service,
        count(*) FILTER (asked.is_ill AND asked.is_tested) AS told,
        count(*) FILTER (asked.is_well) AS untold,
        min(asked.route) FILTER (asked.is_well) AS route,
        min(asked.target) FILTER (asked.is_well) AS target,
        list(span.reference ORDER BY span.start_ns, span.reference)
            FILTER (asked.is_well)[:$shown] AS evidence
    FROM asked
    JOIN span_reference AS span USING (span_no)
    GROUP BY asked.service
    ORDER BY asked.service
"""

CHECK = Check(
    id="RSM-04",
    title="The health endpoint tests real dependencies",
    severity=Severity.MEDIUM,
    task=6,
    serves=("TEST-RR-RE02", "MEDIUM-3"),
    judge=judge,
    remedy="Have the readiness route call what the service cannot work without, and say 503.",
)
