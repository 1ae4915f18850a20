"""A check explains itself: on the terminal, as JSON and in the docs, from the one docstring."""

import json
from dataclasses import replace

import pytest
from tests.report.conftest import Golden
from tests.report.hostile_audit import HOSTILE

from tracejury.checks.catalogue import Entry
from tracejury.checks.check import Check, Judgement, Requirement, Severity
from tracejury.checks.explanation import Explanation, explain_check, parse_docstring
from tracejury.errors import UsageError
from tracejury.report.explain import render_explanations
from tracejury.report.reference import (
    View,
    checks_reference,
    read_view,
    views_page,
    views_reference,
)
from tracejury.telemetry.safe_text import UNSAFE

DOC = """Every external call ends by itself.

What: Each call that was slow was cut off
by its caller.

Calls that stream are left out.

Why: A hung provider takes its callers with it.

Fix: Set a timeout on the client.

Source: OpenTelemetry HTTP spans, "duration".
"""

CHECK = Check(
    id="TIM-01",
    title="Every external call has a timeout",
    severity=Severity.CRITICAL,
    task=3,
    serves=("TEST-RR-T01", "CRITICAL-1"),
    judge=lambda _evidence: Judgement(()),
    requires=(Requirement.BASELINE,),
)
EXPLANATION = explain_check(CHECK, DOC)
OTHER = Explanation(
    "OBS-17", "Every alert has a runbook", Severity.MEDIUM, (), (), "a", "b", "c", "d", task=10
)


def test_a_docstring_is_read_by_its_paragraphs() -> None:
    assert parse_docstring(DOC) == {
        "what": "Each call that was slow was cut off by its caller.\n\n"
        "Calls that stream are left out.",
        "why": "A hung provider takes its callers with it.",
        "fix": "Set a timeout on the client.",
        "source": 'OpenTelemetry HTTP spans, "duration".',
    }


@pytest.mark.parametrize("doc", [None, "", "One line.\n\nAnother."])
def test_what_a_docstring_lacks_is_empty(doc: str | None) -> None:
    assert parse_docstring(doc) == {"what": "", "why": "", "fix": "", "source": ""}


def test_explanations_for_a_terminal(golden: Golden) -> None:
    golden("explain.txt", render_explanations([EXPLANATION, OTHER], "text"))


def test_explanations_as_json_have_the_keys_of_the_contract() -> None:
    (entry,) = json.loads(render_explanations([EXPLANATION], "json"))["checks"]
    wanted = {"id", "title", "severity", "serves", "requires", "what", "why", "fix", "source"}
    assert wanted <= entry.keys()
    assert entry["severity"] == "critical"
    assert entry["requires"] == ["needs-baseline"]


@pytest.mark.parametrize("name", ["text", "json"])
def test_explanations_are_safe_to_show(name: str) -> None:
    poisoned = replace(EXPLANATION, title=HOSTILE, serves=(HOSTILE,), what=HOSTILE, fix=HOSTILE)
    assert UNSAFE.findall(render_explanations([poisoned], name).replace("\n", "")) == []


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="text, json"):
        render_explanations([EXPLANATION], "csv")


def test_the_page_of_checks(golden: Golden) -> None:
    lacking = Entry("Q-06", "Workers sustain a flood", Severity.MEDIUM, 8, ())
    built = Entry("TIM-01", "Every external call has a timeout", Severity.CRITICAL, 3, ())
    golden("checks.md", checks_reference([EXPLANATION, OTHER], [built, lacking]))


def test_a_check_that_does_not_explain_itself_stops_the_page() -> None:
    silent = explain_check(CHECK, "What: something.")
    with pytest.raises(ValueError, match="TIM-01 has no paragraph Why:"):
        checks_reference([silent], [])


def test_the_header_of_a_view_is_its_documentation(golden: Golden) -> None:
    view = read_view(
        "-- view: call\n-- One row a call,\n-- and no more.\n"
        "--   span_no   BIGINT         row number\n"
        "--   parts     VARCHAR[]      what `a|b` was\n"
        "--                            recorded; a | b\n"
        "--   amount    DECIMAL(18, 3)\n"
        "SELECT 1 -- not: a header\n"
    )
    assert view == View(
        name="call",
        is_table=False,
        prose="One row a call, and no more.",
        columns=(
            ("span_no", "BIGINT", "row number"),
            ("parts", "VARCHAR[]", "what `a|b` was recorded; a | b"),
            ("amount", "DECIMAL(18, 3)", ""),
        ),
    )
    golden("views.md", views_reference([view, View("ghost", True, "Unseen spans.", ())]))


def test_a_file_without_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="not with its view or table"):
        read_view("-- One row a call.\nSELECT 1")


def test_every_view_has_its_columns_on_the_page() -> None:
    page = views_page()
    assert "### span\n" in page
    assert "| trace_id | VARCHAR |" in page
