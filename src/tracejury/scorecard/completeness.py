"""How much of what happened was seen: received over received and known missing.

Known missing is the larger of two kinds of evidence, step by step. Signs in the run itself: parents
that are named and absent, spans that log records name, calls whose other half was recorded
elsewhere. And, with a baseline, what clean instances of the same workflow have: as many spans of a
step as the instances that did not fail must have sent. Steps whose number differs from instance to
instance (loops) are scaled to the size of this run's instances.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from tracejury.scorecard.result import CheckResult, Completeness, MissingStep, Share
from tracejury.store.reader import Reader, Row

_CRITERIA: Final = {
    "OBS-05": "steps_visible",
    "OBS-01": "correlation",
    "OBS-06": "call_details",
    "OBS-10": "failure_point",
    "OBS-08": "durations",
}

# Less than this, and what looks missing is the noise of an average.
_NOISE: Final = 0.5

_Key = tuple[str, str, str, str]  # workflow, service, step, kind


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a workflow: what came, what must have, and how that is known."""

    key: _Key
    observed: float  # in instances that did not fail
    signs: float  # ghosts and missing halves, in all instances
    signs_in_sound: float  # the same, in instances that did not fail
    expected: float | None
    cause: str
    evidence: str

    @property
    def missing(self) -> float:
        deficit = (self.expected or 0.0) - self.observed
        return max(self.signs, deficit if deficit > _NOISE else 0.0)


def completeness(
    reader: Reader, checks: tuple[CheckResult, ...], *, has_baseline: bool
) -> Completeness:
    """The completeness of a rebuilt run. Without a baseline it is an upper bound."""
    steps = _steps(reader)
    received = _received(reader)
    missing = {step.key: step.missing for step in steps if step.missing > 0}
    return Completeness(
        total=Share(sum(received.values()), sum(missing.values())),
        is_upper_bound=not has_baseline,
        by_service=_by(received, missing, 1),
        by_workflow=_by(received, missing, 0),
        by_instance=_by_instance(reader),
        criteria=_criteria(checks),
        missing=tuple(
            MissingStep(
                step.key[1],
                f"{step.key[2]} {step.key[3]}".strip(),
                step.missing,
                step.cause,
                step.evidence,
            )
            for step in sorted(steps, key=lambda step: (-step.missing, step.key))
            if step.missing > 0
        ),
        external_entries=reader.value("SELECT count(*) FROM orphan WHERE external_entry"),
        background_spans=reader.value(
            "SELECT coalesce(sum(spans), 0)::BIGINT FROM workflow_instance WHERE background"
        ),
    )


def _received(reader: Reader) -> dict[_Key, int]:
    rows = reader.rows("""
        SELECT of_instance.workflow, node.service, node.name, node.kind, count(*) AS spans
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN likely_workflow AS of_instance USING (instance_no)
        GROUP BY ALL
    """)
    return {_key(row): row["spans"] for row in rows}


def _key(row: Row) -> _Key:
    return row["workflow"], row["service"], row["name"], row["kind"]


def _steps(reader: Reader) -> list[_Step]:
    rows = reader.rows("FROM expected_step")
    sizes = _sizes(rows)
    return [_step(row, sizes.get(row["workflow"], 1.0)) for row in rows]


def _step(row: dict[str, Any], size: float) -> _Step:
    expected = row["expected"]
    if expected is not None and not row["is_constant"]:
        expected *= size
    cause, evidence = row["cause"], row["evidence"]
    if not cause:
        cause = "not-exported"
        evidence = f"clean instances have {row['mean'] or 0:.3g} of it each"
    return _Step(
        key=_key(row),
        observed=row["observed"],
        signs=row["signs"],
        signs_in_sound=row["signs_in_sound"],
        expected=expected,
        cause=cause,
        evidence=evidence,
    )


def _sizes(rows: list[Row]) -> dict[str, float]:
    """How large this run's loops are against the baseline's, by workflow.

    Losing spans makes a step rarer, never more frequent: so the size is that of the steps which
    lost least, weighed by how many spans stand behind each.
    """
    ratios: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row["expected"] and not row["is_constant"]:
            seen = row["observed"] + row["signs_in_sound"]
            ratios[row["workflow"]].append((seen / row["expected"], row["expected"]))
    return {workflow: _upper(pairs) for workflow, pairs in ratios.items()}


def _upper(pairs: list[tuple[float, float]]) -> float:
    """The weighted 80th percentile of the first of each pair."""
    whole = sum(weight for _, weight in pairs)
    reached = 0.0
    for ratio, weight in sorted(pairs):
        reached += weight
        if reached >= 0.8 * whole:
            return ratio
    return 1.0


def _by(received: dict[_Key, int], missing: dict[_Key, float], part: int) -> dict[str, Share]:
    names = sorted({key[part] for key in (*received, *missing)})
    return {
        name: Share(
            sum(count for key, count in received.items() if key[part] == name),
            sum(count for key, count in missing.items() if key[part] == name),
        )
        for name in names
        if name
    }


def _by_instance(reader: Reader) -> dict[str, Share]:
    rows = reader.rows("""
        SELECT instance.correlation_id, sum(instance.spans)::BIGINT AS spans,
            coalesce(sum(lost.missing), 0)::DOUBLE AS missing
        FROM workflow_instance AS instance
        LEFT JOIN (
            SELECT instance_no, sum(greatest(signs, deficit)) AS missing
            FROM missing_in_instance
            GROUP BY instance_no
        ) AS lost USING (instance_no)
        WHERE NOT instance.background
        GROUP BY instance.correlation_id
        HAVING missing > 0
        ORDER BY instance.correlation_id
    """)
    return {row["correlation_id"]: Share(row["spans"], row["missing"]) for row in rows}


def _criteria(checks: tuple[CheckResult, ...]) -> dict[str, float]:
    """The five criteria of the completeness test: the share of units at which each holds."""
    return {
        _CRITERIA[check.id]: 1 - len({f.subject for f in check.findings}) / check.units_total
        for check in checks
        if check.id in _CRITERIA and check.units_total and check.outcome in ("pass", "fail")
    }
