"""What the Python SDK counts of its own spans agrees with what was stored of them."""

import os
import subprocess
import sys

from tests.receiver.running import Running

from tracejury.config import Config
from tracejury.store.reader import Reader
from tracejury.workflow.rebuild import rebuild

# While the first batch is held back, the queue fills, and what does not fit is dropped.
SERVICE = """
import sys
import threading
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

endpoint = sys.argv[1]
resource = Resource({"service.name": "shop", "service.instance.id": "one"})
exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics")
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
meters = MeterProvider([reader], resource=resource)
set_meter_provider(meters)

gate = threading.Event()

class Held(OTLPSpanExporter):
    def export(self, spans):
        gate.wait()
        return super().export(spans)

tracers = TracerProvider(resource=resource)
tracers.add_span_processor(
    BatchSpanProcessor(
        Held(f"{endpoint}/v1/traces"),
        max_queue_size=100,
        max_export_batch_size=50,
        schedule_delay_millis=3_600_000,
    )
)
tracer = tracers.get_tracer("shop")
for number in range(1000):
    tracer.start_span(f"work {number}").end()
unfinished = tracer.start_span("still running")
gate.set()
tracers.force_flush()
meters.shutdown()
tracers.shutdown()
"""


def test_a_queue_that_overflows_is_seen_in_the_self_metrics(receiver: Running) -> None:
    endpoint = f"http://127.0.0.1:{receiver.http_port}"
    environment = os.environ | {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}
    subprocess.run(
        [sys.executable, "-c", SERVICE, endpoint], env=environment, check=True, timeout=60
    )
    receiver.terminate()
    with Reader.open(receiver.store) as reader:
        rebuild(reader, Config())
        [counted] = reader.rows("FROM sdk_instance")
        reasons = reader.rows(
            "SELECT DISTINCT reason FROM sdk_span_count WHERE metric LIKE '%processed'"
        )
    assert (counted["service"], counted["instance_id"]) == ("shop", "one")
    assert (counted["started"], counted["live"]) == (1001, 1)
    # The SDK counts a drop when it finds the queue full, though its exporter may then make room:
    # its word that spans were dropped is good; their number is started - live - stored.
    assert counted["dropped"] > 0
    assert counted["stored"] == counted["processed"]
    assert 0 < counted["stored"] < counted["started"] - counted["live"]
    assert {"reason": "queue_full"} in reasons
