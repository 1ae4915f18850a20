"""Alertmanager's webhook, version 4: what it posts → a batch of alerts, and back.

Its fields: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alerts are
few, so that each is read in Python.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa

from tracejury.otlp.signals import MalformedRequest, Signal
from tracejury.telemetry.batch import ALERTS, Batch, batch_of_alerts

# What a request of the receiver carries.
Content: TypeAlias = Signal | Literal["alerts"]

_VERSION: Final = "4"
_STATUSES: Final = ("firing", "resolved")
# What is said of all alerts of a webhook, beside its receiver and its group.
_COMMON_TEXTS: Final = ("version", "status", "externalURL")
_COMMON_OBJECTS: Final = ("groupLabels", "commonLabels", "commonAnnotations")

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)"
)
# Go's zero time: nothing is known.
_NO_MOMENT: Final = "0001-01-01T00:00:00Z"
_LATEST_NS: Final = 2**64 - 1

Row = dict[str, Any]


def alerts_of(bodies: Sequence[bytes]) -> Batch:
    """The webhooks in order, as one batch.

    Raises `MalformedRequest`, naming the field, for the first that is none.
    """
    rows: list[Row] = []
    for request, body in enumerate(bodies):
        try:
            rows += _alerts(_document(body), request)
        except MalformedRequest as error:
            raise MalformedRequest(error.message, request=request) from error
    return batch_of_alerts(len(bodies), pa.Table.from_pylist(rows, ALERTS))


def webhooks_of(batch: Batch) -> Iterator[str]:
    """The alerts of a batch as lines of JSON, one a webhook: what `alerts_of` reads."""
    rows = batch.alerts.to_pylist()
    for _, group in groupby(rows, key=itemgetter("request")):
        alerts = list(group)
        first = alerts[0]
        document = {
            "version": _VERSION,
            **json.loads(first["notification"]),
            "receiver": first["receiver"],
            "groupKey": first["group_key"],
            "alerts": [_written(alert) for alert in alerts],
        }
        yield json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _written(alert: Row) -> Row:
    return {
        "status": alert["status"],
        "labels": json.loads(alert["labels"]),
        "annotations": json.loads(alert["annotations"]),
        "startsAt": _as_moment(alert["starts_ns"]),
        "endsAt": _as_moment(alert["ends_ns"]),
        "generatorURL": alert["generator_url"],
        "fingerprint": alert["fingerprint"],
    }


def _as_moment(time_ns: int | None) -> str:
    if time_ns is None:
        return _NO_MOMENT
    seconds, fraction = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09}Z"


def _document(body: bytes) -> Row:
    try:
        document = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is no UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"The body is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise MalformedRequest("The body must be a JSON object.")
    version = document.get("version")
    if version != _VERSION:
        raise MalformedRequest(f'version must be "{_VERSION}", as Alertmanager sends it.')
    return document


def _alerts(document: Row, request: int) -> Iterator[Row]:
    alerts = document.get("alerts")
    if not isinstance(alerts, list):
        raise MalformedRequest("alerts must be a list.")
    common = {
        "request": request,
        "receiver": _text(document, "receiver", ""),
        "group_key": _text(document, "groupKey", ""),
        "notification": _as_json(_notification(document)),
    }
    for position, alert in enumerate(alerts):
        if not isinstance(alert, dict):
            raise MalformedRequest(f"alerts[{position}] must be an object.")
        yield common | _alert(alert, f"alerts[{position}].")


def _notification(document: Row) -> Row:
    """What is said of all alerts at once, without what is empty."""
    said: Row = {name: _text(document, name, "") for name in _COMMON_TEXTS}
    said |= {name: _texts(document, name, "") for name in _COMMON_OBJECTS}
    truncated = document.get("truncatedAlerts", 0)
    if isinstance(truncated, bool) or not isinstance(truncated, int):
        raise MalformedRequest("truncatedAlerts must be a whole number.")
    said["truncatedAlerts"] = truncated
    return {name: value for name, value in said.items() if value}


def _alert(alert: Row, where: str) -> Row:
    status = alert.get("status")
    if status not in _STATUSES:
        raise MalformedRequest(f"{where}status must be {' or '.join(_STATUSES)}.")
    if "labels" not in alert:
        raise MalformedRequest(f"{where}labels is missing.")
    fingerprint = _text(alert, "fingerprint", where)
    if not fingerprint:
        raise MalformedRequest(f"{where}fingerprint is missing: it tells one alert from another.")
    return {
        "status": status,
        "starts_ns": _moment(alert, "startsAt", where),
        "ends_ns": _moment(alert, "endsAt", where),
        "fingerprint": fingerprint,
        "generator_url": _text(alert, "generatorURL", where),
        "labels": _as_json(_texts(alert, "labels", where)),
        "annotations": _as_json(_texts(alert, "annotations", where)),
    }


def _as_json(value: object) -> str:
    """JSON that is the same for the same content."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _text(fields: Row, name: str, where: str) -> str:
    value = fields.get(name, "")
    if not _is_text(value):
        raise MalformedRequest(f"{where}{name} must be a text.")
    return str(value)


def _texts(fields: Row, name: str, where: str) -> dict[str, str]:
    value = {} if fields.get(name) is None else fields[name]
    if not isinstance(value, dict) or not all(map(_is_text, (*value, *value.values()))):
        raise MalformedRequest(f"{where}{name} must be an object of texts.")
    return value


def _is_text(value: object) -> bool:
    """Whether it is a text, and one that UTF-8 can write: JSON may name half a character."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(alert: Row, name: str, where: str) -> int | None:
    """Nanoseconds since 1970; None: not known."""
    text = alert.get(name) or _NO_MOMENT
    if text == _NO_MOMENT:
        return None
    time_ns = _nanoseconds(text) if isinstance(text, str) else None
    if time_ns is None:
        message = f"{where}{name} must be a time of RFC 3339, as 2026-01-31T12:00:00Z."
        raise MalformedRequest(message)
    if not 0 <= time_ns <= _LATEST_NS:
        raise MalformedRequest(f"{where}{name} must lie between the years 1970 and 2554.")
    return time_ns


def _nanoseconds(text: str) -> int | None:
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone.upper()}")
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))
