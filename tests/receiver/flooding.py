"""Thousands of gRPC calls at once, from a process of its own, and what was answered to each."""

import json
import subprocess
import sys
from typing import Any

import grpc
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from tests.receiver.running import ROOT

from tracejury.receiver.grpc_endpoint import STREAM_LIMIT

SPANS_A_REQUEST = 10
# How long a call of the flood, and its neighbours, wait for an answer: a machine that is busy with
# other tests, too, takes longer for all than exporters are usually set to wait.
PATIENCE_S = 120

# Sends all of its requests at once, on as many connections as that takes. One line of JSON: the
# traces that were acknowledged, and every other answer with its trailers.
CLIENT = """
import asyncio, json, sys
import grpc
from tests.receiver.requests import TRACES, traces
target, calls, streams, patience_s = sys.argv[1], *map(int, sys.argv[2:])
body = traces(*map(str, range(10)), trace_id=b"T" * 16)
acknowledged, refused = [], []

async def one(export, number):
    trace_id = b"%016d" % number
    try:
        await export(body.replace(b"T" * 16, trace_id), timeout=patience_s)
        acknowledged.append(trace_id.hex())
    except grpc.aio.AioRpcError as error:
        trailers = {name: value.hex() for name, value in error.trailing_metadata() or ()}
        refused.append([error.code().name, error.details(), trailers])

async def main():
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options) for _ in range(-(-calls // streams))]
    exports = [channel.unary_unary(TRACES) for channel in channels]
    await asyncio.gather(*(one(exports[n % len(exports)], n) for n in range(calls)))
    for channel in channels:
        await channel.close()

asyncio.run(main())
print(json.dumps([acknowledged, refused]))
"""


def flood(target: str, calls: int) -> tuple[list[str], list[Any]]:
    """The traces that were acknowledged, and of the other calls the code, message and trailers."""
    ended = subprocess.run(
        [sys.executable, "-c", CLIENT, target, *map(str, (calls, STREAM_LIMIT, PATIENCE_S))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=240,
    )
    acknowledged, refused = json.loads(ended.stdout)
    return acknowledged, [
        (code, message, {name: bytes.fromhex(value) for name, value in trailers.items()})
        for code, message, trailers in refused
    ]


def check_refusal(trailers: dict[str, Any]) -> None:
    """Both trailers say when to come again: the specification's, and the Python exporter's."""
    wait = RetryInfo()
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert status.details[0].Unpack(wait)
    assert 1 <= wait.retry_delay.seconds <= 3
    assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == wait
