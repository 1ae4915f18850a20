"""From what is named on the command line to a run that is judged, or ready to be asked.

What is heavy is imported by the function that needs it.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracejury.cli.options import store_path
from tracejury.cli.watch import Bars, Watch
from tracejury.config import Config
from tracejury.errors import InputError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from tracejury.checks.evidence import Evidence
    from tracejury.scorecard.compare import Run
    from tracejury.scorecard.result import Answer, Audit, CheckResult, Criterion
    from tracejury.store.reader import Reader
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.faults import Fault
    from tracejury.workflow.stopwatch import Measurement

BARS: Final = Bars()


def open_run(options: argparse.Namespace, config: Config, watch: Watch = BARS) -> "Reader":
    """The telemetry to judge: the files named, else the store."""
    return _opened(run_paths(options, config), config, watch)


def _opened(
    paths: Sequence[Path], config: Config, watch: Watch, *, is_told: bool = True
) -> "Reader":
    """`is_told`: say what is wrong with a file."""
    from tracejury.receiver.inputs import open_inputs

    report = watch.report if is_told else lambda *_: None
    with watch.reading() as progress:
        reader = open_inputs(paths, report, progress, keeping=config.keeping)
    watch.opened(reader)
    return reader


def run_paths(options: argparse.Namespace, config: Config) -> list[Path]:
    """What is judged: the files named, else the store."""
    if options.files and options.store:
        raise UsageError("Both files and --store are named.", next_step="Choose one of them.")
    return list(options.files) or [store_path(config)]


def run_names(options: argparse.Namespace, config: Config) -> tuple[str, ...]:
    return tuple(str(path) for path in options.files) or (str(config.store),)


def injected_faults(config: Config) -> "tuple[Fault, ...]":
    """The faults of one run, from every file named."""
    from tracejury.workflow.faults import read_faults, with_own_ids

    return with_own_ids(fault for path in config.faults for fault in read_faults(path))


def all_injected_faults(config: Config) -> "tuple[Fault, ...]":
    """The faults of several runs; each run takes those of its own time."""
    from tracejury.workflow.faults import read_faults

    return tuple(fault for path in config.faults for fault in read_faults(path))


def learn(
    config: Config,
    judged: Sequence[Path] = (),
    *,
    with_times: bool = False,
    watch: Watch = BARS,
) -> "Baseline | None":
    """What the clean run teaches, or the calm time of the one judged; None where none is named."""
    if config.learns_outside_faults:
        return _learn_outside(config, judged, watch)
    if not config.baseline:
        return None
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.rebuild import prepare

    with (
        _opened(config.baseline, config, watch) as clean,
        watch.working("learning from the baseline"),
    ):
        prepare(clean, config)
        learnt = Baseline.learn(clean, with_times=with_times)
    if not learnt.exists:
        names = ", ".join(map(str, config.baseline))
        raise InputError(
            f"The baseline {names} holds no clean workflow instance.",
            next_step="Record a run in which nothing fails.",
        )
    return learnt


def _learn_outside(config: Config, judged: Sequence[Path], watch: Watch) -> "Baseline":
    """What the time of the judged run teaches in which no fault lasted."""
    from tracejury.scorecard.fault_results import faults_of_run
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import prepare

    with (
        # What is wrong with a file is said when it is judged.
        _opened(judged, config, watch, is_told=False) as run,
        watch.working("learning from the time outside the faults"),
    ):
        injected = with_logged(run, faults_of_run(run, all_injected_faults(config)))
        if not injected:
            raise UsageError(
                "There is no time outside fault windows, for no fault lies in the run.",
                next_step="Use --faults FILE, or --baseline FILE.",
            )
        prepare(run, config, injected=injected)
        learnt = Baseline.learn(run)
    if not learnt.exists:
        raise InputError(
            "No workflow instance went well outside the fault windows.",
            next_step="Record a run in which nothing fails, and use --baseline.",
        )
    return learnt


def _state_rows(options: argparse.Namespace) -> "pa.Table":
    from tracejury.workflow.state_rows import no_state_rows, read_state_rows

    return read_state_rows(options.state) if options.state else no_state_rows()


def answers_of(options: argparse.Namespace) -> "tuple[Answer, ...]":
    if options.answers is None:
        return ()
    from tracejury.scorecard.answers import read_answers

    return read_answers(options.answers)


def measured(inputs: tuple[str, ...]) -> "tuple[Measurement, ...]":
    """How long persons took to find roots in this run, by the TUI's stopwatch."""
    from tracejury.workflow.stopwatch import measurements, stopwatch_file

    return measurements(stopwatch_file(Path(inputs[0])))


def judge(options: argparse.Namespace, config: Config) -> "Audit":
    from tracejury.scorecard.audit import audit
    from tracejury.scorecard.brought import Brought

    injected, rows = injected_faults(config), _state_rows(options)
    answers = answers_of(options)
    baseline = learn(config, run_paths(options, config))
    inputs = run_names(options, config)
    with open_run(options, config) as reader:
        with BARS.working("judging") as on_progress:
            judged = audit(
                reader,
                config,
                injected=injected,
                baseline=baseline,
                inputs=inputs,
                brought=Brought(measured(inputs), rows, answers),
                on_progress=on_progress,
            )
        warn_of_faults(reader, injected)
    warn_of_unused_answers(answers, judged.checks, judged.criteria)
    return judged


def judge_campaign(options: argparse.Namespace, config: Config) -> "Audit":
    """Judge several stores, each on its own, and let of everything the newest evidence count."""
    from tracejury.scorecard.campaign import campaign

    if options.files:
        raise UsageError("Both files and --store are named.", next_step="Choose one of them.")
    if options.state:
        raise UsageError(
            "Rows of a database are of one run, and several stores are named.",
            next_step="Leave --state out, or name one --store.",
        )
    answers = answers_of(options)
    runs = judge_runs([(path, (path,)) for path in options.stores], config)
    judged = campaign(
        [run.audit for run in runs], stale_days=config.policy.stale_days, answers=answers
    )
    warn_of_unused_answers(answers, judged.checks, judged.criteria)
    return judged


def judge_runs(runs: Sequence[tuple[Path, Sequence[Path]]], config: Config) -> "tuple[Run, ...]":
    """Judge each of several runs, by its name and files, for the faults of its own time."""
    injected = all_injected_faults(config)
    baseline = None if config.learns_outside_faults else learn(config)
    judged = tuple(judge_run(name, files, config, injected, baseline) for name, files in runs)
    _warn_of_unused(injected, *(run.audit for run in judged))
    return judged


def judge_run(
    name: Path,
    files: Sequence[Path],
    config: Config,
    injected: "tuple[Fault, ...]",
    baseline: "Baseline | None",
    *,
    watch: Watch = BARS,
) -> "Run":
    """Judge one run of several, for the faults that lie in its time."""
    from tracejury.scorecard.audit import audit
    from tracejury.scorecard.brought import Brought
    from tracejury.scorecard.compare import Run
    from tracejury.scorecard.fault_results import faults_of_run
    from tracejury.scorecard.step_durations import step_durations
    from tracejury.telemetry.safe_text import safe_text

    with _opened(files, config, watch) as reader:
        inputs = (str(name),)
        if config.learns_outside_faults:
            baseline = _learn_outside(config, files, watch)
        with watch.working(f"judging {safe_text(str(name))}") as on_progress:
            judged = audit(
                reader,
                config,
                injected=faults_of_run(reader, injected),
                baseline=baseline,
                inputs=inputs,
                brought=Brought(measured(inputs)),
                on_progress=on_progress,
            )
        return Run(judged, step_durations(reader))


@contextmanager
def evidence_of(options: argparse.Namespace, config: Config) -> "Iterator[Evidence]":
    """The run that the options name, prepared; refused where there is no telemetry in it."""
    from tracejury.checks.evidence import Evidence
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import prepare

    injected = injected_faults(config)
    baseline = learn(config, run_paths(options, config)) or Baseline.empty()
    with open_run(options, config) as reader:
        if not reader.value("SELECT count(*) FROM stored.span"):
            raise InputError(
                f"{', '.join(run_names(options, config))} holds no spans.",
                next_step="Receive a minute of ordinary traffic with `tracejury serve`.",
            )
        injected = with_logged(reader, injected)
        prepare(reader, config, injected=injected, baseline=baseline)
        yield Evidence(reader, config, baseline.exists)


def warn_of_faults(reader: "Reader", injected: "tuple[Fault, ...]") -> None:
    """Say what is odd about the faults, on stderr."""
    warn(fault_remarks(reader, injected))


def fault_remarks(reader: "Reader", injected: "tuple[Fault, ...]") -> list[str]:
    """Which faults were not in the run, and which hit nothing that the run knows: a sentence each.

    What `audit` made of the faults must be there.
    """
    from tracejury.scorecard.fault_results import outside_of_run, unknown_targets

    remarks = [_outside(name) for name in outside_of_run(reader, injected)]
    for name, target, alike in unknown_targets(reader, injected):
        said = f"No service, address or queue of the run is called {target}, which fault {name} hit"
        remarks.append(said + (f"; was it {alike}?" if alike else "; check its target."))
    return remarks


def warn(remarks: Iterable[str]) -> None:
    from tracejury.telemetry.safe_text import safe_text

    for remark in remarks:
        print(safe_text(f"tracejury: {remark}"), file=sys.stderr)


def _warn_of_unused(injected: "tuple[Fault, ...]", *judged: "Audit") -> None:
    used = {(fault.id, fault.start_ns) for audit in judged for fault in audit.faults}
    warn(_outside(fault.id) for fault in injected if (fault.id, fault.start_ns) not in used)


def _outside(name: str) -> str:
    return f"The window of fault {name} lies outside the telemetry; check its start and end."


def warn_of_unused_answers(
    answers: "tuple[Answer, ...]",
    checks: "tuple[CheckResult, ...]",
    criteria: "tuple[Criterion, ...]",
) -> None:
    from tracejury.scorecard.answers import unused

    warn(
        f"The answer to {answer.id} is not used: without it the outcome is {outcome}."
        for answer, outcome in unused(answers, checks, criteria)
    )
