"""Write an audit as SARIF 2.1.0: a rule for each check, a result for each finding that failed it.

Where a finding is says a logical location, for telemetry has no lines of code. Code scanning takes
none without a file, so each is in the first input, at its first line. What nothing decided is no
result; the run's notifications list it, so that a short list of results cannot read as a pass.
"""

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import PurePath
from urllib.parse import quote

from tracejury import __version__
from tracejury.checks.check import Finding, Reference, Severity
from tracejury.checks.explanation import Explanation, all_explanations
from tracejury.report.answered import answered_in_full, answers_of
from tracejury.report.headlines import verdict_sentence
from tracejury.report.json import json_text
from tracejury.report.places import place
from tracejury.report.tally import failing, undecided
from tracejury.report.words import VERDICTS
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.scorecard.words import reason_sentence, task_title
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
    # No automationDetails: the category that somebody uploads it under would not replace them.
    run: Object = {
        "tool": {
            "driver": {
                "name": "tracejury",
                "fullName": f"tracejury {__version__}",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(check, explained.get(check.id)) for check in audit.checks],
            }
        },
        "invocations": [_invocation(audit, index)],
        "results": list(_results(audit, index)),
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
    what = explanation.what if explanation else check.title
    more = (explanation.why, explanation.fix) if explanation else (check.title,)
    return {
        "id": safe_text(check.id),
        "name": _name(check.title),
        "shortDescription": _message(check.title),
        "fullDescription": _message(what),
        "help": _message("\n\n".join(filter(None, more))),
        "defaultConfiguration": {"level": LEVELS[check.severity]},
        "properties": {
            "severity": check.severity.value,
            "tags": [safe_text(tag) for tag in (task_title(check.task), *check.serves)],
        },
    }


def _name(title: str) -> str:
    """A title as one word, such as EveryExternalCallHasATimeout."""
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", title))


def _message(text: str) -> Object:
    """A plain text; braces would be taken for placeholders, brackets for links."""
    lines = "\n".join(map(safe_text, text.split("\n")))
    return {"text": re.sub(r"[\[\]\\]", r"\\\g<0>", re.sub(r"[{}]", r"\g<0>\g<0>", lines))}


def _results(audit: Audit, index: dict[str, int]) -> Iterator[Object]:
    seen = Counter[str]()
    for check in failing(audit):
        for finding in check.findings:
            # Ids of jobs and measured numbers differ from run to run; the unit does not.
            unit = sha256(repr((check.id, finding.subject)).encode()).hexdigest()[:16]
            seen[unit] += 1
            result = _result(check, finding, index[check.id], _file(audit.inputs[0]))
            # The only one that code scanning reads.
            result["partialFingerprints"] = {"primaryLocationLineHash": f"{unit}:{seen[unit]}"}
            yield result


def _file(name: str) -> Object:
    """The first line of a file, as a URI below the root of the repository."""
    path = PurePath(name)
    below = path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
    return {"artifactLocation": {"uri": quote(safe_text(below))}, "region": {"startLine": 1}}


def _result(check: CheckResult, finding: Finding, rule: int, file: Object) -> Object:
    result: Object = {
        "ruleId": safe_text(check.id),
        "ruleIndex": rule,
        "level": LEVELS[check.severity],
        "message": _message(finding.message.replace("\n", " ")),
        "locations": [{"physicalLocation": file, "logicalLocations": [_logical(finding)]}],
    }
    if finding.evidence:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": file, "logicalLocations": [_record(reference)]}
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
