"""Write a comparison as JSON, which docs/compare.schema.json describes."""

from collections.abc import Sequence

from tracejury import __version__
from tracejury.report.json import json_text, known
from tracejury.scorecard.compare import Comparison, OutcomeChange, StepChange
from tracejury.scorecard.result import Audit
from tracejury.scorecard.step_durations import StepName

SCHEMA = "tracejury.compare/1"


def render_comparison_json(comparison: Comparison) -> str:
    """Write all of it as one JSON document."""
    return json_text(comparison_document(comparison))


def comparison_document(comparison: Comparison) -> dict[str, object]:
    """Give it as what JSON can hold."""
    return known(
        schema=SCHEMA,
        tracejury=__version__,
        before=_run(comparison.before),
        after=_run(comparison.after),
        regressions=comparison.regressions,
        improvements=comparison.improvements,
        trust={"less_observed": bool(comparison.doubts), "doubts": comparison.doubts},
        criteria=_outcomes(comparison.criteria),
        tests=_outcomes(comparison.tests),
        checks=_outcomes(comparison.checks),
        scores=[
            known(
                name=moved.name,
                unit=moved.unit,
                before=moved.before,
                after=moved.after,
                direction=moved.direction,
                tentative=moved.is_tentative,
            )
            for moved in comparison.numbers
        ],
        shares=[
            known(
                subject=moved.subject,
                measure=moved.measure,
                before=_part(moved.before),
                after=_part(moved.after),
                direction=moved.direction,
                tentative=moved.is_tentative,
            )
            for moved in comparison.shares
        ],
        steps=[_step(moved) for moved in comparison.steps],
        new_steps=[_name(name) for name in comparison.new_steps],
        gone_steps=[_name(name) for name in comparison.gone_steps],
    )


def _run(audit: Audit) -> dict[str, object]:
    return known(
        inputs=audit.inputs,
        judged_at=audit.judged_at,
        ran=audit.ran,
        verdict=audit.verdict,
        score=audit.score,
        coverage=audit.coverage,
        completeness=audit.completeness and audit.completeness.total.ratio,
        faults=[fault.id for fault in audit.faults],
        trust=audit.trust,
    )


def _outcomes(changes: Sequence[OutcomeChange]) -> list[dict[str, object]]:
    return [
        known(
            id=moved.id,
            title=moved.title,
            tier=moved.tier or None,
            before=moved.before,
            after=moved.after,
            change=moved.change,
            tentative=moved.is_tentative,
            doubt=moved.doubt or None,
        )
        for moved in changes
    ]


def _part(counts: tuple[int, int]) -> dict[str, object]:
    return {"count": counts[0], "of": counts[1]}


def _step(moved: StepChange) -> dict[str, object]:
    before, after = moved.before, moved.after
    return known(
        **_name(moved.step),
        measure=moved.measure,
        before=known(ms=before.ms, low=before.low, high=before.high, spans=moved.counts[0]),
        after=known(ms=after.ms, low=after.low, high=after.high, spans=moved.counts[1]),
        direction=moved.direction,
        tentative=moved.is_tentative,
    )


def _name(step: StepName) -> dict[str, object]:
    return dict(zip(("workflow", "service", "name", "kind"), step, strict=True))
