"""A client that sends the corpus over OTLP, in a process of its own: over gRPC, or HTTP if asked.

    python -m benchmarks.load ENDPOINT [--http] [--spans 1000000] [--in-flight 64]
        [--rate SPANS_A_SECOND] [--rounds 1] [--first-round 0] [--run NUMBER]

Prints one JSON object a round: spans sent, seconds until the last was acknowledged, refusals, and
the milliseconds that an Export took (median, 99th percentile, longest). With --rate requests leave
at that pace, whatever the answers do; else as many are under way as --in-flight says. Over HTTP,
without --rate, each request that is under way has a connection of its own.
"""

import argparse
import http.client
import json
import queue
import secrets
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import grpc
import numpy as np
from benchmarks.corpus import SPANS_A_REQUEST, corpus, fresh
from numpy.typing import NDArray

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_CONNECTIONS: Final = 4
_HEADERS: Final = {"Content-Type": "application/x-protobuf"}


def send(
    calls: Sequence[Any], bodies: Sequence[bytes], in_flight: int, rate: float | None
) -> dict[str, Any]:
    """Send `bodies` and wait for every answer."""
    free: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(in_flight if rate is None else len(bodies)):
        free.put(None)
    took = np.zeros(len(bodies))
    refused: list[str] = []

    def finished(number: int, started: float, call: Any) -> None:
        took[number] = time.perf_counter() - started
        if call.code() is not grpc.StatusCode.OK or call.result():
            refused.append(f"{call.code()} {call.details()}")
        free.put(None)

    begin = time.perf_counter()
    for number, body in enumerate(bodies):
        free.get()
        if rate is not None:
            time.sleep(max(0.0, begin + number * SPANS_A_REQUEST / rate - time.perf_counter()))
        started = time.perf_counter()
        call = calls[number % len(calls)].future(body)
        call.add_done_callback(
            lambda call, number=number, started=started: finished(number, started, call)
        )
    for _ in range(in_flight if rate is None else len(bodies)):
        free.get()
    return _result(took, time.perf_counter() - begin, refused)


def send_http(endpoint: str, bodies: Sequence[bytes], in_flight: int) -> dict[str, Any]:
    """Send `bodies` over as many connections as there may be requests under way."""
    waiting = queue.SimpleQueue[tuple[int, bytes] | None]()
    for item in [*enumerate(bodies), *[None] * in_flight]:
        waiting.put(item)
    took = np.zeros(len(bodies))
    refused: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection(endpoint, timeout=60)
        while item := waiting.get():
            number, body = item
            started = time.perf_counter()
            connection.request("POST", "/v1/traces", body, _HEADERS)
            response = connection.getresponse()
            said = response.read()
            took[number] = time.perf_counter() - started
            if response.status != HTTPStatus.OK:
                refused.append(f"{response.status} {said[:80]!r}")
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(in_flight)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _result(took, time.perf_counter() - begin, refused)


def _result(took: NDArray[np.float64], seconds: float, refused: list[str]) -> dict[str, Any]:
    p50, p99 = np.percentile(took * 1000, [50, 99])
    return {
        "spans": len(took) * SPANS_A_REQUEST,
        "seconds": seconds,
        "spans_per_s": len(took) * SPANS_A_REQUEST / seconds,
        "refused": len(refused),
        "first_refusal": refused[0] if refused else None,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "max_ms": float(took.max() * 1000),
    }


def main() -> None:
    """Send the rounds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("endpoint", help="host:port")
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--first-round", type=int, default=0)
    parser.add_argument("--run", type=int, default=None)
    arguments = parser.parse_args()
    run = secrets.randbits(40) if arguments.run is None else arguments.run
    whole = corpus(1_000_000)
    template = whole[: -(-arguments.spans // SPANS_A_REQUEST)]
    del whole
    calls = [] if arguments.http else _calls(arguments.endpoint)
    for number in range(arguments.first_round, arguments.first_round + arguments.rounds):
        bodies = fresh(template, run=run, number=number)
        if arguments.http:
            said = send_http(arguments.endpoint, bodies, arguments.in_flight)
        else:
            said = send(calls, bodies, arguments.in_flight, arguments.rate)
        print(json.dumps(said), flush=True)


def _calls(endpoint: str) -> list[Any]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(endpoint, options) for _ in range(_CONNECTIONS)]
    for channel in channels:
        grpc.channel_ready_future(channel).result(timeout=120)
    return [channel.unary_unary(_EXPORT) for channel in channels]


if __name__ == "__main__":
    main()
