"""A file's requests are read whatever OTLP format it has, and what is broken costs itself only."""

import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from tests.otlp import requests

from tracejury.errors import InputError
from tracejury.otlp import wire
from tracejury.otlp.decode import Encoding, Signal
from tracejury.otlp.files import REQUEST_LIMIT, BrokenRecord, FileRequest, read_requests

TRACES = requests.busy_request(5)
TRACES_JSON = requests.as_json(TRACES)
COMPRESSIONS: list[Callable[[bytes], bytes]] = [
    bytes,
    gzip.compress,
    zstandard.compress,
    lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]),
    lambda content: zstandard.compress(content[:100]) + zstandard.compress(content[100:]),
]


def log_request() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    holder = request.resource_logs.add()
    holder.resource.attributes.add(key="service.name").value.string_value = "shop"
    record = holder.scope_logs.add().log_records.add(severity_number=9)
    record.body.string_value = "paid"
    return request


def metric_request(name: str = "queue.depth") -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
    metric.gauge.data_points.add(time_unix_nano=5, as_int=3)
    return request


def delimited(*bodies: bytes) -> bytes:
    return b"".join(_varint(len(body)) + body for body in bodies)


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], list[FileRequest | BrokenRecord]]:
    def read_content(content: bytes) -> list[FileRequest | BrokenRecord]:
        path = tmp_path / "telemetry.txt"
        path.write_bytes(content)
        return list(read_requests(path))

    return read_content


Reader = Callable[[bytes], list[Any]]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_every_format_is_recognised_by_its_content(
    read: Reader, compress: Callable[[bytes], bytes]
) -> None:
    single = TRACES.SerializeToString()
    pretty = json.dumps(json.loads(TRACES_JSON), indent=2).encode()
    cases: list[tuple[bytes, Encoding, list[str | None]]] = [
        (single, Encoding.PROTOBUF, ["byte 0"]),
        (delimited(single, single), Encoding.PROTOBUF, ["byte 0", f"byte {len(single) + 2}"]),
        (TRACES_JSON, Encoding.JSON, ["line 1"]),
        (TRACES_JSON + b"\n\n" + TRACES_JSON + b"\r\n", Encoding.JSON, ["line 1", "line 3"]),
        (pretty, Encoding.JSON, ["line 1"]),
        (b"\n" + pretty + b"\n" + pretty, Encoding.JSON, ["line 2", None]),
    ]
    for content, encoding, positions in cases:
        found = read(compress(content))
        assert [type(record) for record in found] == [FileRequest] * len(positions)
        assert {record.encoding for record in found} == {encoding}
        assert {record.signal for record in found} == {Signal.TRACES}
        for record, position in zip(found, positions, strict=True):
            assert position in {None, record.position}


@pytest.mark.parametrize(
    ("request_", "signal"),
    [
        (TRACES, Signal.TRACES),
        (log_request(), Signal.LOGS),
        (metric_request(), Signal.METRICS),
        (metric_request("x" * 16), Signal.METRICS),
    ],
)
def test_the_signal_of_a_protobuf_request_is_told_by_its_content(
    read: Reader, request_: Any, signal: Signal
) -> None:
    body = request_.SerializeToString()
    for content in (body, delimited(body, body)):
        assert {record.signal for record in read(content)} == {signal}


def test_a_metric_with_the_lengths_of_ids_is_no_span(read: Reader) -> None:
    request = metric_request("x" * 16)
    request.resource_metrics[0].scope_metrics[0].metrics[0].description = "y" * 8
    assert [record.signal for record in read(request.SerializeToString())] == [Signal.METRICS]


def test_one_object_may_hold_several_signals(read: Reader) -> None:
    both = json.loads(TRACES_JSON) | json.loads(requests.as_json(log_request()))
    body = json.dumps(both).encode()
    found = read(body + b"\n" + b'{"resourceMetrics": []}' + b"\n{}\n")
    assert [(record.signal, record.position) for record in found] == [
        (Signal.TRACES, "line 1"),
        (Signal.LOGS, "line 1"),
        (Signal.METRICS, "line 2"),
    ]


@pytest.mark.parametrize("size", [10, 32, 123])
def test_a_delimited_request_whose_length_looks_like_text(read: Reader, size: int) -> None:
    # Lengths 10, 32 and 123 are a line feed, a space and an opening brace.
    body = wire_request(size)
    assert len(body) == size
    found = read(delimited(body, TRACES.SerializeToString()))
    assert [record.encoding for record in found] == [Encoding.PROTOBUF] * 2


def wire_request(size: int) -> bytes:
    request = ExportLogsServiceRequest()
    holder = request.resource_logs.add()
    while request.ByteSize() < size:
        holder.schema_url += "u"
    return request.SerializeToString()


@pytest.mark.parametrize("broken", [b'{"resourceSpans":[{"reso', b"xyz", b'{"other": 1}'])
def test_a_broken_line_costs_itself_only(read: Reader, broken: bytes) -> None:
    found = read(b"\n".join([TRACES_JSON, broken, TRACES_JSON, b""]))
    good = [r for r in found if isinstance(r, FileRequest) and r.body.strip() == TRACES_JSON]
    assert [record.position for record in good] == ["line 1", "line 3"]
    assert len(found) == 3
    assert found[1].position == "line 2"


def test_a_broken_delimited_request_costs_itself_only(read: Reader) -> None:
    good = TRACES.SerializeToString()
    found = read(delimited(good, b"\n\xff\xff\xff\x0f", good))
    assert [type(record) for record in found] == [FileRequest, BrokenRecord, FileRequest]
    assert found[1].reason.endswith(".")


@pytest.mark.parametrize("cut", [1, 40])
@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_truncated_file_gives_all_before_the_damage(
    read: Reader, compress: Callable[[bytes], bytes], cut: int
) -> None:
    filler = json.dumps({"resourceSpans": [], "x": os.urandom(100_000).hex()}).encode()
    for content in (
        b"\n".join([TRACES_JSON, filler, filler]),
        delimited(TRACES.SerializeToString(), b"\x1a" + _varint(200_000) + os.urandom(200_000)),
    ):
        first, *_, last = read(compress(content)[:-cut])
        assert isinstance(first, FileRequest)
        assert isinstance(last, BrokenRecord)
        assert "ends too early" in last.reason


def test_a_delimited_file_that_ends_within_a_request(read: Reader) -> None:
    body = TRACES.SerializeToString()
    found = read(delimited(body, body)[:-3])
    assert [type(record) for record in found] == [FileRequest, BrokenRecord]
    assert found[1].reason == "The file ends 3 bytes before the request does."


def test_damaged_compression_is_a_broken_record(read: Reader) -> None:
    content = bytearray(gzip.compress(b"\n".join([TRACES_JSON] * 2000)))
    content[-4000:-3900] = bytes(100)
    *good, last = read(bytes(content))
    assert all(isinstance(record, FileRequest) for record in good)
    assert isinstance(last, BrokenRecord)


@pytest.mark.parametrize("content", [b"hello\n", b"\x89PNG\r\n\x1a\n", b'{"name": "x"}', b"[]"])
def test_what_is_no_otlp_is_refused_with_the_formats_that_are(read: Reader, content: bytes) -> None:
    with pytest.raises(InputError, match=r"Accepted are OTLP/JSON .* gzip or zstd\."):
        read(content)


def test_a_path_without_telemetry_is_refused_with_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for content in (b"", gzip.compress(b"")):
        empty.write_bytes(content)
        with pytest.raises(InputError, match="is empty"):
            list(read_requests(empty))
    with pytest.raises(InputError, match="is a directory"):
        list(read_requests(tmp_path))
    with pytest.raises(InputError, match="does not exist"):
        list(read_requests(tmp_path / "none"))


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "traces.gz"
    path.write_bytes(gzip.compress(b"\n".join(TRACES_JSON for _ in range(3))))
    told: list[tuple[int, int]] = []
    assert len(list(read_requests(path, lambda read, size: told.append((read, size))))) == 3
    assert told[-1] == (path.stat().st_size,) * 2


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_decompression_bomb_takes_bounded_memory_and_costs_itself_only(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bomb"
    bomb = b" " * (3 * REQUEST_LIMIT)
    path.write_bytes(compress(b"\n".join([TRACES_JSON, b'{"resourceSpans":' + bomb, TRACES_JSON])))
    del bomb
    tracemalloc.start()
    kinds = [type(record) for record in read_requests(path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kinds == [FileRequest, BrokenRecord, FileRequest]
    assert peak < 2.5 * REQUEST_LIMIT


def test_a_long_file_is_never_held_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "long"
    body = requests.busy_request(500).SerializeToString()
    for content in (delimited(*[body] * 200), b"\n".join([requests.as_json(TRACES)] * 5000)):
        path.write_bytes(gzip.compress(content, 1))
        tracemalloc.start()
        count = sum(1 for _ in read_requests(path))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count in {200, 5000}
        assert peak < len(content) / 10


@given(requests.trace_requests(requests.any_spans))
def test_generated_requests_pass_for_what_they_are_or_for_nothing(request: Any) -> None:
    timed = [
        span
        for holder in request.resource_spans
        for scope in holder.scope_spans
        for span in scope.spans
    ]
    if timed and timed[0].start_time_unix_nano:
        assert wire.signal_of(request.SerializeToString()) is Signal.TRACES


@given(requests.log_requests())
def test_no_generated_log_passes_for_a_span_or_a_metric(request: Any) -> None:
    records = [
        record
        for holder in request.resource_logs
        for scope in holder.scope_logs
        for record in scope.log_records
    ]
    expected = Signal.LOGS if any(record.ByteSize() for record in records) else Signal.TRACES
    assert wire.signal_of(request.SerializeToString()) is expected
