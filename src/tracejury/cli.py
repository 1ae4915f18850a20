"""The command line: parse, call, print. What is heavy is imported by the command that needs it."""

import argparse
import difflib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from tracejury import __version__
from tracejury.config import (
    SMALLEST_STORE,
    Config,
    Retention,
    Serve,
    byte_count,
    duration_seconds,
    load_config,
)
from tracejury.errors import InputError, ReceiverError, TracejuryError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from tracejury.checks.evidence import Evidence
    from tracejury.receiver.child import Receiving
    from tracejury.receiver.import_files import Loaded
    from tracejury.scorecard.compare import Run
    from tracejury.scorecard.result import Answer, Audit
    from tracejury.store.reader import Reader
    from tracejury.store.writer import Store
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.faults import Fault
    from tracejury.workflow.stopwatch import Measurement

Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"

DONE: Final = 0
NOT_GOOD: Final = 1
NOT_DONE: Final = 2

_SAMPLE: Final = "provider-hang"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a mark shows its escape, and loses nothing else.
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(options.run(options))
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
        print(f"tracejury: {error}", file=sys.stderr)
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(NOT_DONE, f"tracejury: {message}. See `{self.prog} --help`.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tracejury",
        description="Judge traces: PASS, FAIL or NOT OBSERVED, with the evidence.",
        epilog="Exit status: 0 pass or done, 1 fail or done in part, 2 cannot judge or not done.",
    )
    parser.add_argument("--version", action="version", version=f"tracejury {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for add in (
        _add_serve,
        _add_live,
        _add_import,
        _add_preflight,
        _add_plan,
        _add_inventory,
        _add_audit,
        _add_compare,
        _add_tui,
        _add_diagnose,
        _add_explain,
        _add_sql,
        _add_export,
        _add_faults,
        _add_demo,
    ):
        add(commands)
    return parser


def _command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    *,
    epilog: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary, epilog=epilog)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="tracejury.toml (default: the nearest upwards)"
    )
    return parser


def _store_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, metavar="FILE", help="the store (a DuckDB file)")


def _files_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="OTLP files to read")


def _run_options(parser: argparse.ArgumentParser, *, several_stores: bool = False) -> None:
    _files_argument(parser)
    if several_stores:
        parser.add_argument(
            "--store",
            dest="stores",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="the store (a DuckDB file); several are one campaign, judged run by run",
        )
    else:
        _store_option(parser)
    _judging_options(parser)


def _judging_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--faults",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="faults that were injected; may be repeated",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="store or OTLP file of a clean run; may be repeated",
    )
    parser.add_argument(
        "--baseline-outside-faults",
        action="store_true",
        help="learn from the judged run itself, from the time outside all fault windows",
    )
    parser.add_argument(
        "--sampling",
        choices=("none",),
        help="declare that nothing was sampled, by SDK, agent or collector",
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _size(text: str) -> int:
    size = byte_count(text)
    if not size:
        raise ValueError
    return size


def _store_size(text: str) -> int:
    size = byte_count(text)
    if size < SMALLEST_STORE:
        raise ValueError
    return size


def _duration(text: str) -> float:
    seconds = duration_seconds(text)
    if not seconds:
        raise ValueError
    return seconds


_port.__name__ = "port"
_store_size.__name__ = f"size of at least {SMALLEST_STORE >> 20} MiB"
_duration.__name__ = "duration such as 36h or 7d"
_size.__name__ = "size"
_share.__name__ = "share between 0 and 1"


def _add_serve(commands: Commands) -> None:
    parser = _command(commands, "serve", _serve, "receive OTLP over gRPC and HTTP into a store")
    _store_option(parser)
    _receiver_options(parser)


def _receiver_options(parser: argparse.ArgumentParser) -> None:
    file: dict[str, Any] = {"type": Path, "metavar": "FILE"}
    port: dict[str, Any] = {"type": _port, "metavar": "PORT"}
    add = parser.add_argument_group("receiver").add_argument
    add("--host", help="address to listen on (default: 127.0.0.1)")
    add("--grpc-port", **port, help="0: any free (default: 4317)")
    add("--http-port", **port, help="0: any free (default: 4318)")
    add(
        "--max-request-size",
        type=_size,
        metavar="SIZE",
        help="of one request after decompression (default: 64MiB)",
    )
    add(
        "--max-size",
        type=_store_size,
        metavar="SIZE",
        help="of the store: beyond it the oldest workflow instances are removed (default: none)",
    )
    add(
        "--max-age",
        type=_duration,
        metavar="DURATION",
        help="such as 36h or 7d: what has been silent for longer is removed (default: none)",
    )
    add("--tls-cert", **file, help="certificate chain as PEM: encrypts both ports")
    add("--tls-key", **file, help="its private key as PEM")
    add("--tls-client-ca", **file, help="CA that signed the clients: asks each for a certificate")
    add("--token-file", **file, help="bearer token to ask for (default: $TRACEJURY_TOKEN, if set)")
    add(
        "--cors-origin",
        action="append",
        metavar="ORIGIN",
        help="origin of web pages that may send over HTTP, or *; may be repeated",
    )


def _add_live(commands: Commands) -> None:
    parser = _command(commands, "live", _live, "receive and browse in one terminal")
    _run_options(parser)
    _receiver_options(parser)


def _add_import(commands: Commands) -> None:
    parser = _command(commands, "import", _import, "load OTLP files into a store")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _store_option(parser)


def _add_audit(commands: Commands) -> None:
    parser = _command(commands, "audit", _audit, "judge a store, or OTLP files directly")
    _run_options(parser, several_stores=True)
    parser.add_argument(
        "--format",
        default="text",
        choices=("text", "json", "markdown", "html", "csv", "junit", "sarif"),
        help="of the report",
    )
    parser.add_argument("--output", type=Path, metavar="PATH", help="write the report there")
    said = parser.add_argument_group("what the report says of the audit").add_argument
    said("--system", metavar="NAME", default="", help="(default: the services that were seen)")
    said("--auditor", metavar="NAME", default="")
    said(
        "--system-type",
        choices=("media", "saas", "ecommerce"),
        default="",
        help="which tasks the report puts first (default: by what was seen)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="ROWS.csv",
        help="what the system's own database says of its jobs: docs/state.md",
    )
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="what persons answer where telemetry cannot tell, as TOML: docs/answers.md",
    )
    parser.add_argument(
        "--fail-on",
        choices=("fail", "partial"),
        default="partial",
        help="which verdict exits with 1 (default: partial, and so FAIL too)",
    )
    parser.add_argument(
        "--min-completeness", type=_share, metavar="SHARE", help="exit with 1 below this ratio"
    )


def _add_compare(commands: Commands) -> None:
    parser = _command(
        commands,
        "compare",
        _compare,
        "judge two runs and say what moved, for better or worse",
        epilog="Example: tracejury compare monday.duckdb friday.duckdb --faults monday.json "
        "--faults friday.json. Exit status: 0 nothing is worse, 1 something is, 2 cannot judge.",
    )
    run = "store, OTLP file, or folder of an export"
    parser.add_argument("before", type=Path, metavar="BEFORE", help=run)
    parser.add_argument("after", type=Path, metavar="AFTER", help=run)
    _judging_options(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))
    parser.add_argument("--output", type=Path, metavar="PATH", help="write the result there")


def _add_preflight(commands: Commands) -> None:
    parser = _command(
        commands,
        "preflight",
        _preflight,
        "before the chaos: which checks could decide with this telemetry, and what would help",
        epilog="Example: tracejury preflight --store run.duckdb --baseline clean.duckdb",
    )
    _run_options(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_plan(commands: Commands) -> None:
    parser = _command(
        commands,
        "plan",
        _plan,
        "the fewest faults that would decide the open criteria, by risk",
        epilog="Example: tracejury plan --store run.duckdb --baseline clean.duckdb",
    )
    _run_options(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_inventory(commands: Commands) -> None:
    parser = _command(
        commands,
        "inventory",
        _inventory,
        "every workflow that ran: steps, time, dependencies, failures",
        epilog="Example: tracejury inventory --store clean.duckdb --emit >> tracejury.toml",
    )
    _run_options(parser)
    parser.add_argument(
        "--emit", action="store_true", help="write it as declarations for tracejury.toml, to edit"
    )


def _add_tui(commands: Commands) -> None:
    parser = _command(commands, "tui", _tui, "browse a store, also while `serve` writes it")
    _run_options(parser)
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="BEFORE",
        help="an earlier run, as of `compare`: c shows what moved since",
    )


def _add_diagnose(commands: Commands) -> None:
    parser = _command(
        commands,
        "diagnose",
        _diagnose,
        "rank who is to blame for each fault window; without --faults, tell where each failed or "
        "slow workflow instance failed or lost its time",
    )
    _run_options(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_explain(commands: Commands) -> None:
    parser = _command(
        commands, "explain", _explain, "what a check looks for, why, and how to fix it"
    )
    parser.add_argument("id", nargs="?", metavar="ID", help="for example OBS-03 (default: all)")
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_sql(commands: Commands) -> None:
    parser = _command(commands, "sql", _sql, "run one SELECT over the public views")
    _store_option(parser)
    parser.add_argument("query", metavar="QUERY")
    parser.add_argument("--format", default="table", choices=("table", "csv", "json"))


def _add_export(commands: Commands) -> None:
    parser = _command(commands, "export", _export, "write a store as OTLP/JSON lines")
    _store_option(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write to"
    )


def _add_faults(commands: Commands) -> None:
    parser = commands.add_parser("faults", help="check a fault file, line by line")
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    check = _command(actions, "check", _check_faults, "check a fault file, line by line")
    check.add_argument("file", type=Path, metavar="FILE")


def _add_demo(commands: Commands) -> None:
    _command(commands, "demo", _demo, "audit a recorded chaos run")


def _config(options: argparse.Namespace) -> Config:
    """The configuration, with what the command line says in its place."""
    config = load_config(options.config, start=Path.cwd())
    changes = {
        name: value
        for name in ("store", "sampling")
        if (value := getattr(options, name, None)) is not None
    }
    for name in ("faults", "baseline"):
        if named := getattr(options, name, []):
            changes[name] = tuple(named)
    if getattr(options, "baseline_outside_faults", False):
        if getattr(options, "baseline", []):
            raise UsageError(
                "Both --baseline and --baseline-outside-faults are named.",
                next_step="Choose one of them.",
            )
        changes |= {"learns_outside_faults": True, "baseline": ()}
    return replace(
        config,
        serve=_serving(options, config.serve),
        retention=_keeping(options, config.retention),
        **changes,
    )


def _keeping(options: argparse.Namespace, configured: Retention) -> Retention:
    max_size, max_age = (getattr(options, name, None) for name in ("max_size", "max_age"))
    return replace(
        configured,
        max_size=configured.max_size if max_size is None else max_size,
        max_age_seconds=configured.max_age_seconds if max_age is None else max_age,
    )


def _serving(options: argparse.Namespace, configured: Serve) -> Serve:
    said = {
        option.name: value
        for option in fields(Serve)
        if (value := getattr(options, option.name, None)) is not None
    }
    if "cors_origin" in said:
        said["cors_origin"] = tuple(said["cors_origin"])
    serving = replace(configured, **said)
    if not all(origin.strip() for origin in serving.cors_origin):
        raise UsageError(
            "An empty CORS origin admits no web page.",
            next_step="Name one such as https://shop.example, or * for all, or leave it out.",
        )
    return serving


def _store_path(config: Config) -> Path:
    if config.store is None:
        raise UsageError("No store is named.", next_step="Use --store FILE, or [run] store.")
    if config.store.name.isspace():
        name = str(config.store)
        raise UsageError(f"The store's name {name!r} is blank.", next_step="Use --store FILE.")
    return config.store


def _serve(options: argparse.Namespace) -> int:
    from tracejury.receiver.announcement import announcement
    from tracejury.receiver.server import run_receiver

    config = _config(options)
    run_receiver(
        store=_store_path(config),
        serve=config.serve,
        keeping=config.keeping,
        retention=config.retention,
        announce=lambda addresses: print(announcement(addresses), flush=True),
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    return DONE


def _import(options: argparse.Namespace) -> int:
    from tracejury.store.writer import Store

    missing = next((file for file in options.files if not file.is_file()), None)
    if missing is not None and missing.is_dir():
        raise InputError(f"{missing} is a folder.", next_step=f"Name the files: {missing}/*.")
    if missing is not None:
        raise InputError(f"There is no file {missing}.", next_step="Nothing was loaded.")
    config = _config(options)
    path = _store_path(config)
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
        print(f"tracejury: {error}", file=sys.stderr)
        return None
    print(_loaded_line(file, loaded))
    _tell(file, loaded)
    return loaded


def _loaded_line(file: Path, loaded: "Loaded") -> str:
    from tracejury.telemetry.safe_text import safe_text

    parts = [f"{loaded.stored:,} records stored"]
    if loaded.duplicates:
        parts.append(f"{loaded.duplicates:,} duplicates left out")
    if loaded.rejected:
        parts.append(f"{loaded.rejected:,} spans without valid ids refused")
    return safe_text(f"{file}: {', '.join(parts)}")


def _tell(file: Path, loaded: "Loaded") -> None:
    """Name what of a file was not loaded, on stderr."""
    from tracejury.telemetry.safe_text import safe_text

    for refused in loaded.refused[:20]:
        print(safe_text(f"{file}: {refused.position}: {refused.reason}"), file=sys.stderr)
    if len(loaded.refused) > 20:
        print(f"{file}: and {len(loaded.refused) - 20} more broken records", file=sys.stderr)


def _open(options: argparse.Namespace, config: Config) -> "Reader":
    """The telemetry to judge: the files named, else the store."""
    from tracejury.receiver.inputs import open_inputs
    from tracejury.report.progress import reading

    with reading() as progress:
        return open_inputs(_paths(options, config), _tell, progress, keeping=config.keeping)


def _paths(options: argparse.Namespace, config: Config) -> list[Path]:
    """What is judged: the files named, else the store."""
    if options.files and options.store:
        raise UsageError("Both files and --store are named.", next_step="Choose one of them.")
    return list(options.files) or [_store_path(config)]


def _learn(
    config: Config, judged: Sequence[Path] = (), *, with_times: bool = False
) -> "Baseline | None":
    """What the clean run teaches, or the calm time of the one judged; None where none is named."""
    if config.learns_outside_faults:
        return _learn_outside(config, judged)
    if not config.baseline:
        return None
    from tracejury.receiver.inputs import open_inputs
    from tracejury.report.progress import reading
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.rebuild import prepare

    with (
        reading() as progress,
        open_inputs(config.baseline, _tell, progress, keeping=config.keeping) as clean,
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


def _learn_outside(config: Config, judged: Sequence[Path]) -> "Baseline":
    """What the time of the judged run teaches in which no fault lasted."""
    from tracejury.receiver.inputs import open_inputs
    from tracejury.report.progress import reading
    from tracejury.scorecard.fault_results import faults_of_run
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import prepare

    with (
        reading() as progress,
        # What is wrong with a file is said when it is judged.
        open_inputs(judged, lambda *_: None, progress, keeping=config.keeping) as run,
    ):
        injected = with_logged(run, faults_of_run(run, _all_injected(config)))
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


def _injected(config: Config) -> "tuple[Fault, ...]":
    """The faults of one run, from every file named."""
    from tracejury.workflow.faults import read_faults, with_own_ids

    return with_own_ids(fault for path in config.faults for fault in read_faults(path))


def _measured(inputs: tuple[str, ...]) -> "tuple[Measurement, ...]":
    """How long persons took to find roots in this run, by the TUI's stopwatch."""
    from tracejury.workflow.stopwatch import measurements, stopwatch_file

    return measurements(stopwatch_file(Path(inputs[0])))


def _judge(options: argparse.Namespace, config: Config) -> "tuple[Audit, Reader]":
    from tracejury.scorecard.audit import audit
    from tracejury.scorecard.brought import Brought

    injected, rows = _injected(config), _state_rows(options)
    answers = _answers(options)
    baseline = _learn(config, _paths(options, config))
    reader = _open(options, config)
    inputs = _inputs(options, config)
    judged = audit(
        reader,
        config,
        injected=injected,
        baseline=baseline,
        inputs=inputs,
        brought=Brought(_measured(inputs), rows, answers),
    )
    _warn_of_outside(reader, injected)
    _warn_of_unused_answers(answers, judged)
    return judged, reader


def _inputs(options: argparse.Namespace, config: Config) -> tuple[str, ...]:
    return tuple(str(path) for path in options.files) or (str(config.store),)


def _state_rows(options: argparse.Namespace) -> "pa.Table":
    from tracejury.workflow.state_rows import no_state_rows, read_state_rows

    return read_state_rows(options.state) if options.state else no_state_rows()


def _answers(options: argparse.Namespace) -> "tuple[Answer, ...]":
    if options.answers is None:
        return ()
    from tracejury.scorecard.answers import read_answers

    return read_answers(options.answers)


def _warn_of_unused_answers(answers: "tuple[Answer, ...]", judged: "Audit") -> None:
    from tracejury.scorecard.answers import unused
    from tracejury.telemetry.safe_text import safe_text

    for answer, outcome in unused(answers, judged):
        said = f"The answer to {answer.id} is not used: without it the outcome is {outcome}."
        print(safe_text(f"tracejury: {said}"), file=sys.stderr)


def _warn_of_outside(reader: "Reader", injected: "tuple[Fault, ...]") -> None:
    from tracejury.scorecard.fault_results import outside_of_run

    _say_outside(outside_of_run(reader, injected))


def _say_outside(names: Iterable[str]) -> None:
    from tracejury.telemetry.safe_text import safe_text

    for name in names:
        said = f"The window of fault {name} lies outside the telemetry; check its start and end."
        print(safe_text(f"tracejury: {said}"), file=sys.stderr)


def _audit(options: argparse.Namespace) -> int:
    from tracejury.report.render import render
    from tracejury.report.terminal import PLAIN, Terminal

    options.store = next(iter(options.stores), None)
    config = _config(options)
    if len(options.stores) > 1:
        judged = _judge_campaign(options, config)
    else:
        judged, reader = _judge(options, config)
        reader.close()
    named = {name: getattr(options, name) for name in ("system", "auditor", "system_type")}
    judged = replace(judged, **named)
    to_screen = options.output is None
    terminal = Terminal.of(sys.stdout, os.environ) if to_screen else PLAIN
    _write(render(judged, options.format, terminal=terminal), options.output)
    return _audit_status(judged, options)


def _compare(options: argparse.Namespace) -> int:
    from tracejury.receiver.inputs import run_files
    from tracejury.report.comparison import render_comparison
    from tracejury.report.terminal import PLAIN, Terminal
    from tracejury.scorecard.compare import compare

    config = _config(options)
    runs = [(path, run_files(path)) for path in (options.before, options.after)]
    before, after = _judge_runs(runs, config)
    compared = compare(before, after)
    terminal = PLAIN if options.output else Terminal.of(sys.stdout, os.environ)
    _write(render_comparison(compared, options.format, terminal), options.output)
    if not compared.can_judge:
        return NOT_DONE
    return NOT_GOOD if compared.regressions else DONE


def _judge_campaign(options: argparse.Namespace, config: Config) -> "Audit":
    """Judge several stores, each on its own, and let of everything the newest evidence count."""
    from tracejury.scorecard.campaign import campaign

    if options.files:
        raise UsageError("Both files and --store are named.", next_step="Choose one of them.")
    if options.state:
        raise UsageError(
            "Rows of a database are of one run, and several stores are named.",
            next_step="Leave --state out, or name one --store.",
        )
    answers = _answers(options)
    runs = _judge_runs([(path, (path,)) for path in options.stores], config)
    judged = campaign(
        [run.audit for run in runs], stale_days=config.policy.stale_days, answers=answers
    )
    _warn_of_unused_answers(answers, judged)
    return judged


def _judge_runs(runs: Sequence[tuple[Path, Sequence[Path]]], config: Config) -> "tuple[Run, ...]":
    """Judge each of several runs, by its name and files, for the faults of its own time."""
    injected = _all_injected(config)
    baseline = None if config.learns_outside_faults else _learn(config)
    judged = tuple(_judge_run(name, files, config, injected, baseline) for name, files in runs)
    _warn_of_unused(injected, *(run.audit for run in judged))
    return judged


def _warn_of_unused(injected: "tuple[Fault, ...]", *judged: "Audit") -> None:
    used = {(fault.id, fault.start_ns) for audit in judged for fault in audit.faults}
    _say_outside(fault.id for fault in injected if (fault.id, fault.start_ns) not in used)


def _all_injected(config: Config) -> "tuple[Fault, ...]":
    """The faults of several runs; each run takes those of its own time."""
    from tracejury.workflow.faults import read_faults

    return tuple(fault for path in config.faults for fault in read_faults(path))


def _judge_run(
    name: Path,
    files: Sequence[Path],
    config: Config,
    injected: "tuple[Fault, ...]",
    baseline: "Baseline | None",
) -> "Run":
    """Judge one run of several, for the faults that lie in its time."""
    from tracejury.receiver.inputs import open_inputs
    from tracejury.report.progress import reading
    from tracejury.scorecard.audit import audit
    from tracejury.scorecard.brought import Brought
    from tracejury.scorecard.compare import Run
    from tracejury.scorecard.fault_results import faults_of_run
    from tracejury.scorecard.step_durations import step_durations

    with (
        reading() as progress,
        open_inputs(files, _tell, progress, keeping=config.keeping) as reader,
    ):
        inputs = (str(name),)
        if config.learns_outside_faults:
            baseline = _learn_outside(config, files)
        judged = audit(
            reader,
            config,
            injected=faults_of_run(reader, injected),
            baseline=baseline,
            inputs=inputs,
            brought=Brought(_measured(inputs)),
        )
        return Run(judged, step_durations(reader))


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written: {error.strerror}.", next_step="Name another --output."
        ) from error
    print(f"Written to {output}.", file=sys.stderr)


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
    from tracejury.scorecard.foresight.preflight import preflight

    config = _config(options)
    with _evidence(options, config) as evidence:
        outlook = preflight(evidence)
    terminal = Terminal.of(sys.stdout, os.environ)
    inputs = _inputs(options, config)
    _write(render_preflight(outlook, options.format, inputs=inputs, terminal=terminal), None)
    return DONE


def _plan(options: argparse.Namespace) -> int:
    from tracejury.report.plan import render_plan
    from tracejury.report.terminal import Terminal
    from tracejury.scorecard.foresight.plan import plan

    with _evidence(options, _config(options)) as evidence:
        made = plan(evidence)
    terminal = Terminal.of(sys.stdout, os.environ)
    _write(render_plan(made, options.format, terminal=terminal), None)
    return DONE


def _inventory(options: argparse.Namespace) -> int:
    from tracejury.report.declaration import render_declaration
    from tracejury.report.inventory import render_inventory
    from tracejury.report.terminal import Terminal
    from tracejury.scorecard.inventory import inventory

    config = _config(options)
    with _evidence(options, config) as evidence:
        learnt = inventory(evidence)
    if not options.emit:
        _write(render_inventory(learnt, terminal=Terminal.of(sys.stdout, os.environ)), None)
        return DONE
    if not any(workflow.ok for workflow in learnt.workflows):
        raise InputError(
            f"No workflow instance of {', '.join(_inputs(options, config))} went well.",
            next_step="Record a run in which nothing fails.",
        )
    _write(render_declaration(learnt), None)
    return DONE


@contextmanager
def _evidence(options: argparse.Namespace, config: Config) -> "Iterator[Evidence]":
    """The run that the options name, prepared; refused where there is no telemetry in it."""
    from tracejury.checks.evidence import Evidence
    from tracejury.workflow.baseline import Baseline
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import prepare

    injected = _injected(config)
    baseline = _learn(config, _paths(options, config)) or Baseline.empty()
    with _open(options, config) as reader:
        if not reader.value("SELECT count(*) FROM stored.span"):
            raise InputError(
                f"{', '.join(_inputs(options, config))} holds no spans.",
                next_step="Receive a minute of ordinary traffic with `tracejury serve`.",
            )
        injected = with_logged(reader, injected)
        prepare(reader, config, injected=injected, baseline=baseline)
        yield Evidence(reader, config, baseline.exists)


def _tui(options: argparse.Namespace) -> int:
    config = _config(options)
    return _browse(options, config)


def _browse(
    options: argparse.Namespace, config: Config, *, receiver: "Receiving | None" = None
) -> int:
    from tracejury.receiver.inputs import run_files
    from tracejury.tui.app import TracejuryApp

    # What cannot be read is said before the screen is taken over.
    earlier: Path | None = getattr(options, "compare", None)
    files = run_files(earlier) if earlier else ()
    injected = _all_injected(config) if earlier else _injected(config)
    baseline = _learn(config, _paths(options, config), with_times=not injected)
    from tracejury.scorecard.audit import audit
    from tracejury.scorecard.brought import Brought
    from tracejury.scorecard.fault_results import faults_of_run
    from tracejury.tui.stopwatch import Stopwatch
    from tracejury.workflow.stopwatch import stopwatch_file

    inputs = tuple(str(path) for path in options.files) or (str(_store_path(config)),)
    stopwatch = Stopwatch(stopwatch_file(Path(inputs[0])))

    def load() -> "tuple[Audit, Reader]":
        reader = _open(options, config)
        judged = audit(
            reader,
            config,
            injected=faults_of_run(reader, injected) if earlier else injected,
            baseline=baseline,
            inputs=inputs,
            brought=Brought(_measured(inputs)),
        )
        return judged, reader

    app = partial(TracejuryApp, load, title=", ".join(inputs), stopwatch=stopwatch)
    if receiver is None:
        _open(options, config).close()
        ready = app()
    else:
        ready = app(announced=receiver.announced, trouble=receiver.trouble)
    if earlier:
        ready.compare_with(_judge_run(earlier, files, config, injected, baseline))
    ready.run()
    return DONE


def _live(options: argparse.Namespace) -> int:
    from tracejury.receiver.child import receiving

    config = _config(options)
    if options.files:
        raise UsageError("`live` takes no files.", next_step="Use `tracejury tui FILE...`.")
    with receiving(_store_path(config), config) as receiver:
        _browse(options, config, receiver=receiver)
        if trouble := receiver.trouble():
            raise ReceiverError(trouble, next_step="Start it again.")
    return DONE


def _diagnose(options: argparse.Namespace) -> int:
    from tracejury.report.diagnosis import render_diagnosis, render_instances
    from tracejury.scorecard.fault_results import fault_results
    from tracejury.scorecard.instances import diagnosed_instances
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import prepare

    config = _config(options)
    injected = _injected(config)
    baseline = _learn(config, _paths(options, config), with_times=not injected)
    with _open(options, config) as reader:
        injected = with_logged(reader, injected)
        prepare(reader, config, injected=injected, baseline=baseline)
        if not injected:
            _write(render_instances(diagnosed_instances(reader), options.format), None)
            return DONE
        _warn_of_outside(reader, injected)
        _write(render_diagnosis(fault_results(reader, injected), options.format), None)
    return DONE


def _explain(options: argparse.Namespace) -> int:
    from tracejury.checks.explanation import all_explanations
    from tracejury.report.explain import render_explanations
    from tracejury.report.terminal import Terminal

    known = all_explanations()
    wanted = options.id
    chosen = [e for e in known if wanted is None or e.id.lower() == wanted.lower()]
    if not chosen:
        ids = [e.id for e in known]
        near = difflib.get_close_matches(wanted.upper(), ids, n=1, cutoff=0.7)
        raise UsageError(
            f"There is no check {wanted!r}.",
            next_step=f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join(ids)}.",
        )
    terminal = Terminal.of(sys.stdout, os.environ)
    _write(render_explanations(chosen, options.format, terminal=terminal), None)
    return DONE


def _sql(options: argparse.Namespace) -> int:
    from tracejury.report.answer import render_answer
    from tracejury.store.query import ask
    from tracejury.store.reader import Reader
    from tracejury.workflow.logged_faults import with_logged
    from tracejury.workflow.rebuild import rebuild

    config = _config(options)
    with Reader.open(_store_path(config)) as reader:
        injected = with_logged(reader, _injected(config))
        rebuild(reader, config, injected=injected, baseline=_learn(config))
        _write(render_answer(ask(reader, options.query), options.format), None)
    return DONE


def _export(options: argparse.Namespace) -> int:
    from tracejury.report.otlp_files import export_store
    from tracejury.store.reader import Reader

    with Reader.open(_store_path(_config(options))) as reader:
        for path, requests in export_store(reader, options.output):
            print(f"{path}: {requests:,} requests")
    return DONE


def _check_faults(options: argparse.Namespace) -> int:
    from tracejury.telemetry.safe_text import safe_text
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
    for folder in (here.parent / "sample-traces", here.parents[2] / "sample-traces"):
        if folder.is_dir():
            return folder
    raise InputError(
        "The sample traces are not installed.",
        next_step="Clone the repository: they are in its folder sample-traces.",
    )


def _from_here(path: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
