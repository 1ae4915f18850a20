"""The addresses and ports of the receiver: had as a whole or not at all."""

import errno
import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import grpc

from tracejury.errors import ReceiverError
from tracejury.receiver.grpc_endpoint import bind_grpc
from tracejury.receiver.tls import Tls

BACKLOG: Final = 512


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the receiver listens."""

    host: str  # a numeric address
    grpc_port: int
    http_port: int
    is_encrypted: bool = False
    needs_token: bool = False

    @property
    def grpc_endpoint(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is for gRPC."""
        return self._url(self.grpc_port)

    @property
    def http_endpoint(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is for HTTP."""
        return self._url(self.http_port)

    def _url(self, port: int) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.is_encrypted else ''}://{host}:{port}"


def resolve(host: str) -> str:
    """A numeric address of `host`; raises `ReceiverError`."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ReceiverError(
            f"{host} is no address of this machine: {error.strerror}.",
            next_step="Name another with --host.",
        ) from error
    # Exporters that are told `localhost` try IPv4 as well, and many only that.
    *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(address[0])


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


@contextmanager
def listening(host: str, port: int, *, option: str) -> Iterator[socket.socket]:
    """A socket that holds `port` of `host`; raises `ReceiverError` that names `option`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
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
async def bound_grpc(
    host: str, port: int, *, tls: Tls | None, request_limit: int
) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    """A gRPC server that holds `port` of `host`, and the port; raises `ReceiverError`."""
    # gRPC takes any number for a port, and reports a taken one on stderr in words of its own.
    with listening(host, port, option="--grpc-port"):
        pass
    server, port = bind_grpc(host, port, tls=tls, request_limit=request_limit)
    try:
        yield server, port
    finally:
        await server.stop(None)
