"""How much of what happened was seen: received over received and known missing."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import fields
from typing import Final

from tracejury.scorecard.result import (
    Basis,
    CheckResult,
    Completeness,
    MissingStep,
    ServiceShare,
    Share,
)
from tracejury.scorecard.service_shares import (
    NAMED,
    counts_of,
    estimates,
    named_parents,
    service_shares,
)
from tracejury.store.reader import Reader, Row
from tracejury.workflow.loss import estimate_missing
from tracejury.workflow.loss_signs import (
    Branch,
    Family,
    StepCount,
    StepKey,
    Structure,
    Unanswered,
)

# Which check stands for which of the five criteria of the completeness test.
_CRITERIA: Final = {
    "OBS-05": "steps_visible",
    "OBS-01": "correlation",
    "OBS-06": "call_details",
    "OBS-10": "failure_point",
    "OBS-08": "durations",
}


# What floating-point sums leave over where nothing is missing, in spans.
_ROUNDING: Final = 1e-6

_UNANSWERED: Final = """
    SELECT
        call.caller, call.caller_name, call.caller_kind,
        half.callee AS service,
        half.callee_name AS name,
        CASE call.caller_kind WHEN 'PRODUCER' THEN 'CONSUMER' ELSE 'SERVER' END AS kind,
        sum(half.share)::DOUBLE AS halves
    FROM unanswered_call AS call
    JOIN half_step AS half USING (caller, caller_name, route, message_type)
    JOIN likely_workflow USING (instance_no)
    GROUP BY ALL
"""


def completeness(reader: Reader, checks: tuple[CheckResult, ...]) -> Completeness:
    """The completeness of a rebuilt run: counted where SDKs counted, else estimated."""
    steps = reader.rows("FROM step_count")
    estimate = estimate_missing([_count(row) for row in steps], _structure(reader))
    of_service, counts = estimates(steps, estimate), counts_of(reader)
    services = service_shares(
        of_service,
        counts,
        named_parents(reader),
        untaught=_untaught(reader, {"", *of_service, *counts}),
    )
    missing, unnamed = _settled(estimate, services)
    heard = {name: share for name, share in services.items() if share.ratio is not None}
    return Completeness(
        total=Share(
            sum(share.received for share in heard.values()),
            sum(share.known_missing for share in heard.values()),
        ),
        basis=_weakest(heard.values()),
        by_service={name: share for name, share in heard.items() if name},
        by_workflow=_by_workflow(reader, missing, _a_span(unnamed, services)),
        by_instance=_by_instance(reader),
        criteria=_criteria(checks),
        missing=_missing_steps(steps, missing, unnamed, services),
        external_entries=reader.value("SELECT count(*) FROM orphan WHERE external_entry"),
        background_spans=reader.value(
            "SELECT coalesce(sum(spans), 0)::BIGINT FROM workflow_instance WHERE background"
        ),
        not_run=reader.value("SELECT coalesce(sum(spans), 0)::BIGINT FROM not_run"),
        renamed={
            row["was"]: row["service"] for row in reader.rows("FROM renamed_service ORDER BY was")
        },
        is_own_baseline=reader.value("""
            SELECT count(*) > 0 AND (SELECT count(*) = 0 FROM taught_workflow)
            FROM baseline_trace
        """),
    )


def _untaught(reader: Reader, services: Collection[str]) -> set[str]:
    """The services that had a part in a workflow which no clean run shows: all without a run."""
    if not reader.value("SELECT count(*) FROM taught_workflow"):
        return set(services)
    return {
        row["service"]
        for row in reader.rows("""
            SELECT DISTINCT node.service
            FROM likely_workflow AS instance
            JOIN trace_instance USING (instance_no)
            JOIN node USING (trace_no)
            ANTI JOIN taught_workflow USING (entry_service, entry_name)
        """)
    }


def _weakest(services: Collection[ServiceShare]) -> Basis:
    """What the whole rests on: the least that any service does."""
    found = {share.basis for share in services}
    weakest: tuple[Basis, ...] = ("upper-bound", "estimated", "counted")
    return next((basis for basis in weakest if basis in found), "upper-bound")


def _settled(
    estimate: dict[StepKey, float], services: dict[str, ServiceShare]
) -> tuple[dict[StepKey, float], dict[str, float]]:
    """What is missing of each step where counts say how many there are, and of no known step."""
    whole: dict[str, float] = defaultdict(float)
    for key, missing in estimate.items():
        whole[key[0]] += missing
    settled = {
        key: missing * min(services[key[0]].known_missing / whole[key[0]], 1.0)
        for key, missing in estimate.items()
    }
    unnamed = {name: share.known_missing - whole[name] for name, share in services.items()}
    return (
        {key: missing for key, missing in settled.items() if missing > 0},
        {name: missing for name, missing in unnamed.items() if missing > _ROUNDING},
    )


def _key(row: Row) -> StepKey:
    return row["service"], row["name"], row["kind"]


def _count(row: Row) -> StepCount:
    counts = {field.name: row[field.name] for field in fields(StepCount) if field.name != "key"}
    return StepCount(_key(row), **counts)


def _structure(reader: Reader) -> Structure:
    return Structure(
        branches=tuple(
            Branch(_parent(row), _key(row), row["ratio"])
            for row in reader.rows("FROM baseline_branch")
        ),
        families=tuple(
            Family(
                _parent(row),
                frozenset((child["service"], child["kind"]) for child in row["children"]),
                row["times"],
            )
            for row in reader.rows("FROM baseline_family")
        ),
        unanswered=tuple(
            Unanswered(
                (row["caller"], row["caller_name"], row["caller_kind"]), _key(row), row["halves"]
            )
            for row in reader.rows(_UNANSWERED)
        ),
    )


def _parent(row: Row) -> StepKey:
    return row["parent_service"], row["parent_name"], row["parent_kind"]


def _a_span(unnamed: dict[str, float], services: dict[str, ServiceShare]) -> dict[str, float]:
    """For each span that was received of a service, those that are missing of no known step."""
    return {
        name: missing / services[name].received
        for name, missing in unnamed.items()
        if services[name].received
    }


def _by_workflow(
    reader: Reader, missing: dict[StepKey, float], a_span: dict[str, float]
) -> dict[str, Share]:
    """Each step's loss falls on the workflows that show signs of it, else on those that have it."""
    rows = reader.rows("""
        WITH seen AS (
            SELECT instance.workflow, node.service, node.name, node.kind, count(*) AS spans
            FROM node
            ANTI JOIN second_copy USING (span_no)
            JOIN trace_instance USING (trace_no)
            JOIN likely_workflow AS instance USING (instance_no)
            GROUP BY ALL
        ),
        signs AS (
            SELECT instance.workflow, lost.service, lost.name, lost.kind,
                sum(lost.signs + lost.deficit) AS signs
            FROM missing_in_instance AS lost
            JOIN likely_workflow AS instance USING (instance_no)
            GROUP BY ALL
        )
        SELECT
            workflow, service, name, kind,
            coalesce(seen.spans, 0) AS spans, coalesce(signs.signs, 0)::BIGINT AS signs
        FROM seen
        FULL JOIN signs USING (workflow, service, name, kind)
        ORDER BY workflow, service, name, kind
    """)
    has_signs = {_key(row) for row in rows if row["signs"]}
    weights = [row["signs"] if _key(row) in has_signs else row["spans"] for row in rows]
    whole: dict[StepKey, float] = defaultdict(float)
    for row, weight in zip(rows, weights, strict=True):
        whole[_key(row)] += weight
    received: dict[str, int] = defaultdict(int)
    lost: dict[str, float] = defaultdict(float)
    for row, weight in zip(rows, weights, strict=True):
        key = _key(row)
        received[row["workflow"]] += row["spans"]
        if weight:
            lost[row["workflow"]] += missing.get(key, 0.0) * weight / whole[key]
        lost[row["workflow"]] += a_span.get(row["service"], 0.0) * row["spans"]
    return {name: Share(received[name], lost[name]) for name in sorted(received)}


def _by_instance(reader: Reader) -> dict[str, Share]:
    """Instances of which a span is known to be missing, by signs of their own."""
    rows = reader.rows("""
        SELECT
            instance.correlation_id,
            sum(instance.spans)::BIGINT AS spans,
            sum(lost.missing)::DOUBLE AS missing
        FROM workflow_instance AS instance
        JOIN (
            SELECT instance_no, sum(greatest(signs, deficit)) AS missing
            FROM missing_in_instance
            GROUP BY instance_no
        ) AS lost USING (instance_no)
        WHERE NOT instance.background
        GROUP BY instance.correlation_id
        ORDER BY instance.correlation_id
    """)
    return {row["correlation_id"]: Share(row["spans"], row["missing"]) for row in rows}


def _missing_steps(
    steps: list[Row],
    missing: dict[StepKey, float],
    unnamed: dict[str, float],
    services: dict[str, ServiceShare],
) -> tuple[MissingStep, ...]:
    found = [
        MissingStep(
            service=row["service"],
            step=f"{row['name']} {row['kind']}".strip(),
            missing=missing[_key(row)],
            cause=_cause(row["cause"] or "not-exported", services[row["service"]]),
            evidence=row["evidence"] or "others of its service and kind are missing",
        )
        for row in steps
        if _key(row) in missing
    ]
    found += [
        MissingStep(
            service,
            "",
            spans,
            _cause("" if service else NAMED, services[service]),
            "the SDK's count of what it started"
            if service
            else "its children name it, and the process that it is likely of counted it not",
        )
        for service, spans in unnamed.items()
    ]
    return tuple(sorted(found, key=lambda step: (-step.missing, step.service, step.step)))


def _cause(likeliest: str, service: ServiceShare) -> str:
    """The cause of most where counts tell the causes, and the likeliest is none of them."""
    if not service.processes or likeliest in service.gap:
        return likeliest
    return max(service.gap, key=lambda cause: (service.gap[cause], cause))


def _criteria(checks: tuple[CheckResult, ...]) -> dict[str, float]:
    """The five criteria of the completeness test: the share of units at which each holds."""
    return {
        _CRITERIA[check.id]: 1 - len({f.subject for f in check.findings}) / check.units_total
        for check in checks
        if check.id in _CRITERIA and check.units_total and check.outcome in ("pass", "fail")
    }
