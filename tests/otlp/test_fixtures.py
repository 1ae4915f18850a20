"""Other people's OTLP files: each record in them is decoded, or refused and counted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otlp import reference
from tests.otlp.tables import rows
from tests.shared_data import shared_data

from tracejury.errors import InputError
from tracejury.otlp.decode import MalformedRequest, Signal, decode
from tracejury.otlp.files import FileRequest, read_requests

_OFFICIAL: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}


def test_every_fixture_is_decoded_or_refused_with_a_sentence() -> None:
    files = sorted(path for path in shared_data("otlp-fixtures").rglob("*") if path.is_file())
    assert files
    for path in files:
        if path.name == "LICENSE":
            with pytest.raises(InputError, match="is not OTLP"):
                list(read_requests(path))
        else:
            refusals: list[str] = []
            assert _decoded(path, refusals) == _counted(path), path.name
            assert all(refusal.endswith(".") for refusal in refusals)


def test_recorded_requests_decode_as_the_reference_says() -> None:
    for path in sorted(shared_data("diagnosis-data").glob("OB-0822-0[12]/*.pb.gz")):
        for record in list(read_requests(path))[:10]:
            assert isinstance(record, FileRequest)
            assert isinstance(record.signal, Signal)
            request = _OFFICIAL[record.signal].FromString(record.body)
            expected = (
                reference.rows_of_traces([request])
                if record.signal is Signal.TRACES
                else reference.rows_of_logs([request])
            )
            assert rows(decode(record.signal, record.encoding, [record.body])) == expected


def _decoded(path: Path, refusals: list[str]) -> int:
    """The records of a file, decoded or left out; a refused request counts as none."""
    count = 0
    for record in read_requests(path):
        assert isinstance(record, FileRequest)
        try:
            batch = decode(record.signal, record.encoding, [record.body])
        except MalformedRequest as refusal:
            refusals.append(refusal.message)
            continue
        count += batch.spans.num_rows + batch.logs.num_rows
        count += sum(batch.rejections["rejected"].to_pylist())
    return count


def _counted(path: Path) -> int:
    content = path.read_bytes()
    if path.suffix == ".pb":
        signal = Signal.LOGS if "logs" in path.name else Signal.TRACES
        request = _OFFICIAL[signal].FromString(content)
        found = reference.rows_of_traces if signal is Signal.TRACES else reference.rows_of_logs
        return len(found([request])[str(signal).replace("traces", "spans")])
    return sum(len(_records(document)) for document in _documents(content))


def _documents(content: bytes) -> Iterator[Any]:
    try:
        yield json.loads(content)
    except ValueError:
        for line in content.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _records(document: Any) -> list[Any]:
    return [
        record
        for holder in document.get("resourceSpans", []) + document.get("resourceLogs", [])
        for scope in holder.get("scopeSpans", []) + holder.get("scopeLogs", [])
        for record in scope.get("spans", []) + scope.get("logRecords", [])
    ]
