"""Bytes of OTLP requests, or of Alertmanager's webhooks → one columnar `Batch`.

No step of it is repeated per span in Python; only what is rare and free in form (lists inside of
values, odd numbers in JSON) is read in Python, once per distinct value.
"""

from collections.abc import Sequence

from tracejury.otlp import json_columns, protobuf_columns
from tracejury.otlp.alert_webhook import Content, alerts_of
from tracejury.otlp.flatten import flatten
from tracejury.otlp.signals import Encoding, MalformedRequest, Signal
from tracejury.telemetry.batch import Batch

__all__ = ["Encoding", "MalformedRequest", "Signal", "decode"]


def decode(signal: Content, encoding: Encoding, bodies: Sequence[bytes]) -> Batch:
    """The requests of one signal and encoding, in order, as one batch.

    Raises `MalformedRequest`, naming the first request that cannot be read, where there is one.
    Safe to call from several threads at once.
    """
    if not isinstance(signal, Signal):
        return alerts_of(bodies)
    try:
        return _decode(signal, encoding, bodies)
    except MalformedRequest:
        if len(bodies) > 1:
            _raise_first(signal, encoding, bodies)
        raise


def _decode(signal: Signal, encoding: Encoding, bodies: Sequence[bytes]) -> Batch:
    columns = json_columns if encoding is Encoding.JSON else protobuf_columns
    return flatten(signal, columns.parse(signal, bodies), columns)


def _raise_first(signal: Signal, encoding: Encoding, bodies: Sequence[bytes]) -> None:
    for index, body in enumerate(bodies):
        try:
            _decode(signal, encoding, [body])
        except MalformedRequest as error:
            raise MalformedRequest(error.message, request=index) from error
