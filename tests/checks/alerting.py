"""Alerts, drawn → the bytes of Alertmanager's webhooks. The grammar is in README.md."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Final

from tests.checks.drawing import DrawingError, Notes, nanoseconds

_LINE: Final = re.compile(r"(?P<name>\S+) (?P<start>\S+?)\.\.(?P<end>\S+)(?P<notes>(?: .*)?)$")
_FIRING_STILL: Final = "0001-01-01T00:00:00Z"


def alerts(block: str) -> list[bytes]:
    """One webhook a line: an alert that fires, and one more where it was resolved."""
    return [_webhook(line) for line in block.splitlines() if line.strip()]


def _webhook(line: str) -> bytes:
    matched = _LINE.match(line.strip())
    if not matched:
        raise DrawingError(f"this is no alert: {line}")
    notes = Notes.parse(matched["notes"].split(), line)
    labels = {"alertname": matched["name"]} | notes.prefixed("")
    labels = {key: value for key, value in labels.items() if not key.startswith("annotation:")}
    alert = {
        "labels": labels,
        "annotations": notes.prefixed("annotation:"),
        "startsAt": _moment(matched["start"]),
        "generatorURL": "",
        "fingerprint": hashlib.blake2b(repr(labels).encode(), digest_size=8).hexdigest(),
    }
    told = [alert | {"status": "firing", "endsAt": _FIRING_STILL}]
    if matched["end"] != "?":
        told.append(alert | {"status": "resolved", "endsAt": _moment(matched["end"])})
    document = {"version": "4", "groupKey": "{}", "receiver": "drawn", "alerts": told}
    return json.dumps(document).encode()


def _moment(text: str) -> str:
    seconds, fraction = divmod(nanoseconds(text), 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09}Z"
