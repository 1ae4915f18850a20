"""What clients are told while their telemetry cannot be taken, and that they send it again."""

import asyncio
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from tests.receiver.exported import one_span
from tests.receiver.flooding import SPANS_A_REQUEST, check_refusal, flood
from tests.receiver.requests import JSON, TRACES, Reply, call, failure, post, traces
from tests.receiver.running import Running
from tests.receiver.stored import delivered, rows, span_names

from tracejury.errors import StoreError
from tracejury.receiver import http_body, http_connection
from tracejury.receiver.admission import Admission, Hold, OverloadError
from tracejury.receiver.grpc_endpoint import answer_exports, bind_grpc
from tracejury.receiver.http_endpoint import http_runner
from tracejury.receiver.intake import Intake
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.retention import Pruner
from tracejury.store.contents import Committed
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch


class FullAtFirst(Admission):
    """Has no room for the first request, and for every other one."""

    def __init__(self) -> None:
        super().__init__()
        self.turned_away = 0

    @contextmanager
    def admit(self) -> Iterator[Hold]:
        if not self.turned_away:
            self.turned_away += 1
            raise OverloadError
        with super().admit() as hold:
            yield hold


class Failing(Store):
    """Cannot be written while `is_failing`."""

    is_failing = True

    def commit(self, batches: Sequence[Batch], *, received_ns: int, source: str) -> list[Committed]:
        if self.is_failing:
            raise StoreError("The disk is full.", next_step="")
        return super().commit(batches, received_ns=received_ns, source=source)


@dataclass(frozen=True, slots=True)
class Endpoints:
    grpc_target: str
    http_port: int


@asynccontextmanager
async def endpoints(
    store: Store, admission: Admission, pruner: Pruner | None = None
) -> AsyncIterator[Endpoints]:
    async with AsyncExitStack() as running:
        running.enter_context(store)
        pipeline = Pipeline(store, None if pruner is None else pruner.room)
        running.push_async_callback(pipeline.stop)
        intake = Intake(pipeline, admission)
        server, grpc_port = bind_grpc("127.0.0.1", 0, tls=None, request_limit=intake.request_limit)
        answer_exports(server, intake)
        await server.start()
        running.push_async_callback(server.stop, None)
        listener = running.enter_context(socket.create_server(("127.0.0.1", 0)))
        runner = http_runner(intake, grace_s=1)
        await runner.setup()
        running.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        yield Endpoints(f"127.0.0.1:{grpc_port}", listener.getsockname()[1])


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_an_exporter_that_is_turned_away_comes_again(tmp_path: Path, protocol: str) -> None:
    path = tmp_path / "run.duckdb"
    admission = FullAtFirst()
    async with endpoints(Store.open(path), admission) as receiver:
        exporter: SpanExporter = (
            GrpcSpanExporter(receiver.grpc_target, insecure=True)
            if protocol == "grpc"
            else HttpSpanExporter(f"http://127.0.0.1:{receiver.http_port}/v1/traces")
        )
        result = await asyncio.to_thread(exporter.export, one_span("retried"))
        await asyncio.to_thread(exporter.shutdown)
    assert result is SpanExportResult.SUCCESS
    assert admission.turned_away == 1
    assert span_names(path) == ["retried"]
    assert delivered(path, "received") == 1


async def test_grpc_clients_are_told_when_to_come_again(tmp_path: Path) -> None:
    async with endpoints(Store.open(tmp_path / "run.duckdb"), FullAtFirst()) as receiver:
        failed = await asyncio.to_thread(failure, receiver.grpc_target, TRACES, traces("a"))
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    trailers = dict(failed.trailing_metadata())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    wait = RetryInfo()
    assert status.details[0].Unpack(wait)
    assert (status.code, wait.retry_delay.seconds) == (14, 1)
    assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == wait


async def test_http_clients_are_told_when_to_come_again(tmp_path: Path) -> None:
    async with endpoints(Store.open(tmp_path / "run.duckdb"), FullAtFirst()) as receiver:
        reply = await asyncio.to_thread(
            post, receiver.http_port, "/v1/traces", b"{}", content_type=JSON
        )
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    [detail] = reply.json()["details"]
    assert detail == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}


async def test_health_follows_the_store(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Failing.open(tmp_path / "run.duckdb")
    async with endpoints(store, Admission()) as receiver:

        async def status(path: str, method: str = "POST") -> Reply:
            return await asyncio.to_thread(
                post, receiver.http_port, path, traces("a"), method=method
            )

        refused = await status("/v1/traces")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "3")
        assert refused.rpc_status().message == "The disk is full."
        assert (await status("/healthz", "GET")).status == 503
        store.is_failing = False
        assert (await status("/v1/traces")).status == 200
        assert (await status("/healthz", "GET")).status == 200
    assert [record.getMessage() for record in caplog.records] == [
        "The disk is full. Exporters are asked to send again.",
        "The store can be written again.",
    ]


async def test_memory_is_bounded(tmp_path: Path) -> None:
    admission = Admission(request_limit=2, bytes_limit=1000)
    async with endpoints(Store.open(tmp_path / "run.duckdb"), admission) as receiver:

        async def status(body: bytes) -> int:
            reply = await asyncio.to_thread(post, receiver.http_port, "/v1/traces", body)
            return reply.status

        assert await status(traces("large", text="x" * 1000)) == 503
        with admission.admit(), admission.admit() as hold:
            assert await status(b"") == 503
            hold.grow(1000)
        # What was held is free again.
        assert await status(traces("small")) == 200


async def test_all_that_is_more_than_fits_is_told_when_to_come_again(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    async with endpoints(Store.open(path), Admission(request_limit=20)) as receiver:
        acknowledged, refused = await asyncio.to_thread(flood, receiver.grpc_target, 2000)
    assert acknowledged
    assert {(code, message) for code, message, _ in refused} == {
        ("UNAVAILABLE", "More telemetry is waiting than fits into memory.")
    }
    for _, _, trailers in refused:
        check_refusal(trailers)
    assert len(acknowledged) + len(refused) == 2000
    stored = rows(path, "SELECT trace_id, count(*) AS spans FROM span GROUP BY trace_id")
    assert {row["trace_id"]: row["spans"] for row in stored} == dict.fromkeys(
        acknowledged, SPANS_A_REQUEST
    )


async def test_a_client_that_sends_its_body_too_slowly_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_body, "BODY_DEADLINE_S", 0.01)
    async with endpoints(Store.open(tmp_path / "run.duckdb"), Admission()) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
        writer.write(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 9\r\n\r\n{"
        )
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()


async def test_a_client_that_sends_its_headers_too_slowly_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "HEADER_DEADLINE_S", 0.01)
    async with endpoints(Store.open(tmp_path / "run.duckdb"), Admission()) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.http_port)
        writer.write(b"POST /v1/traces HTTP/1.1\r\nHost:")
        assert await reader.read() == b""
        writer.close()


@contextmanager
def no_room_on_disk(receiver: Running) -> Iterator[None]:
    """Let the receiver's files grow no more, which fails like a full disk does."""
    largest = max(path.stat().st_size for path in receiver.store.parent.iterdir())
    limits = resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of others are Linux's")
def test_a_full_disk_loses_nothing_and_is_got_over(receiver: Running) -> None:
    # Python ignores this signal, so that a write beyond the limit is an error and no death.
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    call(receiver.grpc_target, TRACES, traces("before"))
    with no_room_on_disk(receiver):
        reply = post(receiver.http_port, "/v1/traces", traces("during", text="x" * 2**20))
        assert reply.status == 503
        failed = failure(receiver.grpc_target, TRACES, traces("during", text="x" * 2**20))
        assert failed.code() is grpc.StatusCode.UNAVAILABLE
    call(receiver.grpc_target, TRACES, traces("after"))
    receiver.terminate()
    assert span_names(receiver.store) == ["after", "before"]
