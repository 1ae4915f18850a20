"""The audit's timeout table, judged: the cut-off that was seen against the default."""

from dataclasses import dataclass
from typing import Final, Literal

from tracejury.scorecard.result import Audit, CutOffs

Held = Literal["within", "above", "not observed"]

# What would make a row decidable: its wait must be cut off once.
_DECIDES: Final = {
    "connect": "Inject partition into a callee, so that connecting to it takes for ever.",
    "read": "Inject hang into a callee: it accepts calls and answers none.",
    "incoming": "No telemetry shows a server's own limit; read it in its configuration.",
    "statement": "Inject hang into the database.",
    "acquire": "Inject hang into the database until the pool is empty.",
    "job": "Inject hang into what a job calls, for longer than the job may take.",
    "visibility": "Inject kill into a worker with a message in work.",
    "heartbeat": "No telemetry shows it; read it in the configuration of the workers.",
    "upload": "Inject hang into the object store.",
    "webhook": "Inject hang into the receiver of a webhook.",
}


@dataclass(frozen=True, slots=True)
class TimeoutRow:
    """One row: what was seen, and what would show a cut-off where none was."""

    limits: CutOffs
    held: Held
    would_decide: str  # '' where one was seen


def timeout_table(audit: Audit) -> tuple[TimeoutRow, ...]:
    """Give the ten rows in the template's order; none where nothing was judged."""
    return tuple(_row(limits) for limits in audit.cut_offs)


def _row(limits: CutOffs) -> TimeoutRow:
    if limits.longest_s is None:
        return TimeoutRow(limits, "not observed", _DECIDES.get(limits.id, ""))
    bound = limits.default_s if limits.bound_s is None else limits.bound_s
    return TimeoutRow(limits, "within" if limits.longest_s <= bound else "above", "")
