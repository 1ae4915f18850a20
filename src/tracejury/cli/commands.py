"""Each command: parse, call, print. What is heavy is imported by the command that needs it."""

import argparse
import difflib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracejury.cli.judging import (
    answers_of,
    evidence_of,
    injected_faults,
    judge,
    judge_campaign,
    judge_runs,
    learn,
    open_run,
    run_names,
    run_paths,
    warn_of_faults,
    warn_of_unused_answers,
)
from tracejury.cli.options import configuration, parser, store_path
from tracejury.cli.output import refuse_what_is_no_file, write
from tracejury.cli.watch import tell
from tracejury.config import Config
from tracejury.errors import InputError, ReceiverError, TracejuryError, UsageError
from tracejury.telemetry.numbers import counted
from tracejury.telemetry.safe_text import safe_text

if TYPE_CHECKING:
    from tracejury.checks.explanation import Explanation
    from tracejury.receiver.import_files import Loaded
    from tracejury.scorecard.foresight.preflight import Preflight
    from tracejury.scorecard.result import Audit, Criterion
    from tracejury.store.writer import Store

DONE: Final = 0
NOT_GOOD: Final = 1
NOT_DONE: Final = 2

_SAMPLE: Final = "provider-hang"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    try:
        options = parser().parse_args(arguments)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A terminal that lacks a mark shows its escape, and loses nothing else.
                stream.reconfigure(errors="backslashreplace")
        return int(_COMMANDS[options.command](options))
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        sys.stderr.close()
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        if _is_interruption(error):
            print("tracejury: interrupted.", file=sys.stderr)
            return 130
        if not isinstance(error, TracejuryError):
            raise
        print(safe_text(f"tracejury: {error}"), file=sys.stderr)
        return error.exit_status


def _is_interruption(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind it, which DuckDB tells in words of its own."""
    while error is not None:
        said = str(error)
        if isinstance(error, KeyboardInterrupt) or "KeyboardInterrupt" in said:
            return True
        if said == "Query interrupted":
            return True
        error = error.__cause__
    return False


def _serve(options: argparse.Namespace) -> int:
    from tracejury.receiver.announcement import announcement
    from tracejury.receiver.farewell import farewell
    from tracejury.receiver.server import run_receiver

    config = configuration(options)
    store = store_path(config)
    counts = run_receiver(
        store=store,
        serve=config.serve,
        keeping=config.keeping,
        retention=config.retention,
        announce=lambda addresses: print(announcement(addresses), flush=True),
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    with suppress(OSError):  # nobody may read stderr any more, and the store is in order
        print(farewell(counts, store, options.config), file=sys.stderr, flush=True)
    return DONE


def _import(options: argparse.Namespace) -> int:
    from tracejury.store.writer import Store

    missing = next((file for file in options.files if not file.is_file()), None)
    if missing is not None and missing.is_dir():
        raise InputError(f"{missing} is a folder.", next_step=f"Name the files: {missing}/*.")
    if missing is not None:
        raise InputError(f"There is no file {missing}.", next_step="Nothing was loaded.")
    config = configuration(options)
    path = store_path(config)
    is_new, is_bare = not path.exists(), False
    try:
        with Store.open(path, kind="import", keeping=config.keeping) as store:
            try:
                loads = [_load(store, file) for file in options.files]
            finally:
                # Asked of the store: a file that was interrupted may have been stored in part.
                is_bare = not store.has_deliveries
    finally:
        if is_new and is_bare:
            path.unlink(missing_ok=True)  # a store that nothing was loaded into is no store
    if not any(loaded is None or loaded.refused or loaded.rejected for loaded in loads):
        return DONE
    return NOT_GOOD if any(loaded and loaded.has_loaded for loaded in loads) else NOT_DONE


def _load(store: "Store", file: Path) -> "Loaded | None":
    """Load one file and say what became of it; None: nothing, and the others are none the worse."""
    from tracejury.receiver.import_files import import_file
    from tracejury.report.progress import reading

    try:
        with reading() as progress:
            loaded = import_file(store, file, progress(file))
    except InputError as error:
        print(safe_text(f"tracejury: {error}"), file=sys.stderr)
        return None
    print(_loaded_line(file, loaded))
    tell(file, loaded)
    return loaded


def _loaded_line(file: Path, loaded: "Loaded") -> str:

    parts = [f"{counted(loaded.stored, 'record')} stored"]
    if loaded.duplicates:
        parts.append(f"{counted(loaded.duplicates, 'duplicate')} left out")
    if loaded.rejected:
        parts.append(f"{counted(loaded.rejected, 'span')} without valid ids refused")
    return safe_text(f"{file}: {', '.join(parts)}")


def _audit(options: argparse.Namespace) -> int:
    from tracejury.report.render import render
    from tracejury.report.terminal import PLAIN, Terminal

    refuse_what_is_no_file(options.output)
    options.store = next(iter(options.stores), None)
    config = configuration(options)
    is_campaign = len(options.stores) > 1
    judged = judge_campaign(options, config) if is_campaign else judge(options, config)
    named = {name: getattr(options, name) for name in ("system", "auditor", "system_type")}
    judged = replace(judged, judged_by=_judged_by(options), **named)
    to_screen = options.output is None
    terminal = Terminal.of(sys.stdout, os.environ) if to_screen else PLAIN
    write(render(judged, options.format, terminal=terminal), options.output)
    return _audit_status(judged, options)


def _judged_by(options: argparse.Namespace) -> tuple[str, ...]:
    """Its options that say by what was judged, as `tui`, `plan` and `inventory` take them."""
    files = {
        "--config": [options.config] if options.config else [],
        "--faults": options.faults,
        "--baseline": options.baseline,
    }
    words = [word for option, named in files.items() for file in named for word in (option, file)]
    if options.baseline_outside_faults:
        words.append("--baseline-outside-faults")
    if options.sampling:
        words += ["--sampling", options.sampling]
    return tuple(map(str, words))


def _compare(options: argparse.Namespace) -> int:
    from tracejury.receiver.inputs import run_files
    from tracejury.report.comparison import render_comparison
    from tracejury.report.terminal import PLAIN, Terminal
    from tracejury.scorecard.compare import compare

    refuse_what_is_no_file(options.output)
    config = configuration(options)
    runs = [(path, run_files(path)) for path in (options.before, options.after)]
    before, after = judge_runs(runs, config)
    compared = compare(before, after)
    terminal = PLAIN if options.output else Terminal.of(sys.stdout, os.environ)
    write(render_comparison(compared, options.format, terminal), options.output)
    if not compared.can_judge:
        return NOT_DONE
    return NOT_GOOD if compared.regressions else DONE


def _audit_status(judged: "Audit", options: argparse.Namespace) -> int:
    if judged.verdict == "CANNOT_JUDGE":
        return NOT_DONE
    if options.min_completeness is not None:
        ratio = judged.lowest_completeness
        if ratio is None or ratio < options.min_completeness:
            seen = "unknown" if ratio is None else f"{ratio:.3f}"
            print(
                f"tracejury: completeness is {seen}, below {options.min_completeness}.",
                file=sys.stderr,
            )
            return NOT_GOOD
    good = ("PASS", "PARTIAL") if options.fail_on == "fail" else ("PASS",)
    return DONE if judged.verdict in good else NOT_GOOD


def _preflight(options: argparse.Namespace) -> int:
    from tracejury.report.preflight import render_preflight
    from tracejury.report.terminal import Terminal

    config = configuration(options)
    outlook, _ = _looked_ahead(options, config)
    terminal = Terminal.of(sys.stdout, os.environ)
    inputs = run_names(options, config)
    write(render_preflight(outlook, options.format, inputs=inputs, terminal=terminal), None)
    return DONE


def _looked_ahead(
    options: argparse.Namespace, config: Config
) -> "tuple[Preflight, tuple[Criterion, ...]]":
    """The outlook of every check and the criteria of today, with what persons answer."""
    from tracejury.scorecard import rollup
    from tracejury.scorecard.answers import answer_criteria
    from tracejury.scorecard.foresight.preflight import preflight

    answers = answers_of(options)
    with evidence_of(options, config) as evidence:
        outlook = preflight(evidence, answers)
    criteria = answer_criteria(rollup.criteria(outlook.results), answers)
    warn_of_unused_answers(answers, outlook.results, criteria)
    return outlook, criteria


def _plan(options: argparse.Namespace) -> int:
    from tracejury.report.plan import render_plan
    from tracejury.report.terminal import Terminal
    from tracejury.scorecard.foresight.plan import plan_of

    config = configuration(options)
    outlook, criteria = _looked_ahead(options, config)
    made = plan_of(outlook, criteria, config.policy)
    terminal = Terminal.of(sys.stdout, os.environ)
    write(render_plan(made, options.format, terminal=terminal), None)
    return DONE


def _inventory(options: argparse.Namespace) -> int:
    from tracejury.report.declaration import render_declaration
    from tracejury.report.inventory import render_inventory
    from tracejury.report.terminal import Terminal
    from tracejury.scorecard.inventory import inventory

    config = configuration(options)
    with evidence_of(options, config) as evidence:
        learnt = inventory(evidence)
    if not options.emit:
        write(render_inventory(learnt, terminal=Terminal.of(sys.stdout, os.environ)), None)
        return DONE
    if not any(workflow.ok for workflow in learnt.workflows):
        raise InputError(
            f"No workflow instance of {', '.join(run_names(options, config))} went well.",
            next_step="Record a run in which nothing fails.",
        )
    write(render_declaration(learnt), None)
    return DONE


def _tui(options: argparse.Namespace) -> int:
    from tracejury.cli.browsing import Browsed, browse, require_terminal

    browsed = Browsed(options, configuration(options))
    require_terminal()
    return DONE if browse(browsed) else NOT_DONE


def _live(options: argparse.Namespace) -> int:
    from tracejury.cli.browsing import Browsed, browse, require_terminal
    from tracejury.receiver.child import receiving

    config = configuration(options)
    if options.files:
        raise UsageError("`live` takes no files.", next_step="Use `tracejury tui FILE...`.")
    browsed = Browsed(options, config)
    require_terminal()
    with receiving(store_path(config), config) as receiver:
        has_held = browse(browsed, receiver=receiver)
        if trouble := receiver.trouble():
            raise ReceiverError(trouble, next_step="Start it again.")
    print(receiver.farewell(), file=sys.stderr)
    return DONE if has_held else NOT_DONE


def _diagnose(options: argparse.Namespace) -> int:
    from tracejury.report.diagnosis import render_diagnosis, render_instances
    from tracejury.scorecard.fault_results import fault_results
    from tracejury.scorecard.instances import diagnosed_instances
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import prepare

    config = configuration(options)
    injected = injected_faults(config)
    baseline = learn(config, run_paths(options, config), with_times=not injected)
    with open_run(options, config) as reader:
        injected = with_logged(reader, injected)
        prepare(reader, config, injected=injected, baseline=baseline)
        if not injected:
            write(render_instances(diagnosed_instances(reader), options.format), None)
            return DONE
        warn_of_faults(reader, injected)
        results = fault_results(reader, injected)
        # Where nothing tells the windows from the time outside, single instances may.
        instances = {
            one.id: diagnosed_instances(reader, one.id) for one in results if not one.stands_out
        }
        write(render_diagnosis(results, instances, options.format), None)
    return DONE


def _explain(options: argparse.Namespace) -> int:
    from tracejury.checks.explanation import all_explanations
    from tracejury.report.explain import render_explanations
    from tracejury.report.terminal import Terminal

    known = all_explanations()
    wanted = options.id
    chosen = [e for e in known if wanted is None or wanted.upper() in _names(e)]
    if not chosen:
        ids = [e.id for e in known]
        near = difflib.get_close_matches(wanted.upper(), ids, n=1, cutoff=0.7)
        raise UsageError(
            f"There is no check {wanted!r}.",
            next_step=f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join(ids)}.",
        )
    terminal = Terminal.of(sys.stdout, os.environ)
    write(render_explanations(chosen, options.format, terminal=terminal), None)
    return DONE


def _names(explained: "Explanation") -> set[str]:
    """By what its check is asked for: also a criterion, a pattern or a test that it decides."""
    serves = {name.upper() for name in explained.serves}
    return {explained.id, *serves, *(name.removeprefix("TEST-RR-") for name in serves)}


def _sql(options: argparse.Namespace) -> int:
    from tracejury.report.answer import render_answer
    from tracejury.store.query import ask
    from tracejury.store.reader import Reader
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import rebuild

    config = configuration(options)
    store = store_path(config)
    baseline = learn(config, [store])
    with Reader.open(store) as reader:
        injected = with_logged(reader, injected_faults(config))
        rebuild(reader, config, injected=injected, baseline=baseline)
        write(render_answer(ask(reader, options.query), options.format), None)
    return DONE


def _export(options: argparse.Namespace) -> int:
    from tracejury.report.otlp_files import export_store
    from tracejury.report.progress import working
    from tracejury.store.reader import Reader

    with Reader.open(store_path(configuration(options))) as reader, working("requests") as done:
        written = list(export_store(reader, options.output, done))
    for path, requests in written:
        print(f"{path}: {counted(requests, 'request')}")
    return DONE


def _check_faults(options: argparse.Namespace) -> int:
    from tracejury.workflow.faults import check_faults

    faults, problems = check_faults(options.file)
    for problem in problems:
        said = f"{options.file}:{problem.line}: {problem.message} {problem.next_step}"
        print(safe_text(f"tracejury: {said}"), file=sys.stderr)
    if problems:
        return NOT_DONE
    for fault in faults:
        seconds = (fault.end_ns - fault.start_ns) / 1e9
        target = f" of {fault.target}" if fault.target else ""
        test = f", for {fault.test_id}" if fault.test_id else ""
        print(
            safe_text(f"{fault.id}: {fault.kind or 'kind not said'}{target}, {seconds:g} s{test}")
        )
    return DONE


def _demo(_options: argparse.Namespace) -> int:
    folder = _samples() / _SAMPLE
    files = sorted(folder.glob("*.jsonl.gz"))
    config = folder / "tracejury.toml"
    main(["audit", *map(str, files), "--config", str(config)])
    shown = [_from_here(path) for path in (config, *files)]
    print(
        "\nThe same run, to browse:\n"
        f"  {_from_here(Path(sys.argv[0]))} tui --config {shown[0]} {' '.join(shown[1:])}"
    )
    return DONE


def _samples() -> Path:
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "sample-traces", here.parents[3] / "sample-traces"):
        if folder.is_dir():
            return folder
    raise InputError(
        "The sample traces are not installed.",
        next_step="Clone the repository: they are in its folder sample-traces.",
    )


def _from_here(path: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path)


_COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "serve": _serve,
    "live": _live,
    "import": _import,
    "preflight": _preflight,
    "plan": _plan,
    "inventory": _inventory,
    "audit": _audit,
    "compare": _compare,
    "tui": _tui,
    "diagnose": _diagnose,
    "explain": _explain,
    "sql": _sql,
    "export": _export,
    "check": _check_faults,
    "demo": _demo,
}
