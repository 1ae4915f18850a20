"""The logical fields of spans: per field the value of its best key, as one column.

Grouping a dozen attributes a span into dozens of columns takes a database gigabytes. Here values
are put at their places, some spans at a time.
"""

from collections import defaultdict
from typing import Final

import numpy as np
import pyarrow as pa

from tracejury.store.reader import Reader

_SPANS_AT_ONCE: Final = 250_000

# The keys of a field that are stored, the worst first: the better overwrite them.
_Keys = dict[str, list[int]]


def span_fields(reader: Reader) -> pa.Table:
    """One row a span that has any field, one column a field that any span has.

    NULL where no key of the field was sent.
    """
    keys = _stored_keys(reader)
    schema = pa.schema([("span_no", pa.int64()), *((field, pa.string()) for field in keys)])
    end = reader.value("SELECT coalesce(max(span_no), -1) + 1 FROM stored.span")
    slices = [_slice(reader, keys, first, schema) for first in range(0, end, _SPANS_AT_ONCE)]
    return pa.concat_tables([schema.empty_table(), *slices])


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


def _slice(reader: Reader, keys: _Keys, first: int, schema: pa.Schema) -> pa.Table:
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
        return schema.empty_table()
    place = found["span_no"].to_numpy() - first
    has_any = np.zeros(_SPANS_AT_ONCE, dtype=bool)
    has_any[place] = True
    span_no = np.flatnonzero(has_any)
    key_no = found["key_no"].to_numpy()
    columns = [pa.array(first + span_no)]
    for of_field in keys.values():
        chosen = np.full(_SPANS_AT_ONCE, -1)
        for key in of_field:
            # The first of a key that a span has twice counts.
            rows = np.flatnonzero(key_no == key)[::-1]
            chosen[place[rows]] = rows
        of_span = chosen[span_no]
        columns.append(found["value"].take(pa.array(of_span, mask=of_span < 0)))
    return pa.table(columns, schema=schema)
