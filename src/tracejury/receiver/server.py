"""The receiver: both endpoints, one store, from the first port to the last commit."""

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import grpc
from aiohttp import web

from tracejury.config import Keeping, Retention, Serve
from tracejury.errors import UsageError
from tracejury.receiver.access import read_access
from tracejury.receiver.admission import BYTES_LIMIT, Admission
from tracejury.receiver.first_seen import FirstSeen
from tracejury.receiver.grpc_endpoint import answer_exports
from tracejury.receiver.http_connection import HEADER_DEADLINE_S
from tracejury.receiver.http_endpoint import http_runner
from tracejury.receiver.http_origins import Origins
from tracejury.receiver.intake import Intake
from tracejury.receiver.listening import (
    BACKLOG,
    Addresses,
    bound_grpc,
    is_loopback,
    listening,
    resolve,
)
from tracejury.receiver.measured_store import MeasuredStore
from tracejury.receiver.meter import Meter
from tracejury.receiver.open_files import allow_open_files
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.retention import pruning
from tracejury.receiver.snapshot_socket import offer_snapshots
from tracejury.receiver.tls import read_tls

# What requests that are still arriving have to finish. The HTTP server waits up to twice as long,
# and who stops containers often kills them after ten seconds.
_GRACE_S: Final = 1.0

_log = logging.getLogger(__name__)


def run_receiver(
    *,
    store: Path,
    serve: Serve,
    keeping: Keeping | None = None,
    retention: Retention | None = None,
    announce: Callable[[Addresses], None],
    tell: Callable[[str], None] | None = None,
) -> Meter:
    """Receive into `store` until a signal ends it, then commit what arrived; gives the counts.

    SIGTERM, SIGINT and SIGHUP end it; a second SIGINT ends the process at once. `keeping` says
    what of it is stored, `retention` for how long; None: the defaults. Port 0 is any free one;
    `announce` is told the real ones once both are answered, `tell` of each service whose telemetry
    arrives for the first time. Raises `ReceiverError` when a port or a file of `serve` cannot be
    used and `StoreError` when the store cannot; then nothing was started. Runs in the main thread
    only.
    """
    return asyncio.run(_receive(store, serve, keeping, retention or Retention(), announce, tell))


async def _receive(
    path: Path,
    serve: Serve,
    keeping: Keeping | None,
    retention: Retention,
    announce: Callable[[Addresses], None],
    tell: Callable[[str], None] | None,
) -> Meter:
    allow_open_files()
    if serve.grpc_port == serve.http_port != 0:
        raise UsageError(
            f"Both ports are {serve.grpc_port}.",
            next_step="Choose two: --grpc-port for gRPC and --http-port for HTTP.",
        )
    tls = read_tls(serve.tls_cert, serve.tls_key, serve.tls_client_ca)
    access = read_access(serve.token_file)
    address = resolve(serve.host)
    async with AsyncExitStack() as running:
        terminated = running.enter_context(_termination())
        listener = running.enter_context(listening(address, serve.http_port, option="--http-port"))
        grpc_server, grpc_port = await running.enter_async_context(
            bound_grpc(address, serve.grpc_port, tls=tls, request_limit=serve.max_request_size)
        )
        store = running.enter_context(MeasuredStore.open(path, keeping=keeping))
        store.first_seen = None if tell is None else FirstSeen(tell)
        await running.enter_async_context(offer_snapshots(store, path))
        room = await running.enter_async_context(pruning(store, retention))
        pipeline = Pipeline(store, room)
        running.push_async_callback(pipeline.stop)
        intake = Intake(
            pipeline,
            admission=Admission(bytes_limit=max(BYTES_LIMIT, serve.max_request_size)),
            access=access,
            meter=store.meter,
            request_limit=serve.max_request_size,
            retention=retention,
        )
        answer_exports(grpc_server, intake)
        await running.enter_async_context(_serving(grpc_server))
        runner = http_runner(intake, grace_s=_GRACE_S, origins=Origins(serve.cors_origin))
        context = None if tls is None else tls.context
        await running.enter_async_context(_serving_http(runner, listener, context))
        addresses = Addresses(
            address,
            grpc_port,
            listener.getsockname()[1],
            is_encrypted=tls is not None,
            needs_token=not access.is_open,
        )
        _warn_if_exposed(addresses)
        announce(addresses)
        await terminated.wait()
        # Whatever arrived whole is answered; the servers then wait only for what is arriving.
        await pipeline.stop()
    return store.meter


def _warn_if_exposed(addresses: Addresses) -> None:
    if is_loopback(addresses.host):
        return
    where = f"Listening on {addresses.host}"
    if not addresses.needs_token:
        _log.warning("%s: whoever reaches it can send telemetry. Set --token-file.", where)
    if not addresses.is_encrypted:
        _log.warning("%s: what is sent can be read on the way. Set --tls-cert.", where)


@contextmanager
def _termination() -> Iterator[asyncio.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set; SIGINT once more ends the process.

    SIGHUP comes when the terminal is closed. Under `nohup` it is ignored, and stays so.
    """
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()

    def interrupted() -> None:
        terminated.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, terminated.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield terminated
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGHUP)
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.default_int_handler)


@asynccontextmanager
async def _serving(server: grpc.aio.Server) -> AsyncIterator[None]:
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)


@asynccontextmanager
async def _serving_http(
    runner: web.ServerRunner, listener: socket.socket, tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    await runner.setup()
    assert runner.server is not None
    try:
        accepting = await asyncio.get_running_loop().create_server(
            runner.server,
            sock=listener,
            ssl=tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=None if tls is None else HEADER_DEADLINE_S,
        )
        try:
            yield
        finally:
            accepting.close()
    finally:
        await runner.cleanup()
