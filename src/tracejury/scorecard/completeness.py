"""How much of what happened was seen: received over received and known missing."""

from collections import defaultdict
from dataclasses import fields
from typing import Final

from tracejury.scorecard.result import CheckResult, Completeness, MissingStep, Share
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


def completeness(
    reader: Reader, checks: tuple[CheckResult, ...], *, has_baseline: bool
) -> Completeness:
    """The completeness of a rebuilt run. Without a baseline it is an upper bound."""
    steps = reader.rows("FROM step_count")
    missing = estimate_missing([_count(row) for row in steps], _structure(reader))
    received = sum(row["observed"] for row in steps)
    return Completeness(
        total=Share(received, sum(missing.values())),
        is_upper_bound=not has_baseline,
        by_service=_by_service(steps, missing),
        by_workflow=_by_workflow(reader, missing),
        by_instance=_by_instance(reader),
        criteria=_criteria(checks),
        missing=_missing_steps(steps, missing),
        external_entries=reader.value("SELECT count(*) FROM orphan WHERE external_entry"),
        background_spans=reader.value(
            "SELECT coalesce(sum(spans), 0)::BIGINT FROM workflow_instance WHERE background"
        ),
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


def _by_service(steps: list[Row], missing: dict[StepKey, float]) -> dict[str, Share]:
    received: dict[str, int] = defaultdict(int)
    lost: dict[str, float] = defaultdict(float)
    for row in steps:
        received[row["service"]] += row["observed"]
        lost[row["service"]] += missing.get(_key(row), 0.0)
    return {
        service: Share(received[service], lost[service])
        for service in sorted(received)
        if service and (received[service] or lost[service])
    }


def _by_workflow(reader: Reader, missing: dict[StepKey, float]) -> dict[str, Share]:
    """Each step's loss falls on the workflows that show signs of it, else on those that have it."""
    rows = reader.rows("""
        WITH seen AS (
            SELECT instance.workflow, node.service, node.name, node.kind, count(*) AS spans
            FROM node
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
    whole: dict[StepKey, float] = defaultdict(float)
    weights = {}
    has_signs = {_key(row) for row in rows if row["signs"]}
    for row in rows:
        weight = row["signs"] if _key(row) in has_signs else row["spans"]
        weights[row["workflow"], _key(row)] = weight
        whole[_key(row)] += weight
    received: dict[str, int] = defaultdict(int)
    lost: dict[str, float] = defaultdict(float)
    for row in rows:
        key = _key(row)
        received[row["workflow"]] += row["spans"]
        if whole[key]:
            lost[row["workflow"]] += (
                missing.get(key, 0.0) * weights[row["workflow"], key] / whole[key]
            )
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


def _missing_steps(steps: list[Row], missing: dict[StepKey, float]) -> tuple[MissingStep, ...]:
    found = [
        MissingStep(
            service=row["service"],
            step=f"{row['name']} {row['kind']}".strip(),
            missing=missing[_key(row)],
            cause=row["cause"] or "not-exported",
            evidence=row["evidence"] or "others of its service and kind are missing",
        )
        for row in steps
        if _key(row) in missing
    ]
    return tuple(sorted(found, key=lambda step: (-step.missing, step.service, step.step)))


def _criteria(checks: tuple[CheckResult, ...]) -> dict[str, float]:
    """The five criteria of the completeness test: the share of units at which each holds."""
    return {
        _CRITERIA[check.id]: 1 - len({f.subject for f in check.findings}) / check.units_total
        for check in checks
        if check.id in _CRITERIA and check.units_total and check.outcome in ("pass", "fail")
    }
