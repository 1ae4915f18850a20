"""The catalogue and the checks say what the rules' own page says they serve."""

import re
from dataclasses import replace

import pytest
from tests.shared_data import shared_data

from tracejury.checks.catalogue import CATALOGUE, all_checks
from tracejury.checks.check import Severity

TIERS = {"CRIT": "CRITICAL", "HIGH": "HIGH", "MED": "MEDIUM"}
ROW = re.compile(r"^\| ((?:ING|INV|TIM|PAR|LOOP|RET|RSM|Q|ST|OBS)-\d+) \| .*$", re.M)
TEST = r"(?:T0|P0|R0|RE0|SL0|Q0|S0|O0)\d"


def rules() -> dict[str, list[str]]:
    """The cells of every rule in the tables of section 4."""
    page = shared_data("checks.md").read_text(encoding="utf-8")
    rows = ROW.finditer(page)
    return {row[1]: [cell.strip() for cell in row[0].strip("|").split("|")] for row in rows}


def served(seed: str) -> set[str]:
    """What a cell of the Seed column names: `#16, O02b, CRIT7` and the like."""
    items = {f"pattern-{number}" for number in re.findall(r"#(\d+)", seed)}
    items |= {f"TEST-RR-{test}" for test in re.findall(rf"\b({TEST})[a-z]?\b", seed)}
    items |= {
        f"{TIERS[tier]}-{number}" for tier, number in re.findall(r"\b(CRIT|HIGH|MED)(\d)\b", seed)
    }
    return items


def test_the_catalogue_has_every_rule_and_no_other() -> None:
    assert {entry.id for entry in CATALOGUE} == set(rules())
    assert len(CATALOGUE) == len(rules())


def test_every_rule_serves_what_the_seed_column_says() -> None:
    wrong = {
        entry.id: (set(entry.serves), served(rules()[entry.id][2]))
        for entry in CATALOGUE
        if set(entry.serves) != served(rules()[entry.id][2])
    }
    assert wrong == {}


def test_every_rule_has_the_severity_of_the_page() -> None:
    wrong = {}
    for entry in CATALOGUE:
        stated = rules()[entry.id][3].lower()
        expected = stated if stated in ("critical", "high", "medium") else "info"
        if entry.severity != Severity(expected):
            wrong[entry.id] = (entry.severity.value, stated)
    assert wrong == {}


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.id)
def test_a_built_check_is_its_entry(check: object) -> None:
    entry = next(entry for entry in CATALOGUE if entry.id == getattr(check, "id", ""))
    named = replace(
        entry,
        **{name: getattr(check, name) for name in ("title", "severity", "task", "serves")},
    )
    assert named == entry
