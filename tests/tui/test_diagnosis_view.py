"""How a fault is drawn on the screen of suspects."""

from dataclasses import replace

import pytest
from tests.report.example_audit import EXAMPLE

from tracejury.tui.diagnosis_view import Lead, lead_line


@pytest.mark.parametrize("stands_out", [True, False])
def test_suspects_that_do_not_stand_out_are_called_so(*, stands_out: bool) -> None:
    fault = replace(EXAMPLE.faults[0], stands_out=stands_out)
    assert fault.suspects
    assert ("nothing stands out" in lead_line(Lead(fault), "").plain) is not stands_out
