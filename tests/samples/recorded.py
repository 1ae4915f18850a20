"""The recorded runs as OTLP JSON: read, edited, written again, and judged as an audit does."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tracejury.checks.catalogue import CATALOGUE
from tracejury.checks.check import Check
from tracejury.checks.evidence import Evidence
from tracejury.config import Config, load_config
from tracejury.otlp.alert_webhook import alerts_of
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.scorecard.result import CheckResult
from tracejury.scorecard.runner import Runner
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.faults import Fault, read_faults
from tracejury.workflow.rebuild import prepare

SAMPLES: Final = Path(__file__).parents[2] / "sample-traces"
NAMES: Final = tuple(sorted(path.parent.name for path in SAMPLES.glob("*/traces.jsonl.gz")))
FAULTY: Final = tuple(name for name in NAMES if name != "clean")

Json = dict[str, Any]
RECEIVED_NS: Final = 1_800_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Recording:
    """All of a run's telemetry as one request a signal, free to be edited."""

    traces: Json
    logs: Json
    alerts: list[bytes] = field(default_factory=list)  # Alertmanager's webhooks

    def spans(self, service: str | None = None) -> Iterator[Json]:
        """Its spans, or those of one service."""
        return _records(self.traces, "resourceSpans", "scopeSpans", "spans", service)

    def log_records(self, service: str | None = None) -> Iterator[Json]:
        """Its log records, or those of one service."""
        return _records(self.logs, "resourceLogs", "scopeLogs", "logRecords", service)

    def resources(self, service: str | None = None) -> Iterator[Json]:
        """The resources of both signals, or those of one service."""
        for group in (*self.traces["resourceSpans"], *self.logs["resourceLogs"]):
            if service is None or attribute(group["resource"], "service.name") == service:
                yield group["resource"]

    def keep(self, stays: Callable[[str, Json], bool]) -> None:
        """Remove the spans of which `stays(service, span)` is false."""
        for group in self.traces["resourceSpans"]:
            service = str(attribute(group["resource"], "service.name"))
            for scope in group["scopeSpans"]:
                scope["spans"] = [span for span in scope["spans"] if stays(service, span)]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write it as OTLP files that the command line reads."""
        paths = folder / "traces.jsonl", folder / "logs.jsonl"
        for path, request in zip(paths, (self.traces, self.logs), strict=True):
            path.write_text(json.dumps(request) + "\n", encoding="utf-8")
        return paths


def _records(
    request: Json, groups: str, scopes: str, records: str, service: str | None
) -> Iterator[Json]:
    for group in request[groups]:
        if service is None or attribute(group["resource"], "service.name") == service:
            for scope in group[scopes]:
                yield from scope[records]


def attribute(holder: Json, key: str) -> object:
    """The value of an attribute of a resource, span or log record; None where it has none."""
    for entry in holder.get("attributes", ()):
        if entry["key"] == key:
            return next(iter(entry["value"].values()))
    return None


def without(holder: Json, *keys: str) -> None:
    """Remove attributes; a key that ends in a point or colon takes all that begin with it."""
    prefixes = tuple(key for key in keys if key.endswith((".", ":")))
    holder["attributes"] = [
        entry
        for entry in holder.get("attributes", ())
        if entry["key"] not in keys and not (prefixes and entry["key"].startswith(prefixes))
    ]


def files(name: str) -> tuple[Path, ...]:
    """The telemetry of a sample, as users name it."""
    return tuple(sorted((SAMPLES / name).glob("*.jsonl.gz")))


def requests(name: str, signal: str) -> list[str]:
    """The recorded requests of a sample, one JSON text each."""
    return _text(name, signal).splitlines()


@cache
def _text(name: str, signal: str) -> str:
    return gzip.decompress((SAMPLES / name / f"{signal}.jsonl.gz").read_bytes()).decode()


def recording(name: str) -> Recording:
    """A fresh copy of a sample's telemetry."""
    traces, logs = (
        [json.loads(line) for line in requests(name, kind)] for kind in ("traces", "logs")
    )
    return Recording(
        {"resourceSpans": [group for request in traces for group in request["resourceSpans"]]},
        {"resourceLogs": [group for request in logs for group in request["resourceLogs"]]},
    )


@cache
def config(name: str) -> Config:
    """The configuration that lies beside a sample."""
    return load_config(SAMPLES / name / "tracejury.toml", start=SAMPLES)


@cache
def faults(name: str) -> tuple[Fault, ...]:
    """The faults that were injected into a sample."""
    return read_faults(SAMPLES / name / "faults.json")


def stored(run: Recording) -> Reader:
    """The run in a store in memory, by way of the bytes of its requests."""
    store = _store(run)
    store.close()
    return Reader.of(store)


def opened(run: Recording) -> Reader:
    """The same, while whoever receives it has not ended."""
    return Reader.of(_store(run))


def _store(run: Recording) -> Store:
    store = Store.in_memory()
    bodies = {Signal.TRACES: run.traces, Signal.LOGS: run.logs}
    batches = [
        decode(signal, Encoding.JSON, [json.dumps(body).encode()])
        for signal, body in bodies.items()
    ]
    batches += [alerts_of(run.alerts)] if run.alerts else []
    store.commit(batches, received_ns=RECEIVED_NS, source="recorded")
    return store


@cache
def clean_baseline() -> Baseline:
    """What the clean sample teaches."""
    reader = stored(recording("clean"))
    prepare(reader, config("clean"))
    return Baseline.learn(reader)


def rebuilt(
    run: Recording,
    judged_with: Config,
    *,
    injected: tuple[Fault, ...] = (),
    baseline: Baseline | None = None,
) -> Reader:
    """The run, with every view promised."""
    reader = stored(run)
    prepare(reader, judged_with, injected=injected, baseline=baseline)
    return reader


def judged(
    reader: Reader, check: Check, gates: tuple[Check, ...], judged_with: Config, *, compared: bool
) -> CheckResult:
    """What the runner says of one check of a rebuilt run."""
    checks = (*(gate for gate in gates if gate.id != check.id), check)
    entry = next(entry for entry in CATALOGUE if entry.id == check.id)
    return Runner(Evidence(reader, judged_with, compared), checks).result(entry)
