"""An audit ends with the commands that would change its verdict."""

from dataclasses import replace

import pytest
from tests.report.example_audit import EMPTY, EXAMPLE, check

from tracejury.checks.check import Severity
from tracejury.report.next_steps import next_steps
from tracejury.scorecard.result import Audit


def commands(audit: Audit) -> list[str]:
    return [step.command for step in next_steps(audit)]


def test_without_telemetry_the_next_step_is_to_receive_some() -> None:
    assert commands(EMPTY) == ["tracejury serve --store run.duckdb", "tracejury demo"]


def test_the_most_severe_failure_is_explained_first() -> None:
    assert commands(EXAMPLE)[0] == "tracejury explain TIM-01"
    assert "tracejury audit --store run.duckdb --faults faults.json" not in commands(EXAMPLE)
    assert "tracejury audit --store run.duckdb --faults faults.json" in commands(
        replace(EXAMPLE, faults=())
    )


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("needs-baseline", "tracejury audit ... --baseline clean.duckdb"),
        ("sampled", "tracejury audit ... --sampling none"),
        ("needs-declaration", "tracejury inventory ... --emit"),
    ],
)
def test_what_was_not_observed_names_what_would_show_it(reason: str, command: str) -> None:
    open_check = check("INV-04", "It holds", Severity.HIGH, 1, "not-observed", reason=reason)
    assert command in commands(replace(EMPTY, verdict="PARTIAL", checks=(open_check,)))
    assert command not in commands(replace(EMPTY, verdict="PARTIAL"))


def test_what_is_open_can_be_planned() -> None:
    assert any(command.startswith("tracejury plan ") for command in commands(EXAMPLE))
    decided = tuple(replace(criterion, outcome="pass") for criterion in EXAMPLE.criteria)
    done = commands(replace(EXAMPLE, criteria=decided))
    assert not any(command.startswith("tracejury plan") for command in done)


def test_what_no_declaration_decides_asks_for_none() -> None:
    rated = check(
        "INV-03", "It holds", Severity.INFO, 2, "not-observed", reason="needs-declaration"
    )
    assert "tracejury inventory ... --emit" not in commands(
        replace(EMPTY, verdict="PARTIAL", checks=(rated,))
    )


def test_a_store_is_named_so_that_a_shell_takes_it_as_one_word() -> None:
    audit = replace(EXAMPLE, inputs=("a run; rm -rf x\x1b.duckdb",))
    assert "tracejury tui --store 'a run; rm -rf x\\x1b.duckdb'" in commands(audit)


def test_files_are_named_as_they_were_given() -> None:
    audit = replace(EXAMPLE, inputs=("my traces.jsonl", "logs.jsonl.gz"))
    assert "tracejury tui 'my traces.jsonl' logs.jsonl.gz" in commands(audit)
    audit = replace(EXAMPLE, inputs=tuple(f"{number}.jsonl" for number in range(9)))
    assert "tracejury tui ..." in commands(audit)


def test_by_what_was_judged_is_named_again() -> None:
    audit = replace(EXAMPLE, inputs=("run.duckdb",), judged_by=("--config", "my chaos\x1b.toml"))
    named = "--config 'my chaos\\x1b.toml' --store run.duckdb"
    assert f"tracejury tui {named}" in commands(audit)
    assert f"tracejury plan {named}" in commands(audit)
    audit = replace(EXAMPLE, inputs=("a.jsonl",), judged_by=("--sampling", "none"))
    assert "tracejury tui --sampling none a.jsonl" in commands(audit)


def test_an_audit_of_several_stores_is_made_again_of_all_of_them() -> None:
    audit = replace(EXAMPLE, inputs=("a run.duckdb", "b.duckdb"), judged_by=("--faults", "f.json"))
    assert (
        "tracejury audit --faults f.json --store 'a run.duckdb' --store b.duckdb"
        " --format html --output audit.html"
    ) in commands(audit)
