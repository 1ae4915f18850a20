"""A body of the largest size that is taken becomes a bounded number of rows, or it is refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.otlp.by_hand import IDS, attribute, field, traces_json, traces_of
from tests.otlp.requests import busy_request

from tracejury.config import REQUEST_LIMIT
from tracejury.otlp.decode import Encoding, MalformedRequest, Signal, decode
from tracejury.otlp.size_limits import (
    ITEM_LIMIT,
    KEY_LIMIT,
    MESSAGE_LIMIT,
    NUMBER_LIMIT,
    ODD_LIMIT,
    RECORD_LIMIT,
)

ROOM = 600  # for what encloses the filling
PEAK_MIB = 1024

TRACES = "resourceSpans", "scopeSpans", "spans"
LOGS = "resourceLogs", "scopeLogs", "logRecords"

# Decodes a file, and says what it was refused with and how much memory it took at most.
DECODE = """
import sys
from pathlib import Path
from tracejury.otlp.decode import Encoding, MalformedRequest, Signal, decode
body = Path(sys.argv[3]).read_bytes()
try:
    decode(Signal(sys.argv[1]), Encoding(sys.argv[2]), [body])
except MalformedRequest as error:
    print(error.message)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def filled(unit: bytes, count: int | None = None) -> bytes:
    return unit * ((REQUEST_LIMIT - ROOM) // len(unit) if count is None else count)


def listed(content: bytes, *, kind: int = 5, count: int | None = None) -> bytes:
    """A span with an array (5) or kvlist (6) that is full of one item."""
    return traces_of(IDS + attribute(b"k", field(kind, filled(field(1, content), count))))


def json_of(names: tuple[str, str, str], item: bytes, count: int | None = None) -> bytes:
    resources, scopes, records = (name.encode() for name in names)
    items = filled(item + b",", count) + item
    return b'{"%s":[{"%s":[{"%s":[%s]}]}]}' % (resources, scopes, records, items)


def counts_json(count: int | None = None) -> bytes:
    head, tail = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[', b"]}]}]}"
    point = b'{"histogram":{"dataPoints":[{"bucketCounts":[%s1]}]}}' % filled(b"1,", count)
    return head + point + tail


def exponential(counts: bytes) -> bytes:
    """A metric with one point of an exponential histogram, its positive side packed."""
    point = field(8, field(2, counts))
    return field(1, field(2, field(2, field(10, field(1, point)))))


def distinct_lists() -> bytes:
    """A span with as many attributes as fit that are small lists, no two of them alike."""
    count = (REQUEST_LIMIT - ROOM) // 21
    parts = [attribute(b"%07d" % number, field(5, b"\x0a\0\x0a\0")) for number in range(count)]
    return traces_of(IDS + b"".join(parts))


FILLED: dict[str, tuple[Signal, Callable[[], bytes]]] = {
    "resources": (Signal.TRACES, lambda: filled(field(1, b""))),
    "scopes": (Signal.LOGS, lambda: field(1, filled(field(2, b"")))),
    "spans": (Signal.TRACES, lambda: field(1, field(2, filled(field(2, b""))))),
    "attributes": (Signal.TRACES, lambda: traces_of(IDS + filled(field(9, b"")))),
    "array": (Signal.TRACES, lambda: listed(b"")),
    "kvlist": (Signal.TRACES, lambda: listed(b"", kind=6)),
    "lists": (Signal.TRACES, distinct_lists),
    "counts": (Signal.METRICS, lambda: exponential(filled(b"\1"))),
    "spans of JSON": (Signal.TRACES, lambda: json_of(TRACES, b"null")),
    "counts of JSON": (Signal.METRICS, counts_json),
}


# Of each encoding the one that costs most; the others take two minutes together.
DEAREST = ("lists", "spans of JSON")


@pytest.mark.parametrize(
    "name",
    [name if name in DEAREST else pytest.param(name, marks=pytest.mark.long) for name in FILLED],
)
def test_a_full_body_of_nothing_is_refused_before_it_fills_the_memory(
    name: str, tmp_path: Path
) -> None:
    signal, body = FILLED[name]
    encoding = Encoding.JSON if name.endswith("JSON") else Encoding.PROTOBUF
    path = tmp_path / "body"
    path.write_bytes(body())
    command = [sys.executable, "-c", DECODE, signal, encoding, str(path)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=240)
    *refusal, peak_kib = ended.stdout.splitlines()
    assert "The body has more than" in refusal[0]
    assert int(peak_kib) / 1024 < PEAK_MIB


@pytest.mark.parametrize(
    ("signal", "body", "what"),
    [
        (Signal.TRACES, listed(b"", count=MESSAGE_LIMIT), "3,932,160 messages"),
        (Signal.LOGS, field(1, field(2, b"\x12\0" * (RECORD_LIMIT + 1))), "1,572,864 records"),
        (Signal.METRICS, exponential(b"\1" * (NUMBER_LIMIT + 1)), "8,388,608 numbers in lists"),
    ],
    ids=["messages", "records", "numbers"],
)
def test_one_more_than_allowed_is_refused(signal: Signal, body: bytes, what: str) -> None:
    with pytest.raises(MalformedRequest, match=f"more than {what}. Send fewer"):
        decode(signal, Encoding.PROTOBUF, [body])


def test_one_more_record_than_allowed_is_refused_in_json() -> None:
    body = json_of(LOGS, b"{}", RECORD_LIMIT)
    with pytest.raises(MalformedRequest, match=r"more than 1,572,864 records. Send fewer"):
        decode(Signal.LOGS, Encoding.JSON, [body])


def test_one_more_number_than_allowed_is_refused_in_json() -> None:
    with pytest.raises(MalformedRequest, match="more than 8,388,608 numbers in lists"):
        decode(Signal.METRICS, Encoding.JSON, [counts_json(NUMBER_LIMIT)])


def test_one_more_item_of_a_value_than_allowed_is_refused() -> None:
    value = {"arrayValue": {"values": "items"}}
    body = traces_json(attributes=[{"key": "k", "value": value}])
    items = b"[%snull]" % (b"null," * ITEM_LIMIT)
    for encoding, full in (
        (Encoding.JSON, body.replace(b'"items"', items)),
        (Encoding.PROTOBUF, listed(b"", count=ITEM_LIMIT + 1)),
    ):
        with pytest.raises(MalformedRequest, match="more than 1,048,576 items in one value"):
            decode(Signal.TRACES, encoding, [full])


def test_more_keys_than_allowed_are_refused() -> None:
    keys = [f"{number:07}" for number in range(KEY_LIMIT + 1)]
    written = [attribute(key.encode(), b"\x18\1") for key in keys]
    sent = [{"key": key, "value": {"intValue": 1}} for key in keys]
    for encoding, more, allowed in (
        (Encoding.JSON, traces_json(attributes=sent), traces_json(attributes=sent[1:])),
        (
            Encoding.PROTOBUF,
            traces_of(IDS + b"".join(written)),
            traces_of(IDS + b"".join(written[1:])),
        ),
    ):
        with pytest.raises(MalformedRequest, match="more than 262,144 different keys"):
            decode(Signal.TRACES, encoding, [more])
        assert decode(Signal.TRACES, encoding, [allowed]).span_attributes.num_rows == KEY_LIMIT


def test_more_attributes_in_an_odd_order_than_allowed_are_refused() -> None:
    odd = [
        field(9, field(2, b"\x0a\7%07d" % number) + field(1, b"k"))
        for number in range(ODD_LIMIT + 1)
    ]
    with pytest.raises(MalformedRequest, match="not a key and then a value"):
        decode(Signal.TRACES, Encoding.PROTOBUF, [traces_of(IDS + b"".join(odd))])


def test_what_is_allowed_is_read() -> None:
    decoded = decode(Signal.LOGS, Encoding.PROTOBUF, [field(1, field(2, b"\x12\0" * RECORD_LIMIT))])
    assert decoded.logs.num_rows == RECORD_LIMIT
    metric = exponential(b"\1" * NUMBER_LIMIT)
    decoded = decode(Signal.METRICS, Encoding.PROTOBUF, [metric])
    [counts] = decoded.points["positive_counts"]
    assert len(counts) == NUMBER_LIMIT


def test_the_largest_busy_requests_are_read() -> None:
    one = busy_request(512).SerializeToString()
    count = REQUEST_LIMIT // len(one)
    decoded = decode(Signal.TRACES, Encoding.PROTOBUF, [one * count])
    assert decoded.spans.num_rows == 512 * count


def test_the_largest_request_of_short_spans_is_read() -> None:
    span = field(2, IDS + b"\x39" + bytes(8) + b"\x41" + bytes(8))
    count = (REQUEST_LIMIT - ROOM) // len(span)
    decoded = decode(Signal.TRACES, Encoding.PROTOBUF, [field(1, field(2, span * count))])
    assert decoded.spans.num_rows == count


def test_a_large_request_that_is_broken_is_refused_as_such() -> None:
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().schema_url = "x" * 2 * MESSAGE_LIMIT
    broken = metrics.SerializeToString() + b"\xff"
    with pytest.raises(MalformedRequest, match="not an OTLP/protobuf request"):
        decode(Signal.METRICS, Encoding.PROTOBUF, [broken])
