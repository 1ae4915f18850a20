"""Runs of a real SDK that loses spans: what it counted says how many, and the audit says why."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from tests.receiver.running import Process, Running
from tests.test_cli import called

# A service as auto-instrumentation sets it up: all its settings are the environment's.
SDK = """
import os
import sys
import time
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
set_meter_provider(meters)
tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = tracers.get_tracer("worker")

def items(count):
    for number in range(count):
        tracer.start_span(f"item {number}").end()
"""

END = """
tracers.shutdown()
meters.shutdown()
"""

# 999 items below a job, far faster than batches of ten are sent.
OVERFLOWING = f"""{SDK}
with tracer.start_as_current_span("job"):
    items(999)
unfinished = tracer.start_span("never ended")
{END}"""

# Ten items are sent, five more are counted, and of the last four nobody ever hears.
KILLED = f"""{SDK}
with tracer.start_as_current_span("job"):
    items(10)
    tracers.force_flush()
    items(5)
    meters.force_flush()
    items(4)
    print("counted", flush=True)
    time.sleep(600)
"""

FINISHING = f"""{SDK}
with tracer.start_as_current_span("job"):
    items(3)
{END}"""

# The child's SDK goes on from the counts that it got at the fork, under an id of its own.
FORKED = f"""{SDK}
items(int(sys.argv[1]))
child = os.fork()
if not child:
    items(5)
    tracers.shutdown()
    meters.shutdown()
    os._exit(0)
os.waitpid(child, 0)
{END}"""


def start(receiver: Running, program: str, *arguments: str, **settings: str) -> Process:
    environment = {
        "OTEL_SERVICE_NAME": "worker",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.http_port}",
        "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
        "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    }
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | environment | settings,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: Process) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def completeness(receiver: Running) -> Mapping[str, Any]:
    """What the audit says after the receiver has ended."""
    receiver.terminate()
    command = ("audit", "--store", str(receiver.store), "--format", "json")
    audited = called(receiver.store.parent, *command)
    assert audited.returncode in (0, 1), audited.stderr
    found: Mapping[str, Any] = json.loads(audited.stdout)["completeness"]
    return found


def test_a_queue_that_overflows_is_counted(receiver: Running) -> None:
    sizes = {"OTEL_BSP_MAX_QUEUE_SIZE": "40", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}
    finish(start(receiver, OVERFLOWING, **sizes))
    found = completeness(receiver)
    worker = found["by_service"]["worker"]
    assert (found["basis"], worker["basis"], found["is_upper_bound"]) == (
        "counted",
        "counted",
        False,
    )
    # A thousand ended, and one never did.
    assert 40 <= worker["received"] < 1000
    assert worker["received"] + worker["known_missing"] == 1001
    assert worker["gap"] == {"dropped": 1000 - worker["received"], "never-ended": 1}
    assert found["ratio"] == pytest.approx(worker["received"] / 1001)
    assert {step["service"] for step in found["missing"]} == {"worker"}


def test_a_worker_that_was_killed_is_counted_until_its_last_count(receiver: Running) -> None:
    killed = start(receiver, KILLED)
    try:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "counted\n"
    finally:
        killed.kill()
        killed.communicate()
    finish(start(receiver, FINISHING))
    found = completeness(receiver)
    worker = found["by_service"]["worker"]
    # The job and fifteen items had been started, ten had come. No count has the last four.
    assert worker["received"] == 10 + 4
    assert worker["gap"] == {"not-exported": 5, "killed": 1}
    assert (worker["basis"], worker["processes"], worker["counted_processes"]) == (
        "upper-bound",
        2,
        1,
    )
    assert (found["basis"], found["is_upper_bound"]) == ("upper-bound", True)


@pytest.mark.parametrize(("before", "basis"), [(0, "counted"), (3, "upper-bound")])
def test_a_forked_worker_is_counted_if_it_began_to_count(
    receiver: Running, before: int, basis: str
) -> None:
    finish(start(receiver, FORKED, str(before)))
    found = completeness(receiver)
    assert (found["basis"], found["known_missing"]) == (basis, 0)
