"""The receiver: both endpoints, one store, from the first port to the last commit."""

import asyncio
import errno
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from aiohttp import web

from tracejury.errors import ReceiverError
from tracejury.receiver.admission import Admission
from tracejury.receiver.grpc_endpoint import answer_exports, bind_grpc
from tracejury.receiver.http_endpoint import http_runner
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.snapshot_socket import offer_snapshots
from tracejury.store.writer import Store

# What requests that are still arriving have to finish. The HTTP server waits up to twice as long,
# and who stops containers often kills them after ten seconds.
_GRACE_S: Final = 1.0

_BACKLOG: Final = 512

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the receiver listens."""

    host: str  # a numeric address
    grpc_port: int
    http_port: int

    @property
    def grpc_endpoint(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is for gRPC."""
        return f"http://{self._bracketed}:{self.grpc_port}"

    @property
    def http_endpoint(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is for HTTP."""
        return f"http://{self._bracketed}:{self.http_port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def run_receiver(
    *,
    store: Path,
    host: str = "127.0.0.1",
    grpc_port: int = 4317,
    http_port: int = 4318,
    announce: Callable[[Addresses], None],
) -> None:
    """Receive into `store` until SIGTERM or SIGINT, then commit what arrived and return.

    Port 0 is any free one; `announce` is told the real ones once both are answered. Raises
    `ReceiverError` when a port cannot be had and `StoreError` when the store cannot; then nothing
    was started. A second SIGINT ends the process at once. Runs in the main thread only.
    """
    asyncio.run(_receive(store, host, grpc_port, http_port, announce))


async def _receive(
    path: Path, host: str, grpc_port: int, http_port: int, announce: Callable[[Addresses], None]
) -> None:
    with _termination() as terminated:
        async with AsyncExitStack() as running:
            address = _resolve(host)
            listener = running.enter_context(_listening(address, http_port, option="--http-port"))
            grpc_server, grpc_port = await running.enter_async_context(_bound(address, grpc_port))
            store = running.enter_context(Store.open(path))
            await running.enter_async_context(offer_snapshots(store, path))
            pipeline = Pipeline(store)
            running.push_async_callback(pipeline.stop)
            admission = Admission()
            answer_exports(grpc_server, pipeline, admission)
            await running.enter_async_context(_serving(grpc_server))
            runner = http_runner(pipeline, admission, grace_s=_GRACE_S)
            await running.enter_async_context(_serving_http(runner, listener))
            announce(Addresses(address, grpc_port, listener.getsockname()[1]))
            await terminated.wait()
            # Whatever arrived whole is answered; the servers then wait only for what is arriving.
            await pipeline.stop()


@contextmanager
def _termination() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set; SIGINT once more ends the process."""
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()

    def interrupted() -> None:
        terminated.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield terminated
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _resolve(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ReceiverError(
            f"{host} is no address of this machine: {error.strerror}.",
            next_step="Name another with --host.",
        ) from error
    # Exporters that are told `localhost` try IPv4 as well, and many only that.
    *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    numeric = str(address[0])
    if not ipaddress.ip_address(numeric.partition("%")[0]).is_loopback:
        _log.warning(
            "Listening on %s: whoever reaches this machine can send telemetry, unencrypted.",
            numeric,
        )
    return numeric


@contextmanager
def _listening(host: str, port: int, *, option: str) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "No such port"
        is_foreign = isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL
        raise ReceiverError(
            f"Port {port} of {host} cannot be used: {reason.lower()}.",
            next_step=f"Choose another with {'--host' if is_foreign else option}.",
        ) from error
    with listener:
        yield listener


@asynccontextmanager
async def _bound(host: str, port: int) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    # gRPC takes any number for a port, and reports a taken one on stderr in words of its own.
    with _listening(host, port, option="--grpc-port"):
        pass
    server, port = bind_grpc(host, port)
    try:
        yield server, port
    finally:
        await server.stop(None)


@asynccontextmanager
async def _serving(server: grpc.aio.Server) -> AsyncIterator[None]:
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)


@asynccontextmanager
async def _serving_http(runner: web.ServerRunner, listener: socket.socket) -> AsyncIterator[None]:
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()
        yield
    finally:
        await runner.cleanup()
