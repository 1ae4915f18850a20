"""Every built check says of itself what the catalogue says of it."""

import sys

import pytest

from tracejury.checks.catalogue import CATALOGUE, all_checks, check_modules
from tracejury.checks.check import Check
from tracejury.checks.explanation import PARTS, explain_check

ENTRIES = {entry.id: entry for entry in CATALOGUE}


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.id)
def test_check_matches_its_entry(check: Check) -> None:
    entry = ENTRIES[check.id]
    assert (check.title, check.severity, check.task, check.serves) == (
        entry.title,
        entry.severity,
        entry.task,
        entry.serves,
    )


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.id)
def test_check_explains_every_part_of_itself(check: Check) -> None:
    explanation = explain_check(check, sys.modules[check_modules()[check.id]].__doc__)
    assert [part for part in PARTS if not getattr(explanation, part)] == []
    assert check.remedy
