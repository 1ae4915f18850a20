"""The runner decides: a check says what it saw, and the evidence says what may be concluded."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.workflow.drawn import Span, rebuilt

from tracejury.checks.catalogue import CATALOGUE
from tracejury.checks.check import Check, Finding, Judgement, Requirement, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.config import Config, DeclaredWorkflow
from tracejury.scorecard.result import CheckResult
from tracejury.scorecard.runner import run

FINDING = Finding("One of them broke.", "unit")
HELD, BROKEN, IDLE = Unit("held", 3), Unit("broken", 2, (FINDING,)), Unit("idle", 0)

ENTRIES = {entry.id: entry for entry in CATALOGUE}


@pytest.fixture(scope="module")
def evidence() -> Iterator[Evidence]:
    with rebuilt([Span(1)]) as reader:
        yield Evidence(reader, Config(), has_baseline=False)


def saying(name: str, judgement: Judgement, **options: object) -> Check:
    """A check of the catalogue that always says the same."""
    entry = ENTRIES[name]
    check = Check(
        id=name,
        title=entry.title,
        severity=entry.severity,
        task=entry.task,
        serves=entry.serves,
        judge=lambda _: judgement,
        is_gate=name.startswith("ING"),
    )
    return replace(check, **options)  # type: ignore[arg-type] # the fields of a check


GATES = tuple(saying(name, Judgement((HELD,))) for name in ("ING-02", "ING-03", "ING-04"))


def gated(*changed: Check) -> tuple[Check, ...]:
    return tuple({check.id: check for check in (*GATES, *changed)}.values())


def result(evidence: Evidence, *checks: Check, of: str = "OBS-03") -> CheckResult:
    return next(r for r in run(evidence, checks=checks) if r.id == of)


def decided(evidence: Evidence, *checks: Check, of: str = "OBS-03") -> tuple[str, str]:
    found = result(evidence, *checks, of=of)
    return found.outcome, found.reason


def test_the_whole_catalogue_is_judged_in_its_order(evidence: Evidence) -> None:
    assert [r.id for r in run(evidence)] == [entry.id for entry in CATALOGUE]


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ((HELD,), ("pass", "")),
        ((HELD, BROKEN), ("fail", "")),
        ((BROKEN, IDLE), ("fail", "")),
        ((HELD, IDLE), ("not-observed", "units")),
        ((IDLE,), ("not-observed", "no-exposure")),
        ((), ("not-observed", "no-exposure")),
    ],
)
def test_units_decide(
    evidence: Evidence, units: tuple[Unit, ...], expected: tuple[str, str]
) -> None:
    assert decided(evidence, *gated(saying("OBS-03", Judgement(units)))) == expected


def test_what_was_not_tested_is_named(evidence: Evidence) -> None:
    found = result(evidence, *gated(saying("OBS-03", Judgement((HELD, IDLE)))))
    assert (found.units_total, found.units_exposed, found.untested) == (2, 1, ("idle",))
    assert found.exposures == 3


def test_too_few_occasions_decide_nothing(evidence: Evidence) -> None:
    check = saying("OBS-03", Judgement((HELD,)), min_exposures=4)
    assert decided(evidence, *gated(check)) == ("not-observed", "no-exposure")


def test_a_check_may_say_why_it_cannot(evidence: Evidence) -> None:
    check = saying("OBS-03", Judgement((HELD,), reason="uninstrumented"))
    assert decided(evidence, *gated(check)) == ("not-observed", "uninstrumented")
    check = saying("OBS-03", Judgement((BROKEN,), reason="uninstrumented"))
    assert decided(evidence, *gated(check)) == ("fail", "")


def test_what_telemetry_cannot_tell_is_asked(evidence: Evidence) -> None:
    for units, expected in (((IDLE,), "manual"), ((HELD,), "pass"), ((BROKEN, IDLE), "fail")):
        check = saying("OBS-03", Judgement(units, note="Seen.", question="Was it so?"))
        found = result(evidence, *gated(check))
        assert (found.outcome, found.reason) == (expected, "")
        assert found.note == ("Seen. Was it so?" if expected == "manual" else "Seen.")


def test_what_a_check_requires_is_there_or_it_is_not_asked(evidence: Evidence) -> None:
    for requirement in Requirement:
        check = saying("OBS-03", Judgement((BROKEN,)), requires=(requirement,))
        assert decided(evidence, *gated(check)) == ("not-observed", requirement.value)
    declared = replace(
        evidence, has_baseline=True, config=Config(workflows=(DeclaredWorkflow("w"),))
    )
    check = saying("OBS-03", Judgement((HELD,)), requires=tuple(Requirement))
    assert decided(declared, *gated(check)) == ("pass", "")


def test_sampling_that_nobody_declared_never_passes(evidence: Evidence) -> None:
    unknown = saying("ING-03", Judgement((), reason="needs-declaration"))
    passing, failing = (saying("OBS-03", Judgement((unit,))) for unit in (HELD, BROKEN))
    assert decided(evidence, *gated(unknown, passing)) == ("not-observed", "sampled")
    assert decided(evidence, *gated(unknown, failing)) == ("fail", "")


@pytest.mark.parametrize(
    ("gate", "reason"),
    [("ING-02", "dropped"), ("ING-03", "sampled"), ("ING-04", "unsettled")],
)
def test_known_loss_voids_passes_and_claims_of_absence(
    evidence: Evidence, gate: str, reason: str
) -> None:
    lossy = saying(gate, Judgement((BROKEN,)))
    passing = saying("OBS-03", Judgement((HELD,)))
    absent = saying("OBS-03", Judgement((BROKEN,)), judges_absence=True)
    seen = saying("OBS-03", Judgement((BROKEN,)))
    assert decided(evidence, *gated(lossy, passing)) == ("not-observed", reason)
    assert decided(evidence, *gated(lossy, absent)) == ("not-observed", reason)
    assert decided(evidence, *gated(lossy, seen)) == ("fail", "")


def test_an_open_window_voids_passes_and_claims_of_absence(evidence: Evidence) -> None:
    still_open = saying("ING-04", Judgement((HELD,), reason="unsettled"))
    for unit, absence in ((HELD, False), (BROKEN, True)):
        check = saying("OBS-03", Judgement((unit,)), judges_absence=absence)
        assert decided(evidence, *gated(still_open, check)) == ("not-observed", "unsettled")


def test_gates_are_not_gated(evidence: Evidence) -> None:
    lossy = saying("ING-02", Judgement((BROKEN,)))
    assert decided(evidence, *gated(lossy), of="ING-04") == ("pass", "")


def test_a_gate_that_breaks_lets_nothing_pass(evidence: Evidence) -> None:
    def broken(_: Evidence) -> Judgement:
        raise ZeroDivisionError("by nothing")

    passing = saying("OBS-03", Judgement((HELD,)))
    for name in ("ING-02", "ING-03", "ING-04"):
        failing = replace(saying(name, Judgement(())), judge=broken)
        assert decided(evidence, *gated(failing, passing))[0] == "not-observed", name
        seen = saying("OBS-03", Judgement((BROKEN,)))
        assert decided(evidence, *gated(failing, seen)) == ("fail", ""), name


def test_a_check_that_raises_costs_no_other_check(evidence: Evidence) -> None:
    def broken(evidence: Evidence) -> Judgement:
        evidence.rows("SELECT * FROM nowhere")
        return Judgement(())

    first = replace(saying("OBS-03", Judgement(())), judge=broken)
    second = saying("OBS-04", Judgement((HELD,)))
    outcome, reason = decided(evidence, *gated(first, second))
    assert outcome == "error"
    assert reason.startswith("StoreError: ")
    assert decided(evidence, *gated(first, second), of="OBS-04") == ("pass", "")


def test_what_is_declared_absent_does_not_apply(evidence: Evidence) -> None:
    without = replace(evidence, config=Config(absent_components=("queue",)))
    broken = [saying(name, Judgement((BROKEN,))) for name in ("Q-01", "Q-09", "OBS-01")]
    outcomes = {r.id: r.outcome for r in run(without, checks=gated(*broken))}
    assert {outcomes[name] for name in outcomes if name.startswith("Q-")} == {"not-applicable"}
    assert outcomes["OBS-01"] == "fail"


def test_a_severity_is_the_catalogues() -> None:
    assert all(entry.severity in Severity for entry in CATALOGUE)
