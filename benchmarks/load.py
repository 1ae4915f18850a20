"""A client that sends the corpus over OTLP/gRPC, in a process of its own.

    python -m benchmarks.load ENDPOINT [--spans 1000000] [--in-flight 64] [--rate SPANS_A_SECOND]
        [--rounds 1] [--first-round 0] [--run NUMBER]

Prints one JSON object a round: spans sent, seconds until the last was acknowledged, refusals, and
the milliseconds that an Export took (median, 99th percentile, longest). With --rate requests leave
at that pace, whatever the answers do; else as many are under way as --in-flight says.
"""

import argparse
import json
import queue
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import grpc
import numpy as np
from benchmarks.corpus import SPANS_A_REQUEST, corpus, fresh

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_CONNECTIONS: Final = 4


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
    seconds = time.perf_counter() - begin
    p50, p99 = np.percentile(took * 1000, [50, 99])
    return {
        "spans": len(bodies) * SPANS_A_REQUEST,
        "seconds": seconds,
        "spans_per_s": len(bodies) * SPANS_A_REQUEST / seconds,
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
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(arguments.endpoint, options) for _ in range(_CONNECTIONS)]
    calls = [channel.unary_unary(_EXPORT) for channel in channels]
    for channel in channels:
        grpc.channel_ready_future(channel).result(timeout=30)
    for number in range(arguments.first_round, arguments.first_round + arguments.rounds):
        bodies = fresh(template, run=run, number=number)
        print(json.dumps(send(calls, bodies, arguments.in_flight, arguments.rate)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
