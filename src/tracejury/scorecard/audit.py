"""Judge a run: rebuild it, run the catalogue, and put everything that is said into one result."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from itertools import count

from tracejury.checks.evidence import Evidence
from tracejury.config import Config, Policy
from tracejury.scorecard import rollup
from tracejury.scorecard.aftermath import aftermaths
from tracejury.scorecard.answers import answer_checks, answer_criteria
from tracejury.scorecard.brought import NOTHING, Brought
from tracejury.scorecard.completeness import completeness
from tracejury.scorecard.cut_offs import cut_offs
from tracejury.scorecard.diagnosis import diagnosis
from tracejury.scorecard.external_calls import external_calls
from tracejury.scorecard.fault_results import fault_results
from tracejury.scorecard.pictures import call_edges, worst_evidence
from tracejury.scorecard.queue_facts import queue_facts
from tracejury.scorecard.result import Audit, Period
from tracejury.scorecard.runner import start
from tracejury.scorecard.timing import timing
from tracejury.scorecard.trust import trust
from tracejury.scorecard.verdict import score, verdict
from tracejury.scorecard.workflows import workflows
from tracejury.store.reader import Reader
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.faults import Fault
from tracejury.workflow.logged_faults import with_logged
from tracejury.workflow.rebuild import prepare
from tracejury.workflow.step_risk import step_risks


def audit(  # noqa: PLR0913 - what is judged, by what, and who wants to know how far it is
    reader: Reader,
    config: Config,
    *,
    injected: tuple[Fault, ...] = (),
    baseline: Baseline | None = None,
    inputs: tuple[str, ...] = (),
    brought: Brought = NOTHING,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Audit:
    """Everything the telemetry of `reader`'s store says, judged by `config`.

    `injected` are the faults of the run beside those that its log records report, `baseline` what
    a clean run taught, `inputs` the names of what is judged, to be shown, `brought` what people
    know beside the telemetry. A store without telemetry yields CANNOT_JUDGE. `on_progress` is told,
    from any thread, how many of the questions are answered, and how many there are.
    """
    taught = baseline or Baseline.empty()
    injected = with_logged(reader, injected)
    prepare(
        reader,
        config,
        injected=injected,
        baseline=taught,
        state_rows=brought.state_rows,
        measured=brought.measured,
    )
    with reader.crew() as crew:
        # What is computed in Python's memory comes first, while DuckDB keeps little yet.
        crew.submit(partial(reader.fulfil, ("critical", "terminal_error")))
        judging = start(Evidence(reader, config, taught.exists), crew)
        timed = crew.submit(partial(timing, reader))
        called = crew.submit(partial(external_calls, reader))
        diagnosed = crew.submit(partial(diagnosis, reader, brought.measured))
        faulted = crew.submit(partial(fault_results, reader, injected))
        found = crew.submit(partial(workflows, reader, config.workflows))
        risks = crew.submit(partial(step_risks, reader))
        cut = crew.submit(partial(cut_offs, reader))
        queue = crew.submit(partial(queue_facts, reader))
        after = crew.submit(partial(aftermaths, reader))
        edges = crew.submit(partial(call_edges, reader))
        done = count(1)
        on_progress(0, len(crew.futures))
        for question in crew.futures:
            question.add_done_callback(lambda _: on_progress(next(done), len(crew.futures)))
    checks = answer_checks(tuple(judged.result() for judged in judging), brought.answers)
    judged_at = datetime.now(UTC).isoformat(timespec="seconds")
    bounds = _bounds(config.policy)
    trusted = trust(reader, checks)
    if not trusted.spans and not trusted.logs:
        return _nothing(judged_at, inputs, bounds, reader)
    shares = score(checks)
    criteria = answer_criteria(rollup.criteria(checks), brought.answers)
    return Audit(
        judged_at=judged_at,
        inputs=inputs,
        bounds=bounds,
        verdict=verdict(criteria),
        score=100 * shares.passed if shares else None,
        failed_share=shares.failed if shares else None,
        unobserved_share=shares.unobserved if shares else None,
        coverage=shares.passed + shares.failed if shares else None,
        completeness=completeness(reader, checks),
        timing=timed.result(),
        external_calls=called.result(),
        diagnosis=diagnosed.result(),
        trust=trusted,
        tests=rollup.tests(checks, _in_the_run(reader, injected)),
        criteria=criteria,
        patterns=rollup.patterns(checks),
        checks=checks,
        faults=faulted.result(),
        workflows=found.result(),
        ran=_ran(reader, config.policy),
        step_risks=risks.result(),
        cut_offs=cut.result(),
        queue=queue.result(),
        aftermaths=after.result(),
        state_rows=brought.state_rows.num_rows,
        call_edges=edges.result(),
        worst_evidence=worst_evidence(reader, checks),
    )


def _in_the_run(reader: Reader, injected: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """The faults that touch the time of which there is telemetry; the others tested nothing."""
    [run] = reader.rows("SELECT from_ns, until_ns FROM run_time")
    if run["from_ns"] is None:
        return ()
    return tuple(
        fault
        for fault in injected
        if fault.start_ns <= run["until_ns"] and fault.end_ns >= run["from_ns"]
    )


def _ran(reader: Reader, policy: Policy) -> Period | None:
    [run] = reader.rows("SELECT from_ns, until_ns FROM run_time")
    if run["from_ns"] is None:
        return None
    margin = policy.settle_seconds
    moments = (run["from_ns"] / 1e9 + margin, run["until_ns"] / 1e9 - margin)
    first, last = (
        datetime.fromtimestamp(round(moment), UTC).isoformat(timespec="seconds")
        for moment in moments
    )
    return Period(first, last)


def _bounds(policy: Policy) -> dict[str, float]:
    return {bound.name: getattr(policy, bound.name) for bound in fields(policy)}


def _nothing(
    judged_at: str, inputs: tuple[str, ...], bounds: dict[str, float], reader: Reader
) -> Audit:
    """Without telemetry there is nothing to say, and nothing passes."""
    return Audit(
        judged_at=judged_at,
        inputs=inputs,
        bounds=bounds,
        verdict="CANNOT_JUDGE",
        score=None,
        failed_share=None,
        unobserved_share=None,
        coverage=None,
        completeness=None,
        timing=None,
        external_calls=None,
        diagnosis=None,
        trust=trust(reader, ()),
        tests=(),
        criteria=(),
        patterns=(),
        checks=(),
        faults=(),
        workflows=(),
    )
