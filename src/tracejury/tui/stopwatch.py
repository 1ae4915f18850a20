"""Time a person who searches for the root of a failure, from the alert to the span it is marked on.

One search at a time; what is discarded, or runs when the app ends, is not kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tracejury.scorecard.result import FaultResult
from tracejury.workflow.browse.opened_trace import GhostSpan, TraceSpan
from tracejury.workflow.stopwatch import Measurement, is_root, keep

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Tell the time; a computer that slept meanwhile has gone on searching."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, and since when; '' where no fault, or no target of it, is known."""

    fault: str
    target: str
    started: datetime


class Stopwatch:
    """Owns the search that is under way. `file` is where measurements go; None: nowhere."""

    def __init__(self, file: Path | None, clock: Clock = utc_now) -> None:
        self._file = file
        self._clock = clock
        self.search: Search | None = None

    def start(self, fault: FaultResult | None) -> None:
        """Begin to search for the root of `fault`, or of a failure that belongs to none."""
        told = (fault.id, fault.target) if fault else ("", "")
        self.search = Search(*told, self._clock())

    def discard(self) -> None:
        """Stop, and keep nothing."""
        self.search = None

    @property
    def face(self) -> str:
        """Minutes and seconds of the search; '' while there is none."""
        seconds = int(self._seconds(self.search)) if self.search else None
        return "" if seconds is None else f"{seconds // 60}:{seconds % 60:02}"

    def _seconds(self, search: Search) -> float:
        return max((self._clock() - search.started).total_seconds(), 0.0)

    def stop(self, root: TraceSpan | GhostSpan, names: Sequence[str]) -> Measurement | None:
        """End the search at a span that goes by `names`, and keep it; None: none was under way."""
        search = self.search
        if search is None:
            return None
        measured = Measurement(
            fault=search.fault,
            started_at=search.started.isoformat(timespec="seconds"),
            minutes=round(self._seconds(search) / 60, 3),
            service=root.service,
            step=root.name,
            trace_id=root.trace_id,
            span_id=root.span_id,
            is_right=is_root(search.target, names),
        )
        if self._file is not None:
            keep(self._file, measured)
        self.search = None
        return measured


def fault_of(faults: Sequence[FaultResult], start_ns: int, end_ns: int) -> FaultResult | None:
    """The one fault that was at work meanwhile; None where there is none, or more than one."""
    found = [fault for fault in faults if fault.start_ns <= end_ns and fault.end_ns >= start_ns]
    return found[0] if len(found) == 1 else None
