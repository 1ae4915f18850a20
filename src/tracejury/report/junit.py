"""Write an audit as JUnit XML, as CI servers show tests: one suite a task, one test case a check.

What nothing decided is skipped with its reason, never passed. The tree is built by the standard
library, so that no text can end an element; characters that XML lacks stand as escapes.
"""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tracejury.report.answered import answered_in_full, answers_of
from tracejury.report.headlines import verdict_sentence
from tracejury.report.places import places
from tracejury.report.tally import UNDECIDED, tasks, undecided_reason
from tracejury.report.words import VERDICTS
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.scorecard.words import reason_sentence
from tracejury.telemetry.safe_text import safe_text

FINDINGS_SHOWN = 50
REFERENCES_SHOWN = 5


def render_junit(audit: Audit) -> str:
    """Write every check as a test case; an audit that judged nothing is an error."""
    root = Element("testsuites", name="tracejury")
    if audit.verdict == "CANNOT_JUDGE":
        suite = _suite(root, "The verdict", audit)
        case = SubElement(suite, "testcase", classname="tracejury", name="The run can be judged")
        SubElement(case, "error", type="CANNOT_JUDGE", message=verdict_sentence(audit))
    for tally in tasks(audit):
        if not tally.checks:
            continue
        suite = _suite(root, f"{tally.task}. {tally.title}" if tally.task else tally.title, audit)
        for check in tally.checks:
            _case(suite, check)
    for suite in root:
        _count(suite)
    _count(root)
    indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{tostring(root, encoding='unicode')}\n"


def _suite(root: Element, name: str, audit: Audit) -> Element:
    timestamp = safe_text(audit.judged_at)
    suite = SubElement(root, "testsuite", name=name, timestamp=timestamp, time="0")
    said = {
        "verdict": VERDICTS[audit.verdict].text,
        "inputs": ", ".join(audit.inputs),
        **{f"answer to {answer.id}": answered_in_full(answer) for answer in answers_of(audit)},
    }
    properties = SubElement(suite, "properties")
    for property_name, value in said.items():
        SubElement(properties, "property", name=safe_text(property_name), value=safe_text(value))
    return suite


def _case(suite: Element, check: CheckResult) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=safe_text(f"tracejury.{check.id.partition('-')[0]}"),
        name=safe_text(f"{check.id} {check.title}"),
        time="0",
    )
    if check.outcome == "fail":
        first = check.findings[0].message if check.findings else check.title
        more = f" (and {len(check.findings) - 1:,} more)" if len(check.findings) > 1 else ""
        failure = SubElement(
            case, "failure", type=check.severity.value, message=safe_text(f"{first}{more}")
        )
        failure.text = "\n".join(map(safe_text, _lines(check)))
    elif check.outcome == "error":
        SubElement(case, "error", type="error", message=safe_text(_why_open(check)))
    elif check.outcome in UNDECIDED or check.outcome == "not-applicable":
        SubElement(case, "skipped", message=safe_text(_why_open(check)))


def _why_open(check: CheckResult) -> str:
    if check.outcome == "not-applicable":
        return ": ".join(filter(None, ("not applicable", check.note)))
    reason = undecided_reason(check)
    untested = f"untested: {', '.join(check.untested)}" if check.untested else ""
    said = (check.outcome, reason if reason != check.outcome else "", reason_sentence(reason))
    return "; ".join(filter(None, (": ".join(filter(None, said)), untested, check.note)))


def _lines(check: CheckResult) -> list[str]:
    lines = []
    for finding in check.findings[:FINDINGS_SHOWN]:
        where = places(finding, REFERENCES_SHOWN)
        lines.append(f"{finding.message} [{'; '.join(where)}]" if where else finding.message)
    if len(check.findings) > FINDINGS_SHOWN:
        lines.append(f"and {len(check.findings) - FINDINGS_SHOWN:,} more")
    if check.remedy:
        lines.append(f"Fix: {check.remedy}")
    return lines


def _count(element: Element) -> None:
    element.set("tests", str(len(list(element.iter("testcase")))))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(len(list(element.iter(tag)))))
