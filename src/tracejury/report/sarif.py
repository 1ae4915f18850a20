"""Write an audit as SARIF 2.1.0: a rule for each check, a result for each finding that failed it.

Where a finding is says a logical location, for telemetry has no files. What nothing decided is no
result; the run's notifications list it, so that a short list of results cannot read as a pass.
"""

import re

from tracejury import __version__
from tracejury.checks.check import Finding, Reference, Severity
from tracejury.checks.explanation import Explanation, all_explanations
from tracejury.report.answered import answered_in_full, answers_of
from tracejury.report.headlines import verdict_sentence
from tracejury.report.json import json_text
from tracejury.report.places import place
from tracejury.report.tally import failing, undecided
from tracejury.report.words import VERDICTS, reason_sentence, task_title
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.telemetry.safe_text import safe_text

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.INFO: "note",
}

Object = dict[str, object]


def render_sarif(audit: Audit) -> str:
    """Write the audit as one run of one tool."""
    explained = {explanation.id: explanation for explanation in all_explanations()}
    index = {check.id: number for number, check in enumerate(audit.checks)}
    run: Object = {
        "tool": {
            "driver": {
                "name": "tracejury",
                "version": __version__,
                "rules": [_rule(check, explained.get(check.id)) for check in audit.checks],
            }
        },
        "invocations": [_invocation(audit, index)],
        "results": [
            _result(check, finding, index[check.id])
            for check in failing(audit)
            for finding in check.findings
        ],
        "properties": _properties(audit),
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _properties(audit: Audit) -> Object:
    numbers = {"score": audit.score, "coverage": audit.coverage}
    answers = [
        safe_text(f"{answer.id} {answer.outcome}, {answered_in_full(answer)}")
        for answer in answers_of(audit)
    ]
    return {
        "verdict": VERDICTS[audit.verdict].text,
        "judgedAt": safe_text(audit.judged_at),
        "inputs": [safe_text(name) for name in audit.inputs],
        **({"answers": answers} if answers else {}),
        **{name: number for name, number in numbers.items() if number is not None},
    }


def _rule(check: CheckResult, explanation: Explanation | None) -> Object:
    rule: Object = {
        "id": safe_text(check.id),
        "shortDescription": _message(check.title),
        "defaultConfiguration": {"level": LEVELS[check.severity]},
        "properties": {
            "severity": check.severity.value,
            "tags": [safe_text(tag) for tag in (task_title(check.task), *check.serves)],
        },
    }
    if explanation:
        rule["fullDescription"] = _message(explanation.what)
        rule["help"] = _message("\n\n".join(filter(None, (explanation.why, explanation.fix))))
    return rule


def _message(text: str) -> Object:
    """A plain text; braces would be taken for placeholders, brackets for links."""
    lines = "\n".join(map(safe_text, text.split("\n")))
    return {"text": re.sub(r"[\[\]\\]", r"\\\g<0>", re.sub(r"[{}]", r"\g<0>\g<0>", lines))}


def _result(check: CheckResult, finding: Finding, rule: int) -> Object:
    result: Object = {
        "ruleId": safe_text(check.id),
        "ruleIndex": rule,
        "level": LEVELS[check.severity],
        "message": _message(finding.message.replace("\n", " ")),
        "locations": [{"logicalLocations": [_logical(finding)]}],
    }
    if finding.evidence:
        result["relatedLocations"] = [
            {"id": number, "logicalLocations": [_record(reference)]}
            for number, reference in enumerate(finding.evidence, 1)
        ]
    about = {"workflowInstance": finding.instance, "fault": finding.fault}
    if said := {name: safe_text(value) for name, value in about.items() if value}:
        result["properties"] = said
    return result


def _logical(finding: Finding) -> Object:
    whole = " / ".join(filter(None, (finding.instance, finding.subject)))
    return {"name": safe_text(finding.subject), "fullyQualifiedName": safe_text(whole)}


def _record(reference: Reference) -> Object:
    if reference.alert is not None:
        kind = "alert"
    elif reference.log is not None:
        kind = "log record"
    elif reference.row is not None:
        kind = "state row"
    else:
        kind = "span" if reference.span_id else "trace"
    return {"fullyQualifiedName": safe_text(place(reference)), "kind": kind}


def _invocation(audit: Audit, index: dict[str, int]) -> Object:
    cannot = audit.verdict == "CANNOT_JUDGE"
    notes: list[Object] = [
        {
            "level": "note",
            "message": _message(
                f"{check.id} {check.title}: not decided ({reason}: {reason_sentence(reason)})."
            ),
            "associatedRule": {"id": safe_text(check.id), "index": index[check.id]},
        }
        for reason, checks in undecided(audit).items()
        for check in checks
    ]
    verdict: Object = {
        "level": "error" if cannot else "note",
        "message": _message(f"{VERDICTS[audit.verdict].text}. {verdict_sentence(audit)}"),
    }
    return {
        "executionSuccessful": not cannot,
        "toolExecutionNotifications": [verdict, *notes],
    }
