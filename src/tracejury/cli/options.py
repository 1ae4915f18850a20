"""What may be said on the command line, and the configuration that it makes."""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

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
from tracejury.errors import TracejuryError, UsageError

Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(TracejuryError.exit_status, f"tracejury: {message}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
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
    summary: str,
    *,
    epilog: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary, epilog=epilog)
    parser.set_defaults(command=name)
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


def _answers_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="what persons answer where telemetry cannot tell, as TOML: docs/answers.md",
    )


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
    parser = _command(commands, "serve", "receive OTLP over gRPC and HTTP into a store")
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
    parser = _command(commands, "live", "receive and browse in one terminal")
    _run_options(parser)
    _before_option(parser)
    _receiver_options(parser)


def _add_import(commands: Commands) -> None:
    parser = _command(commands, "import", "load OTLP files into a store")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _store_option(parser)


def _add_preflight(commands: Commands) -> None:
    parser = _command(
        commands,
        "preflight",
        "before the chaos: which checks could decide with this telemetry, and what would help",
        epilog="Example: tracejury preflight --store run.duckdb --baseline clean.duckdb",
    )
    _run_options(parser)
    _answers_option(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_plan(commands: Commands) -> None:
    parser = _command(
        commands,
        "plan",
        "the fewest faults that would decide the open criteria, by risk",
        epilog="Example: tracejury plan --store run.duckdb --baseline clean.duckdb",
    )
    _run_options(parser)
    _answers_option(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_inventory(commands: Commands) -> None:
    parser = _command(
        commands,
        "inventory",
        "every workflow that ran: steps, time, dependencies, failures",
        epilog="Example: tracejury inventory --store clean.duckdb --emit >> tracejury.toml",
    )
    _run_options(parser)
    parser.add_argument(
        "--emit", action="store_true", help="write it as declarations for tracejury.toml, to edit"
    )


def _add_audit(commands: Commands) -> None:
    parser = _command(commands, "audit", "judge a store, or OTLP files directly")
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
    _answers_option(parser)
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


def _add_tui(commands: Commands) -> None:
    parser = _command(commands, "tui", "browse a store, also while `serve` writes it")
    _run_options(parser)
    _before_option(parser)


def _before_option(parser: argparse.ArgumentParser) -> None:
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
        "rank who is to blame for each fault window; without --faults, tell where each failed or "
        "slow workflow instance failed or lost its time",
    )
    _run_options(parser)
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_explain(commands: Commands) -> None:
    parser = _command(commands, "explain", "what a check looks for, why, and how to fix it")
    parser.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        help="a check, or what it decides: OBS-03, CRITICAL-4, T01 (default: all)",
    )
    parser.add_argument("--format", default="text", choices=("text", "json"))


def _add_sql(commands: Commands) -> None:
    parser = _command(commands, "sql", "run one SELECT over the public views")
    _store_option(parser)
    _judging_options(parser)
    parser.add_argument("query", metavar="QUERY")
    parser.add_argument("--format", default="table", choices=("table", "csv", "json"))


def _add_export(commands: Commands) -> None:
    parser = _command(commands, "export", "write a store as OTLP/JSON lines")
    _store_option(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write to"
    )


def _add_faults(commands: Commands) -> None:
    parser = commands.add_parser("faults", help="check a fault file, line by line")
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    check = _command(actions, "check", "check a fault file, line by line")
    check.add_argument("file", type=Path, metavar="FILE")


def _add_demo(commands: Commands) -> None:
    _command(commands, "demo", "audit a recorded chaos run")


def configuration(options: argparse.Namespace) -> Config:
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


def store_path(config: Config) -> Path:
    if config.store is None:
        raise UsageError("No store is named.", next_step="Use --store FILE, or [run] store.")
    if config.store.name.isspace():
        name = str(config.store)
        raise UsageError(f"The store's name {name!r} is blank.", next_step="Use --store FILE.")
    return config.store
