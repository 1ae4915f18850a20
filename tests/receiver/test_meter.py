"""What the receiver tells Prometheus about itself is well formed, and true."""

import re
from pathlib import Path

import pytest
from tests.receiver.requests import JSON, TRACES, call, failure, logs, metrics, post, traces
from tests.receiver.running import Running, running

from tracejury.receiver.meter import Meter

LINE = re.compile(
    r"# HELP tracejury_[a-z_]+ [^\n]+\."
    r"|# TYPE tracejury_[a-z_]+ (counter|gauge|histogram)"
    r'|tracejury_[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? [0-9.e+-]+'
)


def samples(receiver: Running) -> dict[str, float]:
    reply = post(receiver.http_port, "/metrics", b"", None, method="GET")
    assert (reply.status, reply.headers["Content-Type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    return parsed(reply.body.decode())


def parsed(text: str) -> dict[str, float]:
    assert text.endswith("\n")
    lines = text.removesuffix("\n").split("\n")
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return {name.removeprefix("tracejury_"): float(value) for name, value in pairs}


def test_what_was_answered_and_stored_is_counted(receiver: Running) -> None:
    body = traces("a", "b") + traces("bad", trace_id=b"short")
    call(receiver.grpc_target, TRACES, body)
    post(receiver.http_port, "/v1/traces", traces("a", "c"))
    post(receiver.http_port, "/v1/logs", logs("started"))
    post(receiver.http_port, "/v1/metrics", metrics(points=3).SerializeToString())
    post(receiver.http_port, "/v1/traces", b"no json", JSON)
    post(receiver.http_port, "/<script>", b"")
    failure(receiver.grpc_target, TRACES, b"\xff")
    told = samples(receiver)
    assert told['requests_total{transport="grpc",signal="traces",code="OK"}'] == 1
    assert told['requests_total{transport="grpc",signal="traces",code="INVALID_ARGUMENT"}'] == 1
    assert told['requests_total{transport="http",signal="traces",code="200"}'] == 1
    assert told['requests_total{transport="http",signal="traces",code="400"}'] == 1
    assert told['requests_total{transport="http",signal="none",code="404"}'] == 1
    assert told['request_bytes_total{signal="logs"}'] == len(logs("started"))
    assert told['records_total{kind="spans",outcome="stored"}'] == 3
    assert told['records_total{kind="spans",outcome="duplicate"}'] == 1
    assert told['records_total{kind="spans",outcome="rejected"}'] == 1
    assert told['records_total{kind="logs",outcome="stored"}'] == 1
    assert told['records_total{kind="points",outcome="stored"}'] == 3
    assert told["waiting_requests"] == told["waiting_bytes"] == 0
    assert told["store_writable"] == 1
    assert not [name for name in told if name.startswith("retention")]
    assert told["commit_duration_seconds_count"] >= 3


def test_a_histogram_counts_every_commit_once() -> None:
    meter = Meter()
    for seconds in (0.001, 0.005, 0.03, 99.0):
        meter.committed(seconds)
    told = parsed(meter.exposition({}))
    buckets = {name: count for name, count in told.items() if "_bucket" in name}
    assert buckets['commit_duration_seconds_bucket{le="0.005"}'] == 2
    assert buckets['commit_duration_seconds_bucket{le="0.05"}'] == 3
    assert buckets['commit_duration_seconds_bucket{le="10.0"}'] == 3
    assert buckets['commit_duration_seconds_bucket{le="+Inf"}'] == 4
    assert list(buckets.values()) == sorted(buckets.values())
    assert told["commit_duration_seconds_count"] == 4
    assert told["commit_duration_seconds_sum"] == pytest.approx(99.036)


def test_metrics_are_for_senders_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    with running(tmp_path / "run.duckdb", settings={"token_file": tmp_path / "token"}) as receiver:
        assert post(receiver.http_port, "/metrics", b"", None, method="GET").status == 401
