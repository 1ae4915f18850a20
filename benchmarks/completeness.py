"""Withhold spans from a recorded run, and compare the completeness score with the truth.

    python benchmarks/completeness.py FILE... [--baseline FILE]... [--config tracejury.toml]
        [--rate 0.1]... [--seeds 3] [--kind CLIENT]... [--service NAME]...

Works on any OTLP file: put a run's traces, and its logs if it has some, in place of FILE; a clean
run of the same system as the baseline. Without options that choose, every tenth span is withheld
at random with three seeds, then all spans of each kind in turn, then all of each service.

    python benchmarks/completeness.py sample-traces/clean/*.gz --baseline sample-traces/clean/*.gz

One line a plan: how many spans were withheld, the true share that is left, the estimate, the
difference in points, and the service whose ratio is the lowest. The truth is kept spans over all
spans of those traces of which at least one span is left: a trace that vanished whole leaves no
sign. A span that was sent twice counts once. Background (polls, health checks; as classified in
the whole run) is counted in neither. Log records stay, as they do when a span queue overflows.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tracejury.config import Config, load_config
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.otlp.encode import encode_json_lines
from tracejury.receiver.inputs import open_inputs
from tracejury.scorecard.completeness import completeness
from tracejury.store.batches import stored_batches
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.rebuild import rebuild

Json = dict[str, Any]
SpanId = tuple[str, str]
Keeps = Callable[["SpanOf"], bool]

KINDS: Final = ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


@dataclass(frozen=True, slots=True)
class SpanOf:
    """What a plan may ask of a span."""

    service: str
    kind: str
    id: SpanId


@dataclass(frozen=True, slots=True)
class Plan:
    """Which spans stay."""

    name: str
    keeps: Keeps


@dataclass(frozen=True, slots=True)
class Truth:
    """What is left of the traces that can be seen, background aside."""

    kept: int
    whole: int

    @property
    def ratio(self) -> float:
        """The share that a perfect score would show."""
        return self.kept / self.whole if self.whole else 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One plan: the truth, and what the score says."""

    plan: str
    truth: Truth
    estimate: float
    lowest: str
    by_service: dict[str, float]

    @property
    def error(self) -> float:
        """Estimate minus truth."""
        return self.estimate - self.truth.ratio


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as OTLP/JSON requests, and which of its traces are background."""

    traces: tuple[Json, ...]
    logs: tuple[str, ...]
    background: frozenset[str]

    @classmethod
    def of(cls, reader: Reader, config: Config) -> "Recorded":
        """Everything that the store of `reader` holds."""
        lines = [line for batch in stored_batches(reader) for line in encode_json_lines(batch)]
        rebuild(reader, config)
        background = reader.rows("""
            SELECT DISTINCT span.trace_id
            FROM workflow_instance AS instance
            JOIN trace_instance USING (instance_no)
            JOIN node USING (trace_no)
            JOIN span USING (span_no)
            WHERE instance.background
        """)
        return cls(
            tuple(json.loads(line) for line in lines if line.startswith('{"resourceSpans"')),
            tuple(line for line in lines if line.startswith('{"resourceLogs"')),
            frozenset(row["trace_id"] for row in background),
        )

    def spans(self) -> Iterator[SpanOf]:
        """Every span; one that was sent twice comes twice."""
        for request in self.traces:
            for service, span in _spans(request):
                yield _span_of(service, span)

    def truth(self, plan: Plan) -> Truth:
        """What `plan` leaves."""
        spans = {span for span in self.spans() if span.id[0] not in self.background}
        kept = {span.id for span in spans if plan.keeps(span)}
        visible = {trace for trace, _ in kept}
        return Truth(len(kept), len({span.id for span in spans if span.id[0] in visible}))

    def withheld(self, plan: Plan) -> Iterator[str]:
        """The requests with traces, without what `plan` takes away."""
        for request in self.traces:
            groups = [
                group
                | {
                    "scopeSpans": [
                        scope | {"spans": _kept(service_of(group["resource"]), scope, plan)}
                        for scope in group["scopeSpans"]
                    ]
                }
                for group in request["resourceSpans"]
            ]
            yield json.dumps({"resourceSpans": groups})


def _spans(request: Json) -> Iterator[tuple[str, Json]]:
    for group in request["resourceSpans"]:
        service = service_of(group["resource"])
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                yield service, span


def _kept(service: str, scope: Json, plan: Plan) -> list[Json]:
    return [span for span in scope["spans"] if plan.keeps(_span_of(service, span))]


def _span_of(service: str, span: Json) -> SpanOf:
    kind = span.get("kind", 0)
    name = KINDS[kind - 1] if 1 <= kind <= len(KINDS) else ""
    return SpanOf(service, name, (span["traceId"], span["spanId"]))


def service_of(resource: Json) -> str:
    """The `service.name` of a resource; '' without."""
    for entry in resource.get("attributes", ()):
        if entry["key"] == "service.name":
            return str(entry["value"].get("stringValue", ""))
    return ""


def at_random(rate: float, seed: int) -> Plan:
    """Lose spans with no regard to what they are."""

    def keeps(span: SpanOf) -> bool:
        # Seeded by the id too, so that it matters neither how often a span comes nor when.
        return random.Random(f"{seed} {span.id}").random() >= rate

    return Plan(f"{rate:.0%} at random, seed {seed}", keeps)


def all_of_kind(kind: str) -> Plan:
    """Lose every span of a kind."""
    return Plan(f"all {kind}", lambda span: span.kind != kind)


def all_of_service(service: str) -> Plan:
    """Lose every span of a service."""
    return Plan(f"service {service}", lambda span: span.service != service)


def measure(
    run: Recorded, plan: Plan, config: Config, baseline: Baseline, *, with_logs: bool = True
) -> Measured:
    """Withhold by `plan`, and judge what is left."""
    bodies = {Signal.TRACES: list(run.withheld(plan)), Signal.LOGS: list(run.logs) * with_logs}
    store = Store.in_memory()
    batches = [
        decode(signal, Encoding.JSON, [text.encode() for text in texts])
        for signal, texts in bodies.items()
        if texts
    ]
    store.commit(batches, received_ns=time.time_ns(), source="withheld")
    store.close()
    with Reader.of(store) as reader:
        rebuild(reader, config, baseline=baseline)
        score = completeness(reader, (), has_baseline=baseline.exists)
    ratios = {
        name: share.ratio for name, share in score.by_service.items() if share.ratio is not None
    }
    lowest = min(ratios, key=lambda name: ratios[name], default="")
    return Measured(plan.name, run.truth(plan), score.total.ratio or 0.0, lowest, ratios)


def table(measured: Sequence[Measured]) -> str:
    """The measurements for a terminal."""
    width = max(len(one.plan) for one in measured)
    head = f"{'withheld':<{width}}  spans left     truth  estimate  points  lowest service"
    rows = [
        f"{one.plan:<{width}}  {one.truth.kept:>5} / {one.truth.whole:<5} {one.truth.ratio:>7.3f}"
        f"  {one.estimate:>8.3f}  {100 * one.error:>+6.1f}  {one.lowest}"
        for one in measured
    ]
    return "\n".join([head, *rows])


def standard_plans(run: Recorded, options: argparse.Namespace) -> list[Plan]:
    """The plans that the options name; all of them where they name none."""
    counts = Counter(span.service for span in run.spans() if span.id[0] not in run.background)
    kinds = Counter(span.kind for span in run.spans() if span.id[0] not in run.background)
    chosen = bool(options.rate or options.kind or options.service)
    rates = options.rate or ([] if chosen else [0.1])
    return [
        *(at_random(rate, seed) for rate in rates for seed in range(1, options.seeds + 1)),
        *(all_of_kind(kind) for kind in options.kind or ([] if chosen else sorted(kinds))),
        *(all_of_service(name) for name in options.service or ([] if chosen else sorted(counts))),
    ]


def open_recorded(paths: Sequence[Path], config: Config) -> Recorded:
    """Read OTLP files."""
    with _open(paths) as reader:
        return Recorded.of(reader, config)


def learn(paths: Sequence[Path], config: Config) -> Baseline:
    """What the clean run in `paths` teaches; nothing where there is none."""
    if not paths:
        return Baseline.empty()
    with _open(paths) as reader:
        rebuild(reader, config)
        return Baseline.learn(reader)


def _open(paths: Sequence[Path]) -> Reader:
    return open_inputs(paths, lambda *_: None, lambda _: lambda *_: None)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--baseline", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--rate", action="append", type=float, default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kind", action="append", choices=KINDS, default=[])
    parser.add_argument("--service", action="append", default=[])
    parser.add_argument("--without-logs", action="store_true", help="judge the traces alone")
    options = parser.parse_args()
    config = load_config(options.config, start=Path.cwd())
    run = open_recorded(options.files, config)
    baseline = learn(options.baseline, config)
    print(
        table(
            [
                measure(run, plan, config, baseline, with_logs=not options.without_logs)
                for plan in standard_plans(run, options)
            ]
        )
    )


if __name__ == "__main__":
    main()
