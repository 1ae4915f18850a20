"""Carry `job.id` and `item.id` through spans, log records, HTTP calls and the queue.

Both travel as baggage, which the instrumentations of requests, Flask and Celery pass on.
"""

import contextlib
import logging
import signal
import socket
import sys
import time

from opentelemetry import baggage, context, trace
from opentelemetry.processor.baggage import BaggageSpanProcessor
from opentelemetry.sdk.trace import TracerProvider

from pipeline.variant import CURRENT

JOB_ID = "job.id"
ITEM_ID = "item.id"
_CARRIED = (JOB_ID, ITEM_ID)

step = trace.get_tracer("media-pipeline").start_as_current_span


def start():
    """Add the two ids to every span and log record of this process."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.add_span_processor(BaggageSpanProcessor(lambda key: key in _CARRIED))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Access lines are written after the request's context is gone: they carry no trace id.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    if not CURRENT.correlates_logs:
        logging.getLogger().handlers = [_Detached(each) for each in logging.getLogger().handlers]
        return
    plain_record = logging.getLogRecordFactory()

    def record_with_ids(*args, **kwargs):
        record = plain_record(*args, **kwargs)
        for key in _CARRIED:
            if value := baggage.get_baggage(key):
                record.__dict__[key] = value
        return record

    logging.setLogRecordFactory(record_with_ids)


class _Detached(logging.Handler):
    """Hand records on as a handler with a thread of its own does, where no trace is known."""

    def __init__(self, handler):
        super().__init__()
        self._handler = handler

    def emit(self, record):
        token = context.attach(context.Context())
        try:
            self._handler.emit(record)
        finally:
            context.detach(token)


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def serve(app, port):
    # The default action of SIGTERM skips the exit handlers, and with them the last export.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A standby takes over from the one before it, as soon as that one is gone.
    if not _is_free(port):
        sys.stderr.write("standing by\n")
        sys.stderr.flush()
    while not _is_free(port):
        time.sleep(0.05)
    app.run(host="127.0.0.1", port=port, threaded=True)


@contextlib.contextmanager
def carrying(key, value):
    trace.get_current_span().set_attribute(key, value)
    token = context.attach(baggage.set_baggage(key, value))
    try:
        yield
    finally:
        context.detach(token)
