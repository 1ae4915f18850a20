"""tracejury.toml: what was configured, checked key by key."""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tracejury.errors import UsageError

FILE_NAME: Final = "tracejury.toml"

# What the OTLP specification recommends, after decompression.
REQUEST_LIMIT: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Policy:
    """Every bound that a verdict uses; the unit is in the name, shares lie between 0 and 1."""

    call_seconds: float = 30.0
    connect_seconds: float = 5.0
    statement_seconds: float = 30.0
    storage_seconds: float = 120.0
    job_seconds: float = 1800.0
    stuck_seconds: float = 7200.0
    redelivery_seconds: float = 3600.0
    settle_seconds: float = 35.0
    detection_seconds: float = 300.0
    recovery_seconds: float = 300.0
    attempts: float = 10.0
    loop_turns: float = 10_000.0
    loop_seconds: float = 1800.0
    failures_in_a_row: float = 5.0
    breaker_failures: float = 5.0
    failed_items_share: float = 0.5
    skew_seconds: float = 1.0
    grace_seconds: float = 5.0
    silence_seconds: float = 300.0
    gap_seconds: float = 1.0
    gap_share: float = 0.2
    short_workflow_seconds: float = 1.0
    correlated_warnings_share: float = 0.95
    correlated_logs_share: float = 0.80
    correlated_records_share: float = 0.95
    call_details_share: float = 0.95
    numbered_attempts_share: float = 0.95
    timed_share: float = 0.80
    candidates: float = 1.5
    minimum_logs: float = 20.0
    stale_days: float = 30.0


@dataclass(frozen=True, slots=True)
class DeclaredWorkflow:
    """A workflow as its owners describe it. Steps are named `service: span name` or `span name`.

    `items` is the attribute that names one item of a job of it.
    """

    name: str
    steps: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    trigger: str = ""
    expected_seconds: float | None = None
    items: str = ""
    dependencies: tuple[str, ...] = ()
    step_seconds: tuple[tuple[str, float], ...] = ()
    step_class: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Serve:
    """How `serve` listens, and to whom; `max_request_size` in bytes after decompression."""

    host: str = "127.0.0.1"
    grpc_port: int = 4317
    http_port: int = 4318
    max_request_size: int = REQUEST_LIMIT
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    token_file: Path | None = None
    cors_origin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is taken out of telemetry before it is stored; docs/redaction.md has the defaults.

    `keys` and `allow` are names of attributes in which `*` stands for anything, in any case; what
    `allow` names is left as it is. `patterns` are regular expressions in RE2's syntax, of which
    every match is replaced.
    """

    defaults: bool = True
    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keeping:
    """What of the telemetry that arrives is kept."""

    redaction: Redaction = field(default_factory=Redaction)


@dataclass(frozen=True, slots=True)
class Retention:
    """How much `serve` keeps: `max_size` in bytes; None: there is no such bound.

    Traces that have one of the `keys` in common, or a well-known one, go together.
    """

    max_size: int | None = None
    max_age_seconds: float | None = None
    keys: tuple[str, ...] = ()

    @property
    def is_bounded(self) -> bool:
        return self.max_size is not None or self.max_age_seconds is not None


@dataclass(frozen=True, slots=True)
class Config:
    """What tracejury.toml and the command line say, with defaults for the rest.

    Paths are absolute or relative to the working directory, already resolved against the file.
    """

    store: Path | None = None
    faults: tuple[Path, ...] = ()
    baseline: tuple[Path, ...] = ()
    learns_outside_faults: bool = False  # of the judged run itself, and of no other
    correlation_keys: tuple[str, ...] = ()
    sampling: str = ""
    absent_components: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    workflows: tuple[DeclaredWorkflow, ...] = ()
    serve: Serve = field(default_factory=Serve)
    keeping: Keeping = field(default_factory=Keeping)
    retention: Retention = field(default_factory=Retention)
    path: Path | None = None


STEP_CLASSES: Final = ("compute", "database", "external", "internal", "queue")

_WORKFLOW_KEYS: Final = tuple(f.name for f in fields(DeclaredWorkflow) if f.name != "name")
_SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "run": ("store", "faults", "baseline"),
    "correlation": ("keys",),
    "evidence": ("sampling",),
    "components": ("queue",),
    "policy": tuple(f.name for f in fields(Policy)),
    "serve": tuple(f.name for f in fields(Serve)),
    "workflow": (),
    "redaction": tuple(f.name for f in fields(Redaction)),
    "retention": ("max_size", "max_age"),
}


_UNITS: Final[dict[str, int]] = {
    "": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
}


def byte_count(text: str) -> int:
    """The bytes that a size like `64 MiB`, `2GB` or `1000` means; raises `ValueError`."""
    found = re.fullmatch(r"\s*([0-9]{1,15})\s*([KMGT]i?B)?\s*", text)
    if found is None:
        raise ValueError(f"{text!r} is no size")
    return int(found[1]) * _UNITS[found[2] or ""]


# The least that `serve` can hold itself to: what is written between two looks at the size.
SMALLEST_STORE: Final = 16 * 2**20

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration_seconds(text: str) -> float:
    """The seconds that a duration like `90m`, `36h` or `7d` means; raises `ValueError`."""
    found = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smhdw])\s*", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return float(found[1]) * _SECONDS[found[2]]


def load_config(path: Path | None, *, start: Path) -> Config:
    """The configuration at `path`, else of the nearest tracejury.toml from `start` upwards.

    Raises `UsageError` for a file that cannot be read, is no TOML, or has a key that is none.
    """
    found = path or next(
        (
            folder / FILE_NAME
            for folder in (start, *start.parents)
            if (folder / FILE_NAME).is_file()
        ),
        None,
    )
    if found is None:
        return Config()
    try:
        document = tomllib.loads(found.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{found} cannot be read: {error.strerror}.",
            next_step=f"Name the file {FILE_NAME} itself.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{found} is not valid TOML: {error}.", next_step="Correct it there."
        ) from error
    return _parse(document, found)


def _parse(document: Mapping[str, Any], path: Path) -> Config:
    _known(document, _SECTIONS, "", path)
    for section, keys in _SECTIONS.items():
        table = _table(document.get(section, {}), section, path)
        if section != "workflow":
            _known(table, keys, section, path)
    run = document.get("run", {})
    keys = _texts(document.get("correlation", {}).get("keys", []), "correlation.keys", path)
    sampling = _text(document.get("evidence", {}).get("sampling", ""), "evidence.sampling", path)
    if sampling not in ("", "none"):
        raise UsageError(
            f'{path}: evidence.sampling can only be "none", not "{sampling}".',
            next_step="Leave it out where something is sampled.",
        )
    return Config(
        store=_path(run, "store", path),
        faults=_paths(run, "faults", path),
        baseline=_paths(run, "baseline", path),
        correlation_keys=keys,
        sampling=sampling,
        absent_components=_absent(document.get("components", {}), path),
        policy=_policy(document.get("policy", {}), path),
        workflows=tuple(
            _workflow(name, _table(table, f'workflow."{name}"', path), path)
            for name, table in document.get("workflow", {}).items()
        ),
        serve=_serve(document.get("serve", {}), path),
        keeping=Keeping(
            redaction=_redaction(document.get("redaction", {}), path),
        ),
        retention=_retention(document.get("retention", {}), keys, path),
        path=path,
    )


def _known(
    table: Mapping[str, Any], known: Mapping[str, Any] | tuple[str, ...], where: str, path: Path
) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, list(known), n=1, cutoff=0)
            place = f"[{where}] " if where else ""
            hint = f'Did you mean "{near[0]}"?' if near else ""
            raise UsageError(f'{path}: {place}has no key "{key}".', next_step=hint)


def _table(value: object, where: str, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {where} must be a table.", next_step=f"Write it as [{where}].")
    return value


def _text(value: object, where: str, path: Path) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{path}: {where} must be text, not {value!r}.", next_step="Quote it.")
    return value


def _texts(value: object, where: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UsageError(
            f"{path}: {where} must be a list of texts, not {value!r}.",
            next_step='Write it as ["one", "two"].',
        )
    return tuple(_text(entry, where, path) for entry in value)


def _path(run: Mapping[str, Any], key: str, path: Path) -> Path | None:
    return path.parent / _text(run[key], f"run.{key}", path) if key in run else None


def _paths(run: Mapping[str, Any], key: str, path: Path) -> tuple[Path, ...]:
    value = run.get(key, [])
    entries = [value] if isinstance(value, str) else value
    return tuple(path.parent / entry for entry in _texts(entries, f"run.{key}", path))


def _absent(table: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    for key, value in table.items():
        if value != "none":
            raise UsageError(
                f'{path}: components.{key} can only be "none", not {value!r}.',
                next_step="Leave it out where there is one.",
            )
    return tuple(sorted(table))


# In seconds about thirty years; nanoseconds of it still fit into 64 bits.
_LARGEST_NUMBER: Final = 1_000_000_000


def _number(value: object, where: str, path: Path) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= _LARGEST_NUMBER
    ):
        raise UsageError(
            f"{path}: {where} must be a number from 0 to {_LARGEST_NUMBER:,}, not {value!r}.",
            next_step="Write it without quotes and without its unit.",
        )
    return float(value)


def _policy(table: Mapping[str, Any], path: Path) -> Policy:
    bounds = {key: _number(value, f"policy.{key}", path) for key, value in table.items()}
    for key, value in bounds.items():
        if key.endswith("_share") and not 0 < value <= 1:
            raise UsageError(
                f"{path}: policy.{key} must be a share above 0 and up to 1, not {value:g}.",
                next_step="Write 95 % as 0.95.",
            )
    if bounds.get("attempts", 1) < 1:
        raise UsageError(
            f"{path}: policy.attempts must be at least 1, not {bounds['attempts']:g}.",
            next_step="The first call of anything is an attempt.",
        )
    return Policy(**bounds)


def _serve(table: Mapping[str, Any], path: Path) -> Serve:
    read: dict[str, Callable[[object, str, Path], Any]] = {
        "host": _text,
        "grpc_port": _port,
        "http_port": _port,
        "max_request_size": _size,
        "cors_origin": _texts,
    }
    return Serve(
        **{key: read.get(key, _file)(value, f"serve.{key}", path) for key, value in table.items()}
    )


def _file(value: object, where: str, path: Path) -> Path:
    return path.parent / _text(value, where, path)


def _port(value: object, where: str, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise UsageError(
            f"{path}: {where} must be a port, not {value!r}.",
            next_step="Write a number from 0 to 65535; 0 is any free one.",
        )
    return value


def _size(value: object, where: str, path: Path) -> int:
    try:
        size = byte_count(str(value))
    except ValueError:
        size = 0
    if not size:
        raise UsageError(
            f"{path}: {where} must be a size, not {value!r}.", next_step='Write it as "64MiB".'
        )
    return size


def _retention(table: Mapping[str, Any], keys: tuple[str, ...], path: Path) -> Retention:
    max_size = max_age = None
    if "max_size" in table:
        max_size = _size(table["max_size"], "retention.max_size", path)
        if max_size < SMALLEST_STORE:
            raise UsageError(
                f"{path}: retention.max_size must be at least {SMALLEST_STORE >> 20} MiB.",
                next_step="A store takes some megabytes before it holds anything.",
            )
    if "max_age" in table:
        max_age = _duration(table["max_age"], "retention.max_age", path)
    return Retention(max_size, max_age, keys)


def _duration(value: object, where: str, path: Path) -> float:
    try:
        seconds = duration_seconds(str(value))
    except ValueError:
        seconds = 0
    if not seconds:
        raise UsageError(
            f"{path}: {where} must be a duration, not {value!r}.",
            next_step='Write it as "36h" or "7d".',
        )
    return seconds


def _redaction(table: Mapping[str, Any], path: Path) -> Redaction:
    defaults = table.get("defaults", True)
    if not isinstance(defaults, bool):
        raise UsageError(
            f"{path}: redaction.defaults must be true or false, not {defaults!r}.",
            next_step="Write it without quotes.",
        )
    lists = {
        name: _texts(table.get(name, []), f"redaction.{name}", path)
        for name in ("keys", "patterns", "allow")
    }
    return Redaction(defaults=defaults, **lists)


def _workflow(name: str, table: Mapping[str, Any], path: Path) -> DeclaredWorkflow:
    where = f'workflow."{name}"'
    _known(table, _WORKFLOW_KEYS, where, path)
    expected = table.get("expected_seconds")
    return DeclaredWorkflow(
        name=name,
        steps=_texts(table.get("steps", []), f"{where}.steps", path),
        optional=_texts(table.get("optional", []), f"{where}.optional", path),
        trigger=_text(table.get("trigger", ""), f"{where}.trigger", path),
        expected_seconds=None
        if expected is None
        else _number(expected, f"{where}.expected_seconds", path),
        items=_text(table.get("items", ""), f"{where}.items", path),
        dependencies=_texts(table.get("dependencies", []), f"{where}.dependencies", path),
        step_seconds=tuple(
            (step, _number(seconds, f'{where}.step_seconds."{step}"', path))
            for step, seconds in _table(
                table.get("step_seconds", {}), f"{where}.step_seconds", path
            ).items()
        ),
        step_class=tuple(
            (step, _step_class(value, f'{where}.step_class."{step}"', path))
            for step, value in _table(
                table.get("step_class", {}), f"{where}.step_class", path
            ).items()
        ),
    )


def _step_class(value: object, where: str, path: Path) -> str:
    if value not in STEP_CLASSES:
        raise UsageError(
            f"{path}: {where} must be the class of a step, not {value!r}.",
            next_step=f"Choose one of {', '.join(STEP_CLASSES)}.",
        )
    return str(value)
