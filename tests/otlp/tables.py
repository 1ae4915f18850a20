"""The tables of a batch as rows that can be compared with the reference's."""

from dataclasses import fields
from typing import Any

import pyarrow as pa
from tests.otlp import metric_reference, reference

from tracejury.telemetry.batch import Batch


def rows(decoded: Batch) -> reference.Rows:
    tables = {f.name: getattr(decoded, f.name) for f in fields(Batch) if f.name != "requests"}
    return {name: _rows(table) for name, table in tables.items()}


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    types = table.column_names.index("type") if "type" in table.column_names else -1
    types = table.column_names.index("body_type") if "body_type" in table.column_names else types
    found = []
    for row in table.to_pylist():
        cells = list(row.values())
        if types >= 0 and cells[types] == "double":
            cells[types + 1] = reference.same_double(float(cells[types + 1]))
        found.append(tuple(map(metric_reference.without_nan, cells)))
    return found
