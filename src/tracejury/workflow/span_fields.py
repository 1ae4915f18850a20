"""The logical fields of spans: per field the value of its best key, as one column.

Grouping a dozen attributes a span into dozens of columns takes a database gigabytes. Here values
are put at their places, some spans at a time.
"""

from collections import defaultdict
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.reader import Reader
from tracejury.telemetry import semconv

_SPANS_AT_ONCE: Final = 250_000

_SCHEMA: Final = pa.schema(
    [("span_no", pa.int64()), *((field, pa.string()) for field in semconv.FIELD_KEYS)]
)

# The keys of a field that are stored, the worst first: the better overwrite them.
_Keys = dict[str, list[int]]


def span_fields(reader: Reader) -> pa.Table:
    """One row a span that has any field; NULL where no key of the field was sent."""
    keys = _stored_keys(reader)
    end = reader.value("SELECT coalesce(max(span_no), -1) + 1 FROM stored.span")
    slices = [_slice(reader, keys, first) for first in range(0, end, _SPANS_AT_ONCE)]
    return pa.concat_tables([_SCHEMA.empty_table(), *slices])


def _stored_keys(reader: Reader) -> _Keys:
    keys: _Keys = defaultdict(list)
    for row in reader.rows("""
        SELECT field_key.field, name.key_no
        FROM stored.attribute_key AS name
        JOIN field_key USING (key)
        WHERE name.type <> 'empty'
        ORDER BY field_key.priority DESC, name.key_no DESC
    """):
        keys[row["field"]].append(row["key_no"])
    return keys


def _slice(reader: Reader, keys: _Keys, first: int) -> pa.Table:
    found = reader.arrow(
        """
        SELECT span_no, key_no, value
        FROM stored.span_value
        WHERE span_no >= $first AND span_no < $end AND list_contains($keys, key_no)
        """,
        {
            "first": first,
            "end": first + _SPANS_AT_ONCE,
            "keys": [key for of_field in keys.values() for key in of_field],
        },
    ).combine_chunks()
    if not found.num_rows:
        return _SCHEMA.empty_table()
    span_no, place = np.unique(found["span_no"].to_numpy(), return_inverse=True)
    rows_of = _rows_by_key(found["key_no"].to_numpy())
    columns = [pa.array(span_no)]
    for field in _SCHEMA.names[1:]:
        chosen = np.full(len(span_no), -1)
        for key in keys.get(field, ()):
            # The first of a key that a span has twice counts.
            rows = rows_of.get(key, np.empty(0, np.int64))[::-1]
            chosen[place[rows]] = rows
        columns.append(found["value"].take(pa.array(chosen, mask=chosen < 0)))
    return pa.table(columns, schema=_SCHEMA)


def _rows_by_key(key_no: NDArray[np.uint32]) -> dict[int, NDArray[np.int64]]:
    order = np.argsort(key_no, kind="stable")
    distinct, starts = np.unique(key_no[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(order, starts[1:]), strict=True))
