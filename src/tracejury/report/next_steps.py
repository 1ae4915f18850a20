"""What to do after an audit: commands that would change the verdict or show its evidence."""

import shlex
from typing import Final, NamedTuple

from tracejury.report.tally import failing, undecided
from tracejury.scorecard.result import Audit
from tracejury.telemetry.safe_text import safe_text

# More files than this would hide the command.
_NAMED: Final = 4

# The audit's task whose checks hold a run against the declared workflows.
_INVENTORY: Final = 1


class Step(NamedTuple):
    """A command and what it gives."""

    command: str
    gives: str


def next_steps(audit: Audit) -> list[Step]:
    """Give the steps that this audit calls for, the most telling first."""
    if audit.verdict == "CANNOT_JUDGE":
        return [
            Step("tracejury serve --store run.duckdb", "receive telemetry; it prints what to set"),
            Step("tracejury demo", "see the audit of a recorded run"),
        ]
    return [*_evidence(audit), *_more_evidence(audit)]


def _evidence(audit: Audit) -> list[Step]:
    failed = failing(audit)
    steps = []
    if failed:
        steps.append(
            Step(f"tracejury explain {_word(failed[0].id)}", "what it looks for, and the fix")
        )
    steps.append(
        Step(f"tracejury tui{_inputs(audit)}", "every finding, down to its spans and log records")
    )
    steps.append(
        Step(
            f"{_again(audit)} --format html --output audit.html",
            "the whole report, to show",
        )
    )
    return steps


def _more_evidence(audit: Audit) -> list[Step]:
    reasons = undecided(audit).keys()
    lacks_baseline = audit.completeness is not None and audit.completeness.is_upper_bound
    may_be_whole = "sampled" in reasons and audit.trust.sampled == "unknown"
    is_undeclared = any(
        check.task == _INVENTORY and check.reason == "needs-declaration" for check in audit.checks
    )
    again = _again(audit)
    wanted = (
        (not audit.faults, f"{again} --faults faults.json", "say what was injected, and when"),
        (
            lacks_baseline or "needs-baseline" in reasons,
            f"{again} --baseline clean.duckdb",
            "judge against a clean run",
        ),
        (may_be_whole, f"{again} --sampling none", "declare it, if nothing samples your traces"),
        (
            is_undeclared,
            f"tracejury inventory{_inputs(audit)} --emit",
            "declare your workflows in tracejury.toml",
        ),
        (
            any(criterion.outcome == "not-observed" for criterion in audit.criteria),
            f"tracejury plan{_inputs(audit)}",
            "the fewest faults that would decide what is open",
        ),
    )
    return [Step(command, gives) for applies, command, gives in wanted if applies]


def _again(audit: Audit) -> str:
    """The command that made `audit`."""
    others = "".join(f" --store {_word(name)}" for name in _stores(audit)[1:])
    return f"tracejury audit{_inputs(audit)}{others}"


def _stores(audit: Audit) -> list[str]:
    return [name for name in audit.inputs if name.endswith(".duckdb")]


def _inputs(audit: Audit) -> str:
    """Name what was judged, or the first store of it, and by what, as the command line takes it."""
    by = "".join(f" {_word(word)}" for word in audit.judged_by)
    if stores := _stores(audit):
        return f"{by} --store {_word(stores[0])}"
    named = " ".join(map(_word, audit.inputs)) if 0 < len(audit.inputs) <= _NAMED else "..."
    return f"{by} {named}"


def _word(name: str) -> str:
    """Write a name so that a shell takes it as one word."""
    return shlex.quote(safe_text(name))
