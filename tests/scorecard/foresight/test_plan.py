"""The plan: as few faults as will do, the riskiest first, and each of them one can inject."""

import ast
import json
from itertools import combinations
from pathlib import Path

from jsonschema import Draft202012Validator
from tests.report.test_schemas import closed
from tests.scorecard.foresight.looked import clean

from tracejury.config import Policy
from tracejury.report.plan import render_plan
from tracejury.scorecard import rollup
from tracejury.scorecard.foresight.injections import BY_HAND, EXAMPLE
from tracejury.scorecard.foresight.needs import Need
from tracejury.scorecard.foresight.plan import Gap, Plan, plan_of
from tracejury.scorecard.foresight.preflight import Outlook, Preflight
from tracejury.scorecard.foresight.prospects import PROSPECTS
from tracejury.scorecard.result import CheckResult

ROOT = Path(__file__).parents[3]
INJECTORS = ROOT / "examples/media-pipeline/stand"


def planned(outlook: Preflight) -> Plan:
    criteria = rollup.criteria(tuple(check.result for check in outlook.checks))
    return plan_of(outlook, criteria, Policy(call_seconds=5, job_seconds=30))


def test_the_sample_needs_one_fault_for_each_thing_that_only_it_tests() -> None:
    plan = planned(clean())
    assert plan.is_smallest
    assert [(fault.kind, fault.target) for fault in plan.injections] == [
        ("hang", "provider"),
        ("bad_item", "POST /jobs"),
        ("hang", "127.0.0.1:18703"),
        ("hang", "asset-store"),
        ("hang", "postgresql"),
        ("hang", "redis"),
        ("restart", "redis"),
        ("endless_source", "POST /exports: worker GET"),
        ("endless_source", "POST /jobs: worker process item"),
        ("kill", "worker"),
        ("flood", "media"),
    ]
    tiers = [fault.tier for fault in plan.injections]
    assert tiers == ["critical"] * 7 + ["high"] * 3 + ["medium"]
    first = plan.injections[0]
    assert {"CRITICAL-1", "CRITICAL-2", "CRITICAL-4", "HIGH-2"} <= set(first.criteria)
    assert "longer than 5 s (call_seconds)" in first.magnitude
    assert "longer than 30 s (job_seconds)" in first.magnitude
    assert first.command.endswith("--fault provider-hang --output provider-hang")


def test_no_fewer_faults_test_as_much() -> None:
    """By brute force, over the checks of few units that the sample leaves open."""
    few = tuple(
        check
        for check in clean().checks
        if check.result.id in ("TIM-06", "PAR-01", "PAR-04", "RET-06", "ST-01", "RSM-01")
    )
    rest = tuple(check for check in clean().checks if check not in few and not check.faults)
    plan = planned(Preflight((*few, *rest), ()))
    tests = faults_and_gaps(few)
    whole = frozenset[Gap]().union(*tests.values())
    fewest = next(
        size
        for size in range(len(tests) + 1)
        if any(
            frozenset[Gap]().union(*chosen) == whole
            for chosen in combinations(tests.values(), size)
        )
    )
    assert len(plan.injections) == fewest > 2
    chosen = [tests[fault.kind, fault.target] for fault in plan.injections]
    assert frozenset[Gap]().union(*chosen) == whole


def faults_and_gaps(outlooks: tuple[Outlook, ...]) -> dict[tuple[str, str], frozenset[Gap]]:
    """What each fault tests, told from the outlooks anew: units by name, else the check."""
    found: dict[tuple[str, str], set[Gap]] = {}
    for outlook in outlooks:
        name, units = outlook.result.id, set(outlook.result.untested)
        hits = [(stress.kind, target) for stress, some in outlook.faults for target in some]
        is_by_unit = any(units & target.units for _, target in hits)
        for kind, target in hits:
            gaps = {(name, unit) for unit in units & target.units} if is_by_unit else {(name, "")}
            found.setdefault((kind, target.name), set()).update(gaps)
    return {fault: frozenset(gaps) for fault, gaps in found.items()}


def test_what_lacks_something_says_so_and_what_no_fault_decides_remains() -> None:
    plan = planned(clean())
    [flood] = [fault for fault in plan.injections if fault.kind == "flood"]
    assert flood.needs == (("priority", ("Q-07",)),)
    left = {entry.criterion.id: entry.lines for entry in plan.remainders}
    assert left.keys() == {"HIGH-7", "MEDIUM-2", "MEDIUM-3", "MEDIUM-4"}
    assert left["HIGH-7"][0].startswith("OBS-12: Point a webhook of Alertmanager at")


def test_where_all_is_decided_nothing_is_planned() -> None:
    plan = planned(Preflight(tuple(passed(check) for check in clean().checks), ()))
    assert (plan.injections, plan.remainders, plan.open_criteria) == ((), (), 0)
    assert "nothing need be injected" in render_plan(plan, "text")


def passed(check: Outlook) -> Outlook:
    old = check.result
    result = CheckResult(
        **{name: getattr(old, name) for name in old.__slots__} | {"outcome": "pass"}
    )
    return Outlook(result, "decided", "It decides already: pass.")


def test_the_example_has_every_fault_that_it_is_said_to_have() -> None:
    assert set(EXAMPLE.values()) <= injected("faults.py", "FAULTS") | injected(
        "trials.py", "TRIALS"
    )


def injected(file: str, table: str) -> set[object]:
    """The keys of the table of that name, which `--fault` takes."""
    [found] = [
        node.value
        for node in ast.parse((INJECTORS / file).read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == table
    ]
    assert isinstance(found, ast.Dict)
    return {key.value for key in found.keys if isinstance(key, ast.Constant)}


def test_every_kind_of_fault_can_be_injected_by_hand() -> None:
    kinds = {stress.kind for prospect in PROSPECTS.values() for stress in prospect.faults}
    assert kinds == BY_HAND.keys()


def test_json_lists_the_faults_as_a_program_wants_them() -> None:
    document = json.loads(render_plan(planned(clean()), "json"))
    assert document["schema"] == "tracejury.plan/1"
    assert document["faults"][0]["target"] == "provider"
    assert document["faults"][-1]["needs"] == {"priority": ["Q-07"]}


def test_every_key_of_its_json_is_described() -> None:
    schema = json.loads((ROOT / "docs/plan.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    document = json.loads(render_plan(planned(clean()), "json"))
    Draft202012Validator(closed(schema)).validate(document)
    names = schema["$defs"]["fault"]["properties"]["needs"]["propertyNames"]
    assert names["enum"] == list(Need)
