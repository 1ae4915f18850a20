"""Take secrets out of alerts: each label, annotation and other text by its own name and look.

Alerts carry them inside of JSON objects, and once more in the name of their group.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pyarrow as pa

from tracejury.telemetry.batch import ALERTS, ATTRIBUTES

_OBJECTS: Final = ("labels", "annotations", "notification")
_TEXTS: Final = ("fingerprint", "generator_url", "receiver", "group_key")

Redact: TypeAlias = Callable[[pa.Table], tuple[pa.Table, int]]
# Where a text stands: a row's or an object's dictionary, and its key there.
_Place: TypeAlias = tuple[dict[str, Any], str]


def redact_alerts(alerts: pa.Table, redact: Redact) -> tuple[pa.Table, int]:
    """`alerts` without their secrets, and how many texts were changed; `redact` does attributes."""
    rows = [row | {name: json.loads(row[name]) for name in _OBJECTS} for row in alerts.to_pylist()]
    places = [place for row in rows for place in _places(row)]
    cleaned, redacted = redact(_attributes(places))
    if not redacted:
        return alerts, 0
    for (holder, key), text in zip(places, cleaned["value"].to_pylist(), strict=True):
        holder[key] = text
    for row, before in zip(rows, alerts.to_pylist(), strict=True):
        _clean_group(row, json.loads(before["labels"]))
        row |= {name: _as_json(row[name]) for name in _OBJECTS}
    return pa.Table.from_pylist(rows, ALERTS), redacted


def _places(row: dict[str, Any]) -> Iterator[_Place]:
    yield from ((row, name) for name in _TEXTS)
    holders = [row[name] for name in _OBJECTS]
    holders += [held for held in row["notification"].values() if isinstance(held, dict)]
    for holder in holders:
        yield from ((holder, key) for key, value in holder.items() if isinstance(value, str))


def _attributes(places: list[_Place]) -> pa.Table:
    columns = [
        pa.array(range(len(places)), pa.uint32()),
        pa.array([key for _, key in places], pa.string()).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0] * len(places), pa.int8()), ["string"]),
        pa.array([holder[key] for holder, key in places], pa.string()).dictionary_encode(),
    ]
    return pa.Table.from_arrays(columns, schema=ATTRIBUTES)


def _clean_group(row: dict[str, Any], before: dict[str, str]) -> None:
    """The group's name repeats labels: `{}:{alertname="Slow", customer="Ada"}`."""
    for name, text in before.items():
        cleaned = row["labels"][name]
        if cleaned != text:
            was, is_now = (f"{name}={_as_json(value)}" for value in (text, cleaned))
            row["group_key"] = row["group_key"].replace(was, is_now)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
