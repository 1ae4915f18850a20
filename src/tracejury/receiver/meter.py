"""What the receiver counts about itself, and how Prometheus reads it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tracejury import __version__

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_COMMIT_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meter:
    """Counts since the start.

    The event loop counts requests, the thread that commits counts records and commits, the one that
    prunes counts what it removed, so that each number has one writer. Labels are the receiver's own
    words, never a client's.
    """

    def __init__(self) -> None:
        self._requests = Counter[tuple[str, ...]]()
        self._bytes = Counter[tuple[str, ...]]()
        self._records = Counter[tuple[str, ...]]()
        self._pruned = Counter[tuple[str, ...]]()
        self._commits = Counter[float]()
        self._commit_seconds = 0.0

    def answered(self, transport: str, signal: str, code: str) -> None:
        self._requests[transport, signal, code] += 1

    def received(self, signal: str, size: int) -> None:
        self._bytes[signal,] += size

    def settled(self, kind: str, outcome: str, records: int) -> None:
        self._records[kind, outcome] += records

    def pruned(self, counts: Mapping[str, int]) -> None:
        for kind, count in counts.items():
            self._pruned[kind,] += count

    def committed(self, seconds: float) -> None:
        bucket = next((bound for bound in _COMMIT_BUCKETS_S if seconds <= bound), float("inf"))
        self._commits[bucket] += 1
        self._commit_seconds += seconds

    def stored(self, kind: str) -> int:
        return self._records[kind, "stored"]

    @property
    def has_stored(self) -> bool:
        return any(count for (_, outcome), count in self._records.items() if outcome == "stored")

    @property
    def rejected(self) -> int:
        return sum(count for (_, outcome), count in self._records.items() if outcome == "rejected")

    @property
    def refused_requests(self) -> int:
        """Requests with telemetry that were answered with an error."""
        return sum(
            count
            for (_, signal, code), count in self._requests.items()
            if signal != "none" and code != "OK" and not code.startswith("2")
        )

    def exposition(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All in Prometheus' text format 0.0.4; `gauges` are help and value by name."""
        lines = [
            *_counter(
                "requests", "Requests answered.", ("transport", "signal", "code"), self._requests
            ),
            *_counter(
                "request_bytes",
                "Bytes of request bodies, decompressed.",
                ("signal",),
                self._bytes,
            ),
            *_counter(
                "records",
                "Spans, log records, data points and alerts, by what became of them.",
                ("kind", "outcome"),
                self._records,
            ),
            *_counter("pruned", "What was removed to keep within bounds.", ("kind",), self._pruned),
            *self._commit_duration(),
            *_gauge("info", "The version that runs.", 1, f'{{version="{__version__}"}}'),
        ]
        for name, (text, value) in gauges.items():
            lines += _gauge(name, text, value)
        return "\n".join(lines) + "\n"

    def _commit_duration(self) -> Iterator[str]:
        name = "tracejury_commit_duration_seconds"
        yield f"# HELP {name} Time that one commit took; requests that come together share one."
        yield f"# TYPE {name} histogram"
        total = 0
        for bound in _COMMIT_BUCKETS_S:
            total += self._commits[bound]
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        total += self._commits[float("inf")]
        yield f'{name}_bucket{{le="+Inf"}} {total}'
        yield f"{name}_sum {self._commit_seconds}"
        yield f"{name}_count {total}"


def _counter(
    name: str, text: str, labels: Iterable[str], counts: Mapping[tuple[str, ...], int]
) -> Iterator[str]:
    name = f"tracejury_{name}_total"
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} counter"
    # A copy: another thread may count on.
    for values, count in sorted(dict(counts).items()):
        pairs = ",".join(f'{label}="{value}"' for label, value in zip(labels, values, strict=True))
        yield f"{name}{{{pairs}}} {count}"


def _gauge(name: str, text: str, value: float, labels: str = "") -> Iterator[str]:
    name = f"tracejury_{name}"
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    yield f"{name}{labels} {value}"
