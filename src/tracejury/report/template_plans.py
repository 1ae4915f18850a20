"""The audit template's plans: what to inject again, what to inject next, which task first."""

import json
import shlex
from collections.abc import Callable

from tracejury.report.next_steps import Step
from tracejury.report.numbers import duration
from tracejury.report.section import Section, Table
from tracejury.scorecard.next_faults import Planned, Retest, fault_plan, retests
from tracejury.scorecard.priorities import SYSTEM_TYPES, first_tasks, questions
from tracejury.scorecard.result import Audit, FaultResult
from tracejury.scorecard.words import task_title
from tracejury.telemetry.safe_text import safe_text

# How each kind is brought about by means that most systems have; TARGET and WORKFLOW are theirs.
HOW = {
    "hang": "stop its process: kill -STOP PID, and at the end kill -CONT PID",
    "delay": "tc qdisc add dev DEV root netem delay 5s, or a proxy that waits",
    "error": "have its stub or a proxy answer 503",
    "partition": "iptables -A OUTPUT -d ADDRESS -j DROP",
    "kill": "kill -9 PID while it has work",
    "restart": "restart its service while requests are under way",
    "flood": "send ten times the usual number of jobs at once",
    "storage": "have the store refuse writes: a full disk, or 507 of a proxy",
    "bad_item": "send a batch of 20 of which number 7 cannot be processed",
    "endless_source": "have the source answer a further page for ever",
    "cancel": "cancel a job while it is at work",
    "retry": "ask for a retry of one failed item",
    "retry_all": "ask for a retry of all failed items",
    "double_retry": "ask for the same retry twice at once",
    "message_loss": "delete a message from the queue, or restart a broker without its disk",
    "state_corruption": "set a job to a state that its work contradicts",
}


def _retests(audit: Audit) -> Section:
    found = retests(audit)
    rows = tuple(_retest_row(retest) for retest in found)
    steps: tuple[Step, ...] = ()
    if found:
        steps = (
            Step("tracejury serve --store retest.duckdb", "receive while the faults are injected"),
            *(
                Step(
                    _entry(retest.fault), f"faults.json: {HOW.get(retest.fault.kind, 'as before')}"
                )
                for retest in found
            ),
            Step("tracejury audit --store retest.duckdb --faults faults.json", "judge it again"),
            Step(f"tracejury compare {_before(audit)} retest.duckdb", "see what moved"),
        )
    return Section(
        "retests",
        "Retest plan",
        says=("After the fixes, the same faults once more.",),
        tables=(
            Table(
                "Faults to inject again",
                ("Fault", "Kind", "Target", "For", "Showed", "Should pass then"),
                rows,
            ),
        ),
        steps=steps,
    )


def _retest_row(retest: Retest) -> tuple[str, ...]:
    fault = retest.fault
    showed = ", ".join(f"{trial.test} {trial.outcome}" for trial in retest.trials)
    return (
        fault.id,
        fault.kind or "as before",
        fault.target or "as before",
        duration((fault.end_ns - fault.start_ns) / 1e6),
        showed,
        ", ".join(retest.checks) or "what is open: see above",
    )


def _entry(fault: FaultResult) -> str:
    """The fault's entry in a fault file, for other times."""
    entry = {"id": fault.id, "kind": fault.kind, "target": fault.target}
    said = {key: safe_text(value) for key, value in entry.items() if value}
    return json.dumps({**said, "start": "...", "end": "..."}, ensure_ascii=False)


def _before(audit: Audit) -> str:
    stores = [name for name in audit.inputs if name.endswith(".duckdb")]
    return shlex.quote(safe_text(stores[0])) if stores else "BEFORE"


def _plan(audit: Audit) -> Section:
    rows = tuple(
        _planned_row(number, planned) for number, planned in enumerate(fault_plan(audit), 1)
    )
    header = ("Order", "Test", "Tier", "Open criteria", "Fault", "Into", "Risk")
    return Section(
        "plan",
        "Risk-prioritised test plan",
        says=(
            "The tests that nothing decided, those of CRITICAL criteria first, then by the risk of"
            " the steps behind the target. tracejury plan names the smallest set of faults.",
        ),
        tables=(Table("What to inject next", (*header, "How"), rows),),
    )


def _planned_row(number: int, planned: Planned) -> tuple[str | int, ...]:
    kinds = " or ".join(planned.kinds)
    trial = planned.trial
    fault = kinds or ("any" if planned.needs_fault else "none needed")
    return (
        number,
        f"{trial.test} {trial.title}",
        planned.tier.upper() if planned.tier else "",
        ", ".join(planned.criteria),
        fault,
        (planned.target or "not observed") if planned.needs_fault else "",
        planned.risk or "not observed",
        HOW.get(planned.kinds[0], "") if planned.kinds else "",
    )


def _priorities(audit: Audit) -> Section:
    rows = tuple(
        (
            question.asks,
            question.answer,
            question.seen,
            " and ".join(map(str, question.tasks)),
        )
        for question in questions(audit)
    )
    first = first_tasks(audit)
    named = "; ".join(f"{task}. {task_title(task)}" for task in first)
    kind = SYSTEM_TYPES[audit.system_type][0] if audit.system_type in SYSTEM_TYPES else ""
    by = f"For a system of the kind {kind}" if kind else "By what was seen"
    return Section(
        "priorities",
        "Which tasks first",
        says=(f"{by}: {named or 'nothing speaks for any'}.",)
        + (() if kind else ("--system-type media, saas or ecommerce gives the template's order.",)),
        tables=(
            Table(
                "The six questions, answered as far as telemetry tells",
                ("Question", "Answer", "Seen", "If yes, tasks"),
                rows,
            ),
        ),
    )


PLANS: tuple[Callable[[Audit], Section], ...] = (_retests, _plan, _priorities)
