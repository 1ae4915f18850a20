"""The inventory of a run, and the declaration that it becomes."""

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import recorded
from tests.workflow.drawn import Record, Span, rebuilt

from tracejury.checks.catalogue import all_checks
from tracejury.checks.evidence import Evidence
from tracejury.config import Config, DeclaredWorkflow, load_config
from tracejury.report.declaration import render_declaration
from tracejury.report.inventory import render_inventory
from tracejury.report.toml import toml_list, toml_number, toml_text
from tracejury.scorecard.inventory import Inventory, inventory
from tracejury.scorecard.runner import run
from tracejury.store.reader import Reader

# The checks that read declarations.
DECLARED = ("INV-01", "INV-04", "OBS-01", "OBS-05", "OBS-08", "ST-05", "ING-02", "ING-03", "ING-04")


@cache
def clean() -> Reader:
    return recorded.rebuilt(recorded.recording("clean"), recorded.config("clean"))


@cache
def learnt() -> Inventory:
    return inventory(Evidence(clean(), recorded.config("clean"), has_baseline=False))


def test_a_workflow_is_told_with_its_steps_time_dependencies_and_items() -> None:
    exports, jobs = learnt().workflows
    assert (jobs.name, jobs.trigger, jobs.instances, jobs.ok) == ("POST /jobs", "user", 12, 12)
    assert exports.items == ""
    assert jobs.items == "item.id"
    steps = {step.full_name: step for step in jobs.steps}
    assert steps["worker: process item"].is_per_item
    assert steps["web: INSERT"].step_class == "database"
    assert steps["web: LPUSH"].is_required
    assert not steps["web: PING"].is_required  # of the first request alone
    assert len(jobs.dependencies) == 3
    assert jobs.riskiest is not None
    assert (jobs.riskiest.rank, jobs.riskiest.risk) == ("MEDIUM", 6)
    against = {item.text: item.against for item in learnt().checklist}
    assert against["Every way to begin a workflow was looked for"] == "cron, webhook, admin, queue"
    assert against["Every workflow is declared"] == "POST /exports, POST /jobs"
    assert against["Every workflow went well at least once"] == ""


def test_a_declaration_of_a_clean_run_is_accepted_and_audits_it_without_a_failure(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tracejury.toml"
    path.write_text(render_declaration(learnt()))
    declared = load_config(path, start=tmp_path).workflows
    assert [workflow.name for workflow in declared] == ["POST /exports", "POST /jobs"]
    config = replace(recorded.config("clean"), workflows=declared)
    reader = recorded.rebuilt(recorded.recording("clean"), config)
    checks = tuple(check for check in all_checks() if check.id in DECLARED)
    outcomes = {
        result.id: result.outcome
        for result in run(Evidence(reader, config, has_baseline=False), checks=checks)
    }
    assert "fail" not in outcomes.values(), outcomes
    # What it says decides what was not decided without it.
    assert {outcomes[name] for name in ("INV-01", "INV-04", "OBS-05")} == {"pass"}
    again = inventory(Evidence(reader, config, has_baseline=False))
    assert render_declaration(again) == path.read_text()


HOSTILE = 'job "x"]\n[policy]\ncall_seconds = 0 \x1b[2J\x7f \u202e😀 \\'


def hostile() -> list[Record]:
    return [
        Span(1, HOSTILE, 0, 2000, service="s: \x1b", kind="SERVER"),
        Span(2, HOSTILE, 10, 1500, parent=1, service="a\nb"),
    ]


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    with rebuilt(hostile()) as reader:
        found = inventory(Evidence(reader, Config(), has_baseline=False))
    text = render_declaration(found)
    assert "\x1b" not in text + render_inventory(found)
    path = tmp_path / "tracejury.toml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path, start=tmp_path)
    assert config.policy.call_seconds == 30
    [workflow] = config.workflows
    assert workflow.name == HOSTILE
    # A service with a colon in its name cannot be told from its step.
    assert workflow.steps == (f"a\nb: {HOSTILE}",)


def test_what_is_declared_beats_what_was_learnt() -> None:
    declared = DeclaredWorkflow(
        "POST /orders",
        steps=("pack", "weigh"),
        trigger="webhook",
        expected_seconds=9,
        dependencies=("bank",),
        step_class=(("pack", "compute"),),
        step_seconds=(("shop: pack", 1.5),),
    )
    never = DeclaredWorkflow("nightly", trigger="cron")
    drawn = [
        Span(1, "POST /orders", 0, 90, kind="SERVER"),
        Span(2, "pack", 10, 80, parent=1),
        Span(3, "GET", 20, 70, parent=2, kind="CLIENT", attributes={"server.address": "mail"}),
    ]
    config = Config(workflows=(declared, never))
    with rebuilt(drawn, config=config) as reader:
        found = inventory(Evidence(reader, config, has_baseline=False))
    orders, nightly = found.workflows
    assert (orders.trigger, orders.expected_s, orders.unseen) == ("webhook", 9, ("weigh",))
    assert (orders.dependencies, orders.undeclared) == (("mail",), ("mail",))
    [pack] = [step for step in orders.steps if step.name == "pack"]
    assert (pack.step_class, pack.declared_class, pack.declared_s) == ("internal", "compute", 1.5)
    assert (nightly.instances, nightly.trigger) == (0, "cron")
    assert "internal, declared compute" in render_inventory(found)
    # Whom it calls on its own machine has another port tomorrow.
    assert "127.0.0.1" not in render_declaration(learnt())
    assert 'dependencies = [\n    "mail",\n]' in render_declaration(found)


@given(st.text(), st.lists(st.text(max_size=5), max_size=3))
def test_any_text_comes_back_from_toml(text: str, texts: list[str]) -> None:
    document = tomllib.loads(f"a = {toml_text(text)}\nb = {toml_list(texts)}\n")
    assert document == {"a": text, "b": texts}


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.0123, "0.013"), (0.3, "0.3"), (1.01, "1.1"), (299.5, "300"), (12_345, "13000")],
)
def test_a_bound_is_short_and_never_below(value: float, written: str) -> None:
    assert toml_number(value) == written
    assert float(written) >= value
