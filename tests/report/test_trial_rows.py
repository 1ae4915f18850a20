"""What the first tables of a report say of tests and faults."""

from dataclasses import replace

import pytest
from tests.report.example_audit import EXAMPLE

from tracejury.report.trial_rows import harm_row
from tracejury.scorecard.result import Hurt

HANG = EXAMPLE.faults[0]


@pytest.mark.parametrize(
    ("lasted", "recovered", "said"),
    [
        (None, None, ""),
        (20.0, None, "failing for 20 s; not seen to recover"),
        (20.0, 0.0, "failing for 20 s; over before the fault was"),
        (20.0, 3.0, "failing for 20 s; until 3 s after the fault"),
    ],
)
def test_how_long_it_hurt_is_said_and_recovery_only_where_it_was_seen(
    lasted: float | None, recovered: float | None, said: str
) -> None:
    fault = replace(HANG, hurt_for_s=lasted, recovered_after_s=recovered)
    assert harm_row(fault).how_long == said


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        ((), "unknown: nothing ran"),
        ((Hurt("a", 3, 0, 0, 10.0, 14.9),), "nobody seen: 3 instances ran"),
        ((Hurt("a", 3, 0, 0, 10.0, 15.1),), "a: p95 10 ms → 15.1 ms (of 3 meanwhile)"),
        ((Hurt("a", 3, 1, 1, None, 9.0),), "a: 1 failed, 1 of unknown end (of 3 meanwhile)"),
    ],
)
def test_who_was_hurt_is_who_failed_or_took_half_as_long_again(
    hurt: tuple[Hurt, ...], said: str
) -> None:
    assert harm_row(replace(HANG, hurt=hurt)).who == said


def test_a_fault_that_hurt_everybody_names_the_first_of_them() -> None:
    everybody = tuple(Hurt(f"w{number}", 1, 1, 0, None, None) for number in range(1000))
    assert harm_row(replace(HANG, hurt=everybody)).who.endswith("; and 995 more")
