"""What a closed store holds, as its public views show it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracejury.store.reader import Reader

VIEWS = (
    "resource",
    "span",
    "span_attribute",
    "span_event",
    "span_link",
    "resource_attribute",
    "log_record",
    "metric_point",
    "alert",
)


@contextmanager
def reading(store: Path) -> Iterator[Reader]:
    with Reader.open(store) as reader:
        for view in VIEWS:
            reader.derive(view)
        yield reader


def rows(store: Path, sql: str) -> list[dict[str, Any]]:
    with reading(store) as reader:
        return reader.rows(sql)


def span_names(store: Path) -> list[str]:
    return [row["name"] for row in rows(store, "SELECT name FROM span ORDER BY name")]


def delivered(store: Path, column: str) -> int:
    [row] = rows(store, f"SELECT coalesce(sum({column}), 0)::BIGINT AS total FROM stored.delivery")
    return int(row["total"])
