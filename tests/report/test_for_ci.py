"""What CI servers read: JUnit XML and SARIF, in which nothing undecided looks as if it passed."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from jsonschema import Draft7Validator
from tests.report.example_audit import EMPTY, EXAMPLE
from tests.report.hostile_audit import hostile

from tracejury.report.render import render
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.telemetry.safe_text import safe_text

TAGS = {
    "pass": "properties", "fail": "failure", "error": "error", "not-observed": "skipped",
    "not-applicable": "skipped", "manual": "skipped",
}  # fmt: skip


def part(required: str = "", **properties: Any) -> dict[str, Any]:
    """A closed object of SARIF's schema."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": {**properties, "properties": {"type": "object"}},
        "additionalProperties": False,
    }


def many(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


# What sarif-schema-2.1.0.json and GitHub's code scanning ("SARIF support for code scanning") ask of
# the parts that are written here, and no key beside them.
TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
NAME = {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"}
SEMANTIC = {"type": "string", "pattern": r"^\d+\.\d+\.\d+([-+].+)?$"}
RELATIVE = r"^(?!/)(?!.*\.\.)[A-Za-z0-9_.~/%-]+$"  # a URI below the root, without a scheme
LEVEL = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = part("text", text={"type": "string", "minLength": 1}, markdown=TEXT)
LOGICAL = part(name=TEXT, fullyQualifiedName=TEXT, kind=TEXT)
PHYSICAL = part(
    "artifactLocation region",
    artifactLocation=part("uri", uri={"type": "string", "pattern": RELATIVE}),
    region=part("startLine", startLine={"type": "integer", "minimum": 1}),
)
LOCATION = part(
    "physicalLocation", id=NUMBER, physicalLocation=PHYSICAL, logicalLocations=many(LOGICAL, 1)
)
RULE = part(
    "id name shortDescription fullDescription help", id=TEXT, name=NAME,
    shortDescription=MESSAGE, fullDescription=MESSAGE, help=MESSAGE,
    defaultConfiguration=part(level=LEVEL),
)  # fmt: skip
RESULT = part(
    "message locations partialFingerprints", ruleId=TEXT, ruleIndex=NUMBER, level=LEVEL,
    message=MESSAGE, locations=many(LOCATION, 1), relatedLocations=many(LOCATION),
    partialFingerprints=part("primaryLocationLineHash", primaryLocationLineHash=TEXT),
)  # fmt: skip
NOTE = part("message", level=LEVEL, message=MESSAGE, associatedRule=part(id=TEXT, index=NUMBER))
INVOCATION = part(
    "executionSuccessful",
    executionSuccessful={"type": "boolean"},
    toolExecutionNotifications=many(NOTE),
)
DRIVER = part(
    "name fullName rules", name=TEXT, fullName=TEXT, version=TEXT, semanticVersion=SEMANTIC,
    rules=many(RULE),
)  # fmt: skip
RUN = part(
    "tool results",
    tool=part("driver", driver=DRIVER),
    invocations=many(INVOCATION),
    results=many(RESULT),
)
SARIF = part(
    "version runs",
    **{"$schema": TEXT, "version": {"enum": ["2.1.0"]}, "runs": many(RUN, 1)},
)


@pytest.mark.parametrize("audit", [EXAMPLE, hostile()])
def test_junit_has_one_case_a_check_and_skips_what_nothing_decided(audit: Audit) -> None:
    root = fromstring(render(audit, "junit"))
    cases = list(root.iter("testcase"))
    assert Counter(case.attrib["name"] for case in cases) == Counter(
        safe_text(f"{check.id} {check.title}") for check in audit.checks
    )
    expected = Counter(TAGS[check.outcome] for check in audit.checks if check.outcome != "pass")
    assert Counter(child.tag for case in cases for child in case) == expected
    counted = {name: int(root.attrib[name]) for name in ("failures", "errors", "skipped")}
    assert counted == {
        "failures": expected["failure"], "errors": expected["error"],
        "skipped": expected["skipped"],
    }  # fmt: skip
    assert all(skipped.attrib["message"] for skipped in root.iter("skipped"))


def test_a_run_without_telemetry_is_an_error_to_ci() -> None:
    root = fromstring(render(EMPTY, "junit"))
    assert root.attrib["errors"] == "1"
    [invocation] = json.loads(render(EMPTY, "sarif"))["runs"][0]["invocations"]
    assert not invocation["executionSuccessful"]


@pytest.mark.parametrize("audit", [EXAMPLE, EMPTY, hostile()])
def test_sarif_has_the_published_shape(audit: Audit) -> None:
    Draft7Validator(SARIF).validate(json.loads(render(audit, "sarif")))


def test_sarif_has_a_result_a_finding_at_its_rule_and_its_records() -> None:
    [run] = json.loads(render(EXAMPLE, "sarif"))["runs"]
    rules = run["tool"]["driver"]["rules"]
    failed = [check for check in EXAMPLE.checks if check.outcome == "fail"]
    assert len(run["results"]) == sum(len(check.findings) for check in failed)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    [first, *_] = run["results"]
    assert first["level"] == "error"
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == (
        "job-1 / images.example/v1/generate"
    )
    assert len(first["relatedLocations"]) == len(failed[0].findings[0].evidence)


def fingerprints(audit: Audit) -> list[str]:
    [run] = json.loads(render(audit, "sarif"))["runs"]
    return [found["partialFingerprints"]["primaryLocationLineHash"] for found in run["results"]]


def test_a_finding_is_known_again_in_the_next_run_whatever_job_shows_it() -> None:
    """Two findings of one fingerprint would be one alert to code scanning."""
    known = fingerprints(EXAMPLE)
    assert len(set(known)) == len(known)
    assert (
        fingerprints(replace(EXAMPLE, checks=tuple(map(by_another_job, EXAMPLE.checks)))) == known
    )


def by_another_job(check: CheckResult) -> CheckResult:
    findings = (replace(one, instance="job-99", message="other numbers") for one in check.findings)
    return replace(check, findings=tuple(findings))


@pytest.mark.parametrize(
    ("named", "uri"),
    [
        ("runs/my run.duckdb", "runs/my%20run.duckdb"),
        ("/tmp/ci-8712/run.duckdb", "run.duckdb"),
        ("../run.duckdb", "run.duckdb"),
    ],
)
def test_a_finding_is_in_the_file_that_was_judged(named: str, uri: str) -> None:
    [run] = json.loads(render(replace(EXAMPLE, inputs=(named,)), "sarif"))["runs"]
    [location] = run["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_text_is_no_link_and_no_placeholder_of_sarif() -> None:
    [run] = json.loads(render(hostile(), "sarif"))["runs"]
    message = run["results"][0]["message"]["text"]
    assert "{{{{ 7*7 }}}}" in message
    assert r"\[a\](javascript" in message
