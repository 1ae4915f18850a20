"""In which ways a later run saw less than an earlier one, so that its "better" may be blindness."""

from collections.abc import Iterator
from typing import Final

from tracejury.scorecard.result import Audit, Trust
from tracejury.telemetry.numbers import counted, either

# A share of what came that moved by less says nothing.
_LEAST: Final = 0.01


def less_observed(before: Audit, after: Audit) -> tuple[str, ...]:
    """One sentence for each way; none where the later run saw as much."""
    if "CANNOT_JUDGE" in (before.verdict, after.verdict):
        return ()
    return (*_shares(before, after), *_losses(before, after), *_absences(before, after))


def _shares(before: Audit, after: Audit) -> Iterator[str]:
    old, new = _ratio(before), _ratio(after)
    if old is not None and new is not None and new < old - _LEAST:
        yield f"Completeness fell from {old:.1%} to {new:.1%}."
    old, new = before.coverage, after.coverage
    if old is not None and new is not None and new < old - _LEAST:
        yield f"Coverage fell from {old:.1%} to {new:.1%}: fewer checks could be decided."
    if after.trust.sampled != "none" and before.trust.sampled == "none":
        yield f"Before, nothing was sampled; now it is {_sampling(after.trust)}."


def _losses(before: Audit, after: Audit) -> Iterator[str]:
    old, new = before.trust, after.trust
    counts = (
        ("dropped", old.dropped, new.dropped),
        ("rejected", old.rejected, new.rejected),
        ("lost from the store", old.lost, new.lost),
        ("pruned from the store", old.pruned_spans, new.pruned_spans),
    )
    for what, was, now in counts:
        if _part(now, new) > _part(was, old) + _LEAST or (now and not was):
            yield f"{counted(now, 'record')} {either(now, 'was', 'were')} {what}, before {was:,}."
    if new.unsettled and not old.unsettled:
        yield f"Spans of {counted(new.unsettled, 'trace')} may still arrive."


def _absences(before: Audit, after: Audit) -> Iterator[str]:
    for what, was, now in (
        ("log record", before.trust.logs, after.trust.logs),
        ("metric point", before.trust.metric_points, after.trust.metric_points),
        ("span", before.trust.spans, after.trust.spans),
    ):
        if was and not now:
            yield f"No {what} came, before {was:,}."
        elif 2 * now < was:
            yield f"Less than half as many {what}s came: {now:,}, before {was:,}."
    for what, gone in (
        ("service", _services(before) - _services(after)),
        ("workflow", _workflows(before) - _workflows(after)),
        ("fault of kind", _kinds(before) - _kinds(after)),
    ):
        for name in sorted(gone):
            yield f"No {what} {name} is in the later run."


def _ratio(audit: Audit) -> float | None:
    return audit.completeness.total.ratio if audit.completeness else None


def _sampling(trust: Trust) -> str:
    return "unknown whether anything was" if trust.sampled == "unknown" else "sampled"


def _part(count: int, trust: Trust) -> float:
    return count / max(1, trust.spans + trust.logs)


def _services(audit: Audit) -> set[str]:
    if audit.completeness is None:
        return set()
    return {name for name, share in audit.completeness.by_service.items() if share.received}


def _workflows(audit: Audit) -> set[str]:
    return {workflow.name for workflow in audit.workflows}


def _kinds(audit: Audit) -> set[str]:
    return {fault.kind for fault in audit.faults if fault.kind}
