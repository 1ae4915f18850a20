"""The load of every benchmark: OTLP trace requests, always the same, with fresh ids on demand.

A shop of five services. A trace is 20 spans of one order: a request at the gateway, a call to the
order service, a message to a worker, paid calls, queries. A request to the receiver holds 512 spans
of one service, as an SDK's batch processor sends them. About 13 attributes and 535 bytes a span; an
exception event on 1 in 26 spans, a link on 1 in 10.

    python -m benchmarks.corpus FILE [--spans 1000000]

writes them as an OTLP file (each request after its length), which `tracejury import` reads too.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracejury.otlp.wire import varint

SPANS_A_REQUEST: Final = 512

# Every id begins with a mark, which no text and no number here contains, and which each round of a
# benchmark replaces by bytes of its own: the receiver drops what it has seen already.
_TRACE_MARK: Final = b"\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff"
_SPAN_MARK: Final = b"\xf5\xf6\xf7\xf8"

_START_NS: Final = 1_760_000_000 * 10**9
_TRACE_EVERY_NS: Final = 4 * 10**6
_TIMES: Final = re.compile(rb"[\x09\x39\x41](?=.{5}\xc6\x6c\x18)", re.DOTALL)


_DAY: Final = 1_000_000  # spans
_JOB: Final = re.compile(rb"job-(\d{8})")
_MESSAGE_MARK: Final = b"-5c1b-4f0e-"


@dataclass(frozen=True, slots=True)
class Step:
    """One span of an order; times are milliseconds after the order's start."""

    service: str
    name: str
    kind: int
    parent: int | None
    start_ms: int
    end_ms: int
    attributes: tuple[str, ...]


_SERVER, _CLIENT, _INTERNAL, _PRODUCER, _CONSUMER = 2, 3, 1, 4, 5
_HTTP: Final = [
    "http.request.method",
    "http.response.status_code",
    "url.path",
    "url.scheme",
    "server.address",
    "server.port",
    "network.protocol.version",
    "user_agent.original",
    "client.address",
    "http.route",
]
_QUERY: Final = [
    "db.system.name",
    "db.namespace",
    "db.query.text",
    "db.operation.name",
    "db.collection.name",
    "server.address",
    "server.port",
    "db.response.returned_rows",
]
_MESSAGE: Final = [
    "messaging.system",
    "messaging.destination.name",
    "messaging.operation.type",
    "messaging.message.id",
    "messaging.message.body.size",
    "server.address",
    "messaging.client.id",
]
_ORDER: Final = ["job.id", "tenant.id", "order.id"]
_CODE: Final = ["code.function.name", "code.file.path", "code.line.number", "thread.id"]
_BUSINESS: Final = [
    "order.total",
    "order.items",
    "customer.tier",
    "retry.count",
    "cache.hit",
    "feature.flags",
]
_CALL: Final = ("url.full", *_HTTP[:2], *_HTTP[4:7], *_CODE, *_ORDER)

STEPS: Final = (
    Step("gateway", "POST /orders", _SERVER, None, 0, 180, (*_HTTP, *_ORDER, "cache.hit")),
    Step("gateway", "authenticate", _INTERNAL, 0, 1, 12, (*_CODE, *_ORDER, *_BUSINESS)),
    Step("gateway", "GET", _CLIENT, 1, 2, 10, _CALL),
    Step("gateway", "POST", _CLIENT, 0, 14, 175, _CALL),
    Step("orders", "POST /internal/orders", _SERVER, 3, 15, 173, (*_HTTP, *_ORDER)),
    Step("orders", "validate", _INTERNAL, 4, 16, 30, (*_CODE, *_ORDER, *_BUSINESS)),
    Step("orders", "SELECT customer", _CLIENT, 5, 17, 24, (*_QUERY, *_ORDER, "thread.id")),
    Step("orders", "INSERT order", _CLIENT, 4, 32, 48, (*_QUERY, *_ORDER, *_CODE)),
    Step("orders", "POST", _CLIENT, 4, 50, 120, _CALL),
    Step("payment", "POST /charge", _SERVER, 8, 51, 118, (*_HTTP, *_ORDER)),
    Step("payment", "POST api.bank.example", _CLIENT, 9, 53, 110, _CALL),
    Step("payment", "INSERT charge", _CLIENT, 9, 111, 117, (*_QUERY, *_ORDER, *_CODE)),
    Step("orders", "publish order.placed", _PRODUCER, 4, 125, 131, (*_MESSAGE, *_ORDER, *_CODE)),
    Step("worker", "process order.placed", _CONSUMER, 12, 140, 400, (*_MESSAGE, *_ORDER, *_CODE)),
    Step("worker", "plan shipment", _INTERNAL, 13, 142, 200, (*_CODE, *_ORDER, *_BUSINESS)),
    Step("worker", "SELECT stock", _CLIENT, 14, 144, 160, (*_QUERY, *_ORDER)),
    Step("worker", "PUT", _CLIENT, 13, 205, 390, _CALL),
    Step("shipping", "PUT /shipments/{id}", _SERVER, 16, 207, 385, (*_HTTP, *_ORDER)),
    Step("shipping", "UPDATE shipment", _CLIENT, 17, 210, 230, (*_QUERY, *_ORDER, *_CODE)),
    Step("shipping", "notify customer", _INTERNAL, 17, 240, 380, (*_CODE, *_ORDER, *_BUSINESS)),
)
_LINKING: Final = (13, 17)  # to the order before
_FAILING: Final = (10, 16, 18)  # each in a quarter of the orders, alone or together


def write_corpus(path: Path, spans: int) -> None:
    """Write at least `spans` spans to `path`, whole requests only."""
    with path.open("wb") as file:
        for body in _requests(spans):
            _write(file, body)


def write_long_corpus(path: Path, spans: int) -> None:
    """The same of any length: after the first million spans, further days of the same shop."""
    whole = corpus(min(spans, _DAY))
    with path.open("wb") as file:
        for number, left in enumerate(range(spans, 0, -_DAY)):
            bodies = fresh(whole, run=0, number=number)
            for body in _further(bodies[: -(-left // SPANS_A_REQUEST)], number):
                _write(file, body)


def _further(bodies: Sequence[bytes], number: int) -> Iterator[bytes]:
    """The requests with jobs and messages of their own, too."""
    first = number * _DAY
    for body in bodies:
        renamed = _JOB.sub(lambda job: b"job-%08d" % (first + int(job[1])), body)
        yield renamed.replace(_MESSAGE_MARK, b"-5c1b-%04x-" % number)


def _write(file: BinaryIO, body: bytes) -> None:
    file.write(_length(len(body)))
    file.write(body)


def read_corpus(path: Path) -> list[bytes]:
    """The requests of a file that `write_corpus` wrote."""
    data, bodies, at = path.read_bytes(), [], 0
    while at < len(data):
        size, at = varint(data, at)
        bodies.append(data[at : at + size])
        at += size
    return bodies


def corpus(spans: int) -> list[bytes]:
    """The requests, made once and then kept in the machine's temporary folder."""
    folder = Path(tempfile.gettempdir()) / "tracejury-benchmarks"
    folder.mkdir(exist_ok=True)
    path = folder / f"corpus-{spans}.otlp"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write_corpus(partial, spans)
        partial.rename(path)
    return read_corpus(path)


def fresh(bodies: Sequence[bytes], *, run: int, number: int) -> list[bytes]:
    """The same requests with other ids, and `number` times the corpus' duration later."""
    trace = b"\x01" + run.to_bytes(5, "big") + number.to_bytes(2, "big")
    span = b"\x02" + (run % 2**16).to_bytes(2, "big") + number.to_bytes(1, "big")
    spans = len(bodies) * SPANS_A_REQUEST
    shift = np.uint64(number * (spans // len(STEPS)) * _TRACE_EVERY_NS)
    return [
        _later(body.replace(_TRACE_MARK, trace).replace(_SPAN_MARK, span), shift) for body in bodies
    ]


def _later(body: bytes, shift: np.uint64) -> bytes:
    if not shift:
        return body
    raw = np.frombuffer(body, np.uint8).copy()
    at = np.array([match.end() for match in _TIMES.finditer(body)])
    eight = at[:, None] + np.arange(8)
    times = np.ascontiguousarray(raw[eight]).view("<u8")
    raw[eight] = (times + shift).view(np.uint8)
    return raw.tobytes()


def _length(size: int) -> bytes:
    encoded = bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*encoded, size])


def _requests(least: int) -> Iterator[bytes]:
    waiting: dict[str, list[Span]] = {step.service: [] for step in STEPS}
    sent = order = 0
    while sent < least:
        for place, step in enumerate(STEPS):
            waiting[step.service].append(_span(order, place, step))
        for service, spans in waiting.items():
            if len(spans) >= SPANS_A_REQUEST and sent < least:
                yield _request(service, spans[:SPANS_A_REQUEST])
                del spans[:SPANS_A_REQUEST]
                sent += SPANS_A_REQUEST
        order += 1


def _request(service: str, spans: list[Span]) -> bytes:
    request = ExportTraceServiceRequest()
    holder = request.resource_spans.add()
    attributes = {
        "service.name": service,
        "service.version": "1.4.2",
        "service.instance.id": f"{service}-7d9f8b6c5-x2x4z",
        "deployment.environment.name": "staging",
        "host.name": "node-17",
        "process.pid": 4711,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.1",
    }
    holder.resource.attributes.extend(_entry(key, value) for key, value in attributes.items())
    inner = holder.scope_spans.add()
    inner.scope.name, inner.scope.version = f"shop.{service}", "0.58b1"
    inner.spans.extend(spans)
    body = request.SerializeToString()
    # Times are told by a byte before and one in them: there must be no other place like that.
    expected = sum(2 + len(span.events) for span in spans)
    if len(_TIMES.findall(body)) != expected:
        raise AssertionError("this request's times cannot be told from its other bytes")
    return body


def _span(order: int, place: int, step: Step) -> Span:
    start = _START_NS + order * _TRACE_EVERY_NS
    fails = place in _FAILING and (order // (1 + _FAILING.index(place))) % 4 == 0
    span = Span(
        trace_id=_TRACE_MARK + order.to_bytes(8, "big"),
        span_id=_span_id(order, place),
        parent_span_id=b"" if step.parent is None else _span_id(order, step.parent),
        name=step.name,
        kind=step.kind,
        flags=0x101,
        start_time_unix_nano=start + step.start_ms * 10**6 + order % 997,
        end_time_unix_nano=start + step.end_ms * 10**6 + order * 7919 % 10**6,
        attributes=_attributes(order, place, step),
    )
    if fails:
        _fail(span)
    if place in _LINKING and order:
        link = span.links.add(trace_id=_TRACE_MARK + (order - 1).to_bytes(8, "big"), flags=0x101)
        link.span_id = _span_id(order - 1, 12)
        link.attributes.append(_entry("link.reason", "same customer"))
    return span


def _span_id(order: int, place: int) -> bytes:
    return _SPAN_MARK + (order * len(STEPS) + place + 1).to_bytes(4, "big")


def _fail(span: Span) -> None:
    span.status.code = 2
    span.status.message = "upstream request timed out"
    event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
    stack = 'Traceback (most recent call last):\n  File "/srv/app/client.py", line 88, in call\n'
    for key, value in (
        ("exception.type", "TimeoutError"),
        ("exception.message", "upstream request timed out after 30 s"),
        ("exception.stacktrace", stack),
    ):
        event.attributes.append(_entry(key, value))


def _attributes(order: int, place: int, step: Step) -> list[KeyValue]:
    return [
        _fixed_entry(place, key)
        if key in _fixed(place)
        else _entry(key, _varying(key, order, place))
        for key in step.attributes
    ]


@cache
def _fixed_entry(place: int, key: str) -> KeyValue:
    return _entry(key, _fixed(place)[key])


def _varying(key: str, order: int, place: int) -> Any:
    varying: dict[str, Callable[[], Any]] = {
        "job.id": lambda: f"job-{order // 5:08d}",
        "tenant.id": lambda: f"tenant-{order % 97:03d}",
        "order.id": lambda: f"{order * 2654435761 % 2**32:08x}-{order:08x}",
        "messaging.message.id": lambda: f"{order * 40503 % 2**32:08x}-5c1b-4f0e-{place:04x}",
        "url.full": lambda: f"https://api.example/v2/orders/{order:08d}?step={place}",
        "client.address": lambda: f"10.{order % 7}.{order % 251}.{order % 241}",
        "order.total": lambda: (order * 7919 % 100_000) / 100,
        "retry.count": lambda: order % 7,
        "order.items": lambda: order % 7,
        "db.response.returned_rows": lambda: order % 7,
        "messaging.message.body.size": lambda: 1000 + order * 31 % 9000,
        "thread.id": lambda: (order * 31 + place * 1009) % 60_000,
        "cache.hit": lambda: order % 3 > 0,
    }
    return varying[key]()


@cache
def _fixed(place: int) -> dict[str, Any]:
    step = STEPS[place]
    peer = "bank.example" if place == 10 else f"{step.service}.shop.svc.local"
    return {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/v2/orders",
        "url.scheme": "https",
        "server.address": peer,
        "server.port": 8443,
        "network.protocol.version": "1.1",
        "user_agent.original": "shop-client/4.2 (linux)",
        "http.route": "/v2/orders/{order_id}",
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.query.text": "SELECT id, state, total FROM orders WHERE id = $1 AND tenant = $2",
        "db.operation.name": "SELECT",
        "db.collection.name": "orders",
        "messaging.system": "rabbitmq",
        "messaging.destination.name": "order.placed",
        "messaging.operation.type": "publish" if step.kind == _PRODUCER else "process",
        "messaging.client.id": f"{step.service}-1",
        "code.function.name": f"shop.{step.service}.handlers.Handler.run",
        "code.file.path": f"/srv/app/{step.service}/handlers.py",
        "code.line.number": 120 + place,
        "customer.tier": "gold",
        "feature.flags": "new-checkout,fast-lane",
    }


def _entry(key: str, value: Any) -> KeyValue:
    entry = KeyValue(key=key)
    match value:
        case bool():
            entry.value.bool_value = value
        case int():
            entry.value.int_value = value
        case float():
            entry.value.double_value = value
        case _:
            entry.value.string_value = value
    return entry


def main() -> None:
    """Write the corpus to a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--spans", type=int, default=1_000_000)
    arguments = parser.parse_args()
    write_long_corpus(arguments.file, arguments.spans)


if __name__ == "__main__":
    main()
