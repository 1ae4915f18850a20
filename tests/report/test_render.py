"""Reports as their readers get them, byte for byte."""

import json
import re
import shlex
from dataclasses import replace

import pytest
from rich.cells import cell_len
from tests.report.conftest import Golden
from tests.report.example_audit import EMPTY, EXAMPLE
from tests.report.hostile_audit import hostile

from tracejury.errors import UsageError
from tracejury.report.json import json_text
from tracejury.report.next_steps import next_steps
from tracejury.report.render import FORMATS, render
from tracejury.report.terminal import Terminal
from tracejury.report.text import render_scorecard
from tracejury.scorecard.result import Audit

SUFFIX = {
    "text": "txt",
    "json": "json",
    "markdown": "md",
    "html": "html",
    "csv": "csv",
    "junit": "junit.xml",
    "sarif": "sarif.json",
}
WITHOUT_HELP = ("fullDescription", "help")  # which each check's own file says
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("title", "audit"), [("example", EXAMPLE), ("empty", EMPTY)])
def test_a_report_is_its_golden_file(name: str, title: str, audit: Audit, golden: Golden) -> None:
    report = render(audit, name)
    if name == "sarif":
        document = json.loads(report)
        rules = document["runs"][0]["tool"]["driver"]["rules"]
        assert all(rule.pop(key)["text"] for rule in rules for key in WITHOUT_HELP)
        report = json_text(document)
    golden(f"{title}.{SUFFIX[name]}", report)


def test_a_wide_terminal_is_used(golden: Golden) -> None:
    golden("example-wide.txt", render(EXAMPLE, "text", terminal=Terminal(width=120)))


@pytest.mark.parametrize("name", FORMATS)
def test_no_telemetry_is_never_a_pass(name: str) -> None:
    report = re.sub("<style>.*</style>", "", render(EMPTY, name), flags=re.DOTALL)
    assert "CANNOT JUDGE" in report.replace("_", " ")
    assert "PASS" not in report
    assert "100" not in report


def test_colour_adds_nothing_but_colour() -> None:
    coloured = render(EXAMPLE, "text", terminal=Terminal(has_colour=True))
    assert "\x1b[" in coloured
    lines = [line.rstrip() for line in COLOUR.sub("", coloured).splitlines()]
    assert lines == render(EXAMPLE, "text").splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("audit", [EXAMPLE, EMPTY, hostile(), hostile("構成" * 50)])
def test_no_line_is_wider_than_the_terminal(audit: Audit, width: int) -> None:
    lines = render(audit, "text", terminal=Terminal(width=width)).splitlines()
    assert [line for line in lines if cell_len(line) > width] == []


def test_every_bound_is_printed_however_many_there_are() -> None:
    bounds = {f"bound_{number:02}_seconds": float(number) for number in range(60)}
    report = " ".join(render(replace(EXAMPLE, bounds=bounds), "text").split())
    assert ", ".join(f"{name} {bound:g}" for name, bound in bounds.items()) in report


@pytest.mark.parametrize("width", [60, 120])
def test_the_next_steps_may_be_pasted_into_a_shell(width: int) -> None:
    audit = replace(EXAMPLE, inputs=("runs of may/traces.jsonl", "runs of may/logs.jsonl"))
    report = render(audit, "text", terminal=Terminal(width=width))
    pasted = report.partition("NEXT\n")[2].rpartition("\n\n")[0].replace("\\\n", "")
    commands = [shlex.split(line, comments=True) for line in pasted.splitlines()]
    expected = [shlex.split(step.command) for step in next_steps(audit)]
    assert [words for words in commands if words] == expected


def test_the_scorecard_begins_the_report_and_fits_two_screens() -> None:
    scorecard = render_scorecard(EXAMPLE)
    assert render(EXAMPLE, "text").startswith(scorecard)
    assert len(scorecard.splitlines()) <= 100


def test_what_was_not_computed_is_absent_from_json() -> None:
    document = json.loads(render(EMPTY, "json"))
    assert not {"score", "coverage", "interval", "completeness", "diagnosis"} & document.keys()
    fault = json.loads(render(EXAMPLE, "json"))["faults"][1]
    assert fault["success"] == {"before": 0.9996}
    assert "rank_of_target" not in fault


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match="Choose one of text, json, markdown, html, csv, junit, sarif"
    ):
        render(EXAMPLE, "pdf")
