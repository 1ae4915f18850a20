"""The evidence part of the Markdown report: faults, findings, what was not observed, timing."""

from collections.abc import Iterator

from tracejury.checks.check import Finding
from tracejury.report.drawing import and_more
from tracejury.report.markdown_text import bullets, code, escaped, table
from tracejury.report.next_steps import next_steps
from tracejury.report.numbers import clock, duration, percent, short
from tracejury.report.places import places
from tracejury.report.service_rows import not_missing, service_rows
from tracejury.report.stopwatch_rows import HEADER, stopwatch_rows
from tracejury.report.tally import failing, undecided
from tracejury.report.words import reason_sentence
from tracejury.scorecard.result import Audit, CheckResult, ExternalCalls, FaultResult, StepTiming

FINDINGS_SHOWN = 20
REFERENCES_SHOWN = 5

WHEN = {"critical": "now", "high": "next sprint", "medium": "backlog", "info": "for information"}


def details(audit: Audit) -> Iterator[str]:
    """Give the sections behind the results."""
    if audit.faults:
        yield "## Faults\n"
        yield _faults(audit.faults)
    yield from _findings(failing(audit))
    if (groups := undecided(audit)) and audit.verdict != "CANNOT_JUDGE":
        yield "## Not observed, and why\n"
        yield _undecided(groups)
    if audit.completeness and audit.completeness.missing:
        yield "## Spans by service\n"
        yield table(
            ("Received", "Spans", "Missing", "Service", "Who says so", "Why they are missing"),
            service_rows(audit.completeness),
        )
        if said := not_missing(audit.completeness):
            yield f"{escaped(said)}\n"
        yield "## Missing spans\n"
        yield table(
            ("Missing", "Service", "Step", "Likeliest cause", "Evidence"),
            [
                (short(step.missing), step.service, step.step, step.cause, step.evidence)
                for step in audit.completeness.missing
            ],
        )
    if audit.timing and audit.timing.steps:
        yield "## Timing per step\n"
        yield _timing(audit.timing.steps)
    if audit.external_calls and audit.external_calls.targets:
        yield "## External calls\n"
        yield _targets(audit.external_calls)
    yield from _measured(audit)
    if audit.bounds:
        yield "## Bounds\n\nThe policy that these verdicts used.\n"
        yield table(("Bound", "Value"), [(n, f"{v:g}") for n, v in sorted(audit.bounds.items())])
    yield "## Next steps\n"
    yield "".join(f"- {code(step.command)}: {escaped(step.gives)}\n" for step in next_steps(audit))


def _faults(faults: tuple[FaultResult, ...]) -> str:
    rows = []
    for fault in faults:
        shares = (fault.success_before, fault.success_during, fault.success_after)
        detected = fault.detected_after_s
        suspects = [f"{suspect.service} {suspect.step}" for suspect in fault.suspects[:3]]
        rows.append(
            (
                fault.id,
                f"{fault.kind} {fault.target}",
                f"{clock(fault.start_ns)}, {duration((fault.end_ns - fault.start_ns) / 1e6)}",
                " / ".join(map(percent, shares)),
                "no alert seen" if detected is None else duration(1000 * detected),
                ", ".join(suspects) if fault.stands_out else "nothing stands out",
                "" if fault.rank_of_target is None else fault.rank_of_target,
            )
        )
    header = ("Fault", "What", "When (UTC)", "Success before / during / after", "Alert after")
    return table((*header, "Suspects", "Rank of the target"), rows)


def _findings(checks: list[CheckResult]) -> Iterator[str]:
    if checks:
        yield "## Findings by severity\n"
    severity = ""
    for check in checks:
        if check.severity != severity:
            severity = check.severity
            yield f"### {severity.upper()}: {WHEN[severity]}\n"
        yield f"#### {escaped(check.id)} {escaped(check.title)}\n"
        units = f"{check.units_exposed} of {check.units_total} units exposed"
        yield f"{units}, {check.exposures} exposures. Serves: {escaped(', '.join(check.serves))}.\n"
        items = [_finding(finding) for finding in check.findings[:FINDINGS_SHOWN]]
        more = and_more(FINDINGS_SHOWN, len(check.findings))
        yield "".join(items) + (f"- {more}: `--format json` has all\n" if more else "")
        if check.note:
            yield f"Note: {escaped(check.note)}\n"
        if check.remedy:
            yield f"**Remedy:** {escaped(check.remedy)}\n"


def _finding(finding: Finding) -> str:
    return bullets([finding.message]) + bullets(places(finding, REFERENCES_SHOWN), indent=2)


def _undecided(groups: dict[str, list[CheckResult]]) -> str:
    rows = [
        (
            check.id,
            check.title,
            check.severity.upper(),
            f"{reason}: {reason_sentence(reason)}",
            f"{check.units_exposed} of {check.units_total}" if check.units_total else "",
            "; ".join(filter(None, (", ".join(check.untested), check.note))),
        )
        for reason, checks in groups.items()
        for check in checks
    ]
    header = ("Check", "It would say", "Severity", "Why it cannot", "Units exposed")
    return table((*header, "Untested, and notes"), rows)


def _timing(steps: tuple[StepTiming, ...]) -> str:
    header = ("Workflow", "Service", "Step", "Kind", "Spans", "Errors", "p50", "p95", "p99", "Self")
    return table(
        (*header, "Critical path", "Clean p95"),
        [
            (
                *(step.workflow, step.service, step.name, step.kind, step.count, step.errors),
                *map(duration, (step.p50_ms, step.p95_ms, step.p99_ms, step.self_ms)),
                "-" if step.critical_share is None else percent(step.critical_share),
                duration(step.baseline_p95_ms),
            )
            for step in steps
        ],
    )


def _measured(audit: Audit) -> Iterator[str]:
    if audit.diagnosis and audit.diagnosis.measured:
        yield "## Stopwatch\n\nHow long persons took from the alert to the root.\n"
        yield table(HEADER, stopwatch_rows(audit.diagnosis.measured))


def _targets(calls: ExternalCalls) -> str:
    return table(
        ("From", "To", "External", "Calls", "Request", "Response", "Duration", "Not recorded"),
        [
            (
                *(target.service, target.target, "yes" if target.is_external else "no"),
                *(target.calls, target.with_request, target.with_response, target.with_duration),
                ", ".join(target.missing),
            )
            for target in calls.targets
        ],
    )
