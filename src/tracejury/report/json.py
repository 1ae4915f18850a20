"""Write an audit as JSON, the contract that docs/audit.schema.json describes.

What could not be computed is absent, never zero. Text is kept as it was sent, except for characters
that steer terminals, which stand as JSON escapes, and lone surrogates, which no reader accepts.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from tracejury import __version__
from tracejury.checks.check import Finding, Reference
from tracejury.scorecard.decidable import would_decide
from tracejury.scorecard.remediation import Remedy, remedies
from tracejury.scorecard.result import (
    Audit,
    CheckResult,
    Completeness,
    FaultCourse,
    FaultResult,
    ServiceShare,
    Share,
)
from tracejury.scorecard.trials import Trial, trials
from tracejury.telemetry.safe_text import UNSAFE

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCHEMA = "tracejury.audit/1"


def render_json(audit: Audit) -> str:
    """Write the whole audit as one JSON document."""
    return json_text(audit_document(audit))


def audit_document(audit: Audit) -> dict[str, object]:
    """Give the audit as what JSON can hold, with the contract's names."""
    return known(
        schema=SCHEMA,
        tracejury=__version__,
        judged_at=audit.judged_at,
        inputs=audit.inputs,
        ran=audit.ran,
        state_rows=audit.state_rows or None,
        runs=audit.runs or None,
        bounds=_sorted(audit.bounds),
        verdict=audit.verdict,
        score=audit.score,
        coverage=audit.coverage,
        interval=audit.interval,
        failed_share=audit.failed_share,
        unobserved_share=audit.unobserved_share,
        completeness=audit.completeness and _completeness(audit.completeness),
        timing=audit.timing,
        external_calls=audit.external_calls,
        diagnosis=audit.diagnosis,
        trust=audit.trust,
        tests=audit.tests,
        trials=[_trial(trial) for trial in trials(audit)],
        criteria=audit.criteria,
        patterns=audit.patterns,
        checks=[_check(check) for check in audit.checks],
        faults=[_fault(fault) for fault in audit.faults],
        workflows=audit.workflows,
        step_risks=[
            known(risk=step.risk, rank=step.rank, **_fields(step)) for step in audit.step_risks
        ],
        cut_offs=audit.cut_offs,
        queue=audit.queue,
        aftermaths=audit.aftermaths,
        call_edges=audit.call_edges,
        remediation=[_remedy(remedy) for remedy in remedies(audit)],
        system=audit.system or None,
        auditor=audit.auditor or None,
        system_type=audit.system_type or None,
    )


def json_text(document: Mapping[str, object]) -> str:
    """Write a document so that it is the same bytes each time and safe to print."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    # The line breaks of the indentation are the only controls that json.dumps leaves on purpose.
    return "\n".join(UNSAFE.sub(_escape, line) for line in text.split("\n")) + "\n"


def _completeness(completeness: Completeness) -> dict[str, object]:
    return known(
        **_share(completeness.total),
        basis=completeness.basis,
        is_upper_bound=completeness.is_upper_bound,
        by_service={
            name: _service(completeness.by_service[name])
            for name in sorted(completeness.by_service)
        },
        by_workflow=_shares(completeness.by_workflow),
        by_instance=_shares(completeness.by_instance),
        criteria=_sorted(completeness.criteria),
        missing=completeness.missing,
        external_entries=completeness.external_entries,
        background_spans=completeness.background_spans,
        not_run=completeness.not_run,
        renamed=completeness.renamed or None,
    )


def _shares(shares: Mapping[str, Share]) -> dict[str, object]:
    return {name: _share(shares[name]) for name in sorted(shares)}


def _service(share: ServiceShare) -> dict[str, object]:
    return known(
        **_share(share),
        basis=share.basis,
        gap=_sorted(share.gap),
        processes=share.processes or None,
        counted_processes=share.counted_processes if share.processes else None,
    )


def _share(share: Share) -> dict[str, object]:
    return known(ratio=share.ratio, received=share.received, known_missing=share.known_missing)


def _trial(trial: Trial) -> dict[str, object]:
    return known(
        test=trial.test,
        fault=trial.fault,
        outcome=trial.outcome,
        clause=trial.clause and trial.clause.text,
        checks=trial.clause and trial.clause.checks,
        reason=trial.reason or None,
        kinds=trial.kinds or None,
    )


def _remedy(remedy: Remedy) -> dict[str, object]:
    return known(
        check=remedy.check.id,
        when=remedy.when,
        effort=remedy.effort,
        why=remedy.why,
        recovers=remedy.recovers,
    )


def _check(check: CheckResult) -> dict[str, object]:
    return known(
        id=check.id,
        title=check.title,
        severity=check.severity,
        task=check.task,
        outcome=check.outcome,
        reason=check.reason,
        exposures=check.exposures,
        units={"total": check.units_total, "exposed": check.units_exposed},
        untested=check.untested,
        serves=check.serves,
        remedy=check.remedy,
        note=check.note,
        would_decide=would_decide(check) or None,
        findings=[_finding(finding) for finding in check.findings],
        answer=check.answer,
        seen=check.seen,
    )


def _finding(finding: Finding) -> dict[str, object]:
    return known(
        message=finding.message,
        subject=finding.subject,
        instance=finding.instance,
        fault=finding.fault,
        evidence=[_reference(reference) for reference in finding.evidence],
    )


def _reference(reference: Reference) -> dict[str, object]:
    return known(
        trace_id=reference.trace_id or None,
        span_id=reference.span_id or None,
        log=reference.log,
        alert=reference.alert,
        row=reference.row,
    )


def _course(course: FaultCourse) -> dict[str, object]:
    return known(
        workflow=course.workflow,
        instances=course.instances._asdict(),
        success=known(**course.success._asdict()),
        p95_ms=known(**course.p95_ms._asdict()),
        recovery=course.recovery,
        recovered_after_s=course.recovered_after_s,
    )


def _fault(fault: FaultResult) -> dict[str, object]:
    return known(
        id=fault.id,
        kind=fault.kind,
        target=fault.target,
        start_ns=fault.start_ns,
        end_ns=fault.end_ns,
        detected_after_s=fault.detected_after_s,
        first_error_after_s=fault.first_error_after_s,
        recovered_after_s=fault.recovered_after_s,
        hurt_for_s=fault.hurt_for_s,
        hurt=fault.hurt,
        success=known(
            before=fault.success_before, during=fault.success_during, after=fault.success_after
        ),
        workflows=[_course(course) for course in fault.workflows],
        stands_out=fault.stands_out,
        changed_before_s=fault.changed_before_s,
        changed_after_s=fault.changed_after_s,
        suspects=fault.suspects,
        rank_of_target=fault.rank_of_target,
        difficulty=fault.difficulty,
    )


def known(**entries: object) -> dict[str, object]:
    """Keep the entries that were computed."""
    plain = ((key, _plain(value)) for key, value in entries.items())
    return {key: value for key, value in plain if value is not None}


def _sorted(mapping: Mapping[str, float]) -> dict[str, object]:
    return known(**{name: mapping[name] for name in sorted(mapping)})


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)  # a StrEnum is a str, and json writes it as one
    if isinstance(value, float):
        return _number(value)
    if is_dataclass(value) and not isinstance(value, type):
        return known(**_fields(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, Iterable) else value


def _fields(value: "DataclassInstance") -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _number(value: float) -> float | int | None:
    """Round away the order in which a database added; what is not finite was not computed."""
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() else rounded


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else json.dumps(match.group())[1:-1]
