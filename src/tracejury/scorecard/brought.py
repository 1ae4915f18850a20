"""What people bring beside the telemetry, its faults and a clean run."""

from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from tracejury.scorecard.result import Answer
from tracejury.workflow.state_rows import no_state_rows
from tracejury.workflow.stopwatch import Measurement


@dataclass(frozen=True, slots=True)
class Brought:
    """`measured`: how long persons took to find roots; `state_rows`: of the system's database.

    `answers` decide what telemetry leaves open.
    """

    measured: tuple[Measurement, ...] = ()
    state_rows: pa.Table = field(default_factory=no_state_rows)
    answers: tuple[Answer, ...] = ()


NOTHING: Final = Brought()
