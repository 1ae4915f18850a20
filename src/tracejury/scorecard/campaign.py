"""Put the audits of several runs into one: of every check and test the newest evidence counts.

Each run was judged on its own, for the faults of its own time. Where the newest run leaves
something open, an older one that decided it stands, with its date, and marked stale once it is
older than the policy's bound. Scores that are measured, such as completeness, are the newest run's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tracejury.scorecard import rollup
from tracejury.scorecard.answers import answer_checks, answer_criteria
from tracejury.scorecard.result import (
    Answer,
    Audit,
    CampaignRun,
    CheckResult,
    Criterion,
    CutOffs,
    Diagnosis,
    FaultResult,
    Period,
    Seen,
    TestResult,
)
from tracejury.scorecard.verdict import score, verdict
from tracejury.workflow.stopwatch import Measurement

_DECIDED: Final = ("pass", "fail", "error")


def campaign(
    audits: Sequence[Audit], *, stale_days: float, answers: Iterable[Answer] = ()
) -> Audit:
    """One audit of `audits`, at least one; `answers` decide what all of them leave open."""
    runs = sorted(audits, key=_last, reverse=True)
    told = [run for run in runs if run.verdict != "CANNOT_JUDGE"]
    if not told:
        return replace(runs[0], inputs=_inputs(audits), runs=_listed(audits))
    answers = tuple(answers)
    sources = {id(run): _source(run, told[0], stale_days) for run in told}
    checks = answer_checks(tuple(_checks(told, sources)), answers)
    criteria = answer_criteria(rollup.criteria(checks), answers)
    shares = score(checks)
    return replace(
        told[0],
        inputs=_inputs(audits),
        verdict=verdict(criteria),
        score=100 * shares.passed if shares else None,
        failed_share=shares.failed if shares else None,
        unobserved_share=shares.unobserved if shares else None,
        coverage=shares.passed + shares.failed if shares else None,
        tests=tuple(_tests(told, sources)),
        criteria=tuple(_dated(criteria, checks)),
        patterns=rollup.patterns(checks),
        checks=checks,
        faults=tuple(_faults(told)),
        aftermaths=tuple(
            {found.fault: found for run in told[::-1] for found in run.aftermaths}.values()
        ),
        cut_offs=tuple(_cut_offs(told)),
        diagnosis=_diagnosis(told),
        ran=_period(told),
        runs=_listed(audits),
    )


def _last(audit: Audit) -> str:
    return audit.ran.last if audit.ran else ""


def _inputs(audits: Iterable[Audit]) -> tuple[str, ...]:
    return tuple(name for audit in audits for name in audit.inputs)


def _listed(audits: Sequence[Audit]) -> tuple[CampaignRun, ...]:
    """The runs, the newest first."""
    return tuple(
        CampaignRun(
            inputs=audit.inputs,
            ran=audit.ran,
            verdict=audit.verdict,
            score=audit.score,
            coverage=audit.coverage,
            completeness=audit.completeness.total.ratio if audit.completeness else None,
            faults=tuple(fault.id for fault in audit.faults),
            trust=audit.trust,
        )
        for audit in sorted(audits, key=_last, reverse=True)
    )


def _source(run: Audit, newest: Audit, stale_days: float) -> Seen:
    if run.ran is None or newest.ran is None:
        return Seen(", ".join(run.inputs), "", is_stale=run is not newest)
    age = datetime.fromisoformat(newest.ran.last) - datetime.fromisoformat(run.ran.last)
    return Seen(", ".join(run.inputs), run.ran.last, is_stale=age > timedelta(days=stale_days))


def _checks(runs: Sequence[Audit], sources: dict[int, Seen]) -> Iterator[CheckResult]:
    by_run = [(run, {check.id: check for check in run.checks}) for run in runs]
    for newest in runs[0].checks:
        found = [(run, checks[newest.id]) for run, checks in by_run if newest.id in checks]
        decided = [(run, check) for run, check in found if check.outcome in _DECIDED]
        run, check = (decided or found)[0]
        yield replace(check, seen=sources[id(run)] if decided else None)


def _tests(runs: Sequence[Audit], sources: dict[int, Seen]) -> Iterator[TestResult]:
    by_run = [(run, {test.id: test for test in run.tests}) for run in runs]
    for newest in runs[0].tests:
        found = [(run, tests[newest.id]) for run, tests in by_run if newest.id in tests]
        ran = [(run, test) for run, test in found if test.outcome != "not-run"]
        run, test = (ran or found)[0]
        yield replace(test, seen=sources[id(run)] if ran else None)


def _dated(criteria: Sequence[Criterion], checks: Sequence[CheckResult]) -> Iterator[Criterion]:
    """The criteria, each with the oldest evidence that it rests on."""
    seen = {check.id: check.seen for check in checks}
    for criterion in criteria:
        rests_on = [found for name in criterion.checks if (found := seen.get(name))]
        is_decided = criterion.outcome in _DECIDED and criterion.answer is None
        oldest = min(rests_on, key=lambda found: found.when, default=None)
        yield replace(criterion, seen=oldest if is_decided else None)


def _faults(runs: Sequence[Audit]) -> Iterator[FaultResult]:
    """The faults of all runs; of one that was injected again the newest time."""
    known: set[str] = set()
    for run in runs:
        for fault in run.faults:
            if fault.id not in known:
                yield fault
        known.update(fault.id for fault in run.faults)


def _cut_offs(runs: Sequence[Audit]) -> Iterator[CutOffs]:
    """Of each wait the newest run in which something cut it off, else the newest run."""
    for newest in runs[0].cut_offs:
        found = [limits for run in runs for limits in run.cut_offs if limits.id == newest.id]
        yield next((limits for limits in found if limits.cut_off), newest)


def _diagnosis(runs: Sequence[Audit]) -> Diagnosis | None:
    """The newest run's, with what persons measured in any of them, oldest first."""
    newest = runs[0].diagnosis
    if newest is None:
        return None
    of_all = {one for run in runs if run.diagnosis for one in run.diagnosis.measured}
    return replace(newest, measured=tuple(sorted(of_all, key=_started)))


def _started(measured: Measurement) -> datetime:
    return datetime.fromisoformat(measured.started_at)


def _period(runs: Sequence[Audit]) -> Period | None:
    known = [run.ran for run in runs if run.ran]
    if not known:
        return None
    return Period(min(ran.first for ran in known), max(ran.last for ran in known))
