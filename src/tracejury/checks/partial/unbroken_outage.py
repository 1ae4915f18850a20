"""Targets that are called on and on while they are down.

What: After three to five failures in a row a process calls the target no more, and refuses what is
left at once: with a breaker's error, as skipped, or fast and without a call. It fails where more
than five things (policy) in a row failed (and as many as were under way together) and nothing was
refused. Attempts at one thing count once, an open breaker may probe, and a request to slow down is
no outage. A loop that only ran out of items proves nothing.

Why: Every item then waits for its whole timeout, and the target is kept from coming back.

Fix: Put a circuit breaker around the call, in each process, that opens after a few failures.

Source: the audit's test of a systemic failure; the criterion of a circuit breaker.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

_FEWEST: Final = 3
# Faster than that nobody was asked, unless somebody refused the connection.
_FAST_NS: Final = 50_000_000


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target that failed at least three times in a row."""
    most = int(evidence.policy.breaker_failures)
    rows = evidence.rows(
        _TARGETS, {"fewest": _FEWEST, "most": most, "fast_ns": _FAST_NS, "shown": SHOWN}
    )
    return Judgement(
        tuple(Unit(_name(row), row["tripped"] + row["overrun"], _findings(row)) for row in rows),
        reason="dropped" if any(row["unseen"] for row in rows) else "",
    )


def _name(row: Row) -> str:
    return f"{row['service'] or '(no service name)'} → {row['target']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["overrun"]:
        return ()
    return (
        Finding(
            f"`{row['service']}` went on calling `{row['target']}` after"
            f" {counted(row['allowed'], 'failure')} in a row: {row['longest']} in one process, and"
            " no breaker opened.",
            subject=_name(row),
            evidence=references(row["evidence"]),
        ),
    )


_TARGETS: Final = """
    WITH together AS (
        SELECT service, process, target, max(open) AS calls
        FROM (
            SELECT
                service, process, target,
                sum(step) OVER (PARTITION BY service, process, target ORDER BY at_ns, step) AS open
            FROM (
                SELECT service, process, target, start_ns AS at_ns, 1 AS step FROM outage_call
                UNION ALL
                SELECT service, process, target, end_ns, -1 FROM outage_call
            )
        )
        GROUP BY service, process, target
    ),
    -- What is refused where the target used to be called: the same step of the same process.
    guarded AS (
        SELECT DISTINCT
            placed.service, placed.process, placed.target,
            placed.step AS name,
            placed.run_no IS NOT NULL AS is_item
        FROM outage_call AS placed
        WHERE placed.failed
    ),
    waited AS (
        SELECT
            placed.service, placed.process, placed.target,
            median(run.end_ns - run.start_ns) AS usual_ns,
            list(DISTINCT run.error_type) AS error_types
        FROM outage_call AS placed
        JOIN item_run AS run ON run.span_no = placed.run_no
        WHERE placed.failed
        GROUP BY placed.service, placed.process, placed.target
    ),
    -- A breaker speaks on the step itself or on one below it.
    broken AS (
        SELECT part.run_no AS span_no
        FROM error_class AS class
        JOIN item_part AS part USING (span_no)
        WHERE class.is_breaker
        UNION
        SELECT unnest([node.span_no, node.parent_no])
        FROM error_class AS class
        JOIN node USING (span_no)
        WHERE class.is_breaker
    ),
    reached AS (
        SELECT placed.target, unnest([placed.run_no, placed.span_no, node.parent_no]) AS span_no
        FROM outage_call AS placed
        JOIN node USING (span_no)
    ),
    refused AS (
        SELECT guarded.service, guarded.process, guarded.target, node.start_ns AS at_ns
        FROM guarded
        JOIN node
            ON node.service = guarded.service
            AND coalesce(node.instance_id, '') = guarded.process
            AND node.name = guarded.name
        JOIN broken ON broken.span_no = node.span_no
        ANTI JOIN reached ON reached.target = guarded.target AND reached.span_no = node.span_no
        UNION ALL
        -- Fast, without a call, and with another error than those that waited for the target.
        SELECT guarded.service, guarded.process, guarded.target, run.start_ns
        FROM guarded
        JOIN item_run AS run ON run.service = guarded.service AND run.name = guarded.name
        JOIN node ON node.span_no = run.span_no AND coalesce(node.instance_id, '') = guarded.process
        JOIN waited
            ON waited.service = guarded.service
            AND waited.process = guarded.process
            AND waited.target = guarded.target
        LEFT JOIN error_class AS class ON class.span_no = run.span_no
        ANTI JOIN reached ON reached.target = guarded.target AND reached.span_no = run.span_no
        WHERE guarded.is_item
            AND run.failed
            AND run.error_type <> ''
            AND NOT list_contains(waited.error_types, run.error_type)
            AND NOT coalesce(
                class.is_timeout OR class.is_connection OR class.is_cancellation, false
            )
            AND run.end_ns - run.start_ns < greatest($fast_ns, 0.1 * waited.usual_ns)
        UNION ALL
        SELECT placed.service, placed.process, placed.target, state.time_ns
        FROM state_record AS state
        JOIN outage_call AS placed
            ON placed.instance_no = state.instance_no
            AND placed.service = state.service
            AND placed.failed
        WHERE state.level = 'item' AND state.state = 'skipped'
        GROUP BY ALL
    ),
    -- Each refusal begins the count anew: what comes after it probes.
    segmented AS (
        SELECT placed.*, coalesce(refused.at_ns, 0) AS refused_ns
        FROM outage_call AS placed
        ASOF LEFT JOIN refused
            ON refused.service = placed.service
            AND refused.process = placed.process
            AND refused.target = placed.target
            AND refused.at_ns <= placed.start_ns
        WHERE placed.failed
    ),
    segment AS (
        SELECT
            service, process, target, streak, refused_ns,
            count(*) AS calls,
            count(DISTINCT thing) AS things,
            max(end_ns) AS end_ns,
            bool_or(instance_no IN (SELECT ghost.instance_no FROM ghost)) AS is_holed,
            list(span_no ORDER BY end_ns, start_ns, span_no)[:$shown] AS span_nos
        FROM segmented
        GROUP BY service, process, target, streak, refused_ns
    ),
    -- The call before each refusal tells which row of failures it ended.
    ended AS (
        SELECT DISTINCT
            placed.service, placed.process, placed.target, placed.streak,
            max(refused.at_ns) AS at_ns
        FROM refused
        ASOF JOIN outage_call AS placed
            ON placed.service = refused.service
            AND placed.process = refused.process
            AND placed.target = refused.target
            AND placed.end_ns <= refused.at_ns
        WHERE placed.failed
        GROUP BY ALL
    ),
    judged AS (
        SELECT
            segment.*,
            $most + together.calls - 1 AS allowed,
            segment.things > $most + together.calls - 1 AS is_overrun,
            segment.calls >= $fewest
                AND segment.things <= $most + together.calls - 1
                AND coalesce(ended.at_ns >= segment.end_ns, false) AS is_tripped
        FROM segment
        JOIN together USING (service, process, target)
        LEFT JOIN ended USING (service, process, target, streak)
        WHERE segment.calls >= $fewest
    ),
    worst AS (
        SELECT *
        FROM judged
        WHERE is_overrun
        QUALIFY row_number() OVER (
            PARTITION BY service, target
            ORDER BY things DESC, process, end_ns
        ) = 1
    )
    SELECT
        judged.service,
        judged.target,
        count(*) FILTER (judged.is_tripped AND NOT judged.is_holed) AS tripped,
        count(*) FILTER (judged.is_tripped AND judged.is_holed) AS unseen,
        count(*) FILTER (judged.is_overrun) AS overrun,
        max(worst.things) AS longest,
        max(worst.allowed) AS allowed,
        max(worst.evidence) AS evidence
    FROM judged
    LEFT JOIN (
        SELECT
            worst.service, worst.target, worst.things, worst.allowed,
            list(span.reference ORDER BY span.start_ns, span.reference) AS evidence
        FROM (SELECT *, unnest(span_nos) AS span_no FROM worst) AS worst
        JOIN span_reference AS span USING (span_no)
        GROUP BY worst.service, worst.target, worst.things, worst.allowed
    ) AS worst ON worst.service = judged.service AND worst.target = judged.target
    GROUP BY judged.service, judged.target
    ORDER BY judged.service, judged.target
"""

CHECK = Check(
    id="PAR-04",
    title="A circuit breaker trips after at most five failures",
    severity=Severity.HIGH,
    task=4,
    serves=("TEST-RR-P02", "HIGH-2"),
    judge=judge,
    judges_absence=True,
    remedy="Put a circuit breaker around the call, in each process.",
)
