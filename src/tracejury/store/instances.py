"""Which workflow instance a trace belongs to, for whoever rebuilds a run, and for whoever prunes.

Both read the same views, so that what is removed as a whole is what an audit would call one.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.reader import Reader
from tracejury.telemetry import semconv

Ints = NDArray[np.int64]

# Of the tables that the views of instances build on, as much as these need, for the whole store.
_CONVERSING: Final = """
    SELECT attribute.span_no, arg_min(attribute.value, message_key.priority) AS message_id
    FROM stored.span_attribute AS attribute
    JOIN message_key USING (key)
    WHERE attribute.type <> 'empty'
        AND attribute.span_no IN (
            SELECT conversation.span_no
            FROM stored.span_attribute AS conversation
            WHERE conversation.key LIKE '%conversation_id'
        )
    GROUP BY attribute.span_no
"""
# Every span, with what the views of instances ask of it.
_NODES: Final = """
    SELECT span.span_no, trace.trace_no, span.span_id
    FROM stored.span AS span
    JOIN trace USING (trace_id)
"""
# Of which span a log record speaks makes no difference to its instance.
_NO_SPANS: Final = "SELECT trace_no, span_id, span_no FROM node WHERE false"


def derive_instances(reader: Reader, configured: tuple[str, ...]) -> None:
    """Derive `trace_instance` and `log_instance` alone, by the `configured` correlation keys.

    What they build on is left in part, and `log_instance` has no span_no.
    """
    register_correlation_keys(reader, configured)
    keys = enumerate(semconv.FIELD_KEYS["message_id"])
    rows = [{"key": key, "priority": priority} for priority, key in keys]
    reader.register("message_key", pa.Table.from_pylist(rows))
    reader.derive("trace")
    reader.register("span_field", reader.arrow(_CONVERSING))
    reader.define("node", _NODES)
    reader.define("span_of_id", _NO_SPANS)
    for name in ("trace_key", "trace_correlation", "trace_link"):
        reader.derive(name)
    register_components(reader)
    reader.derive("trace_instance")
    reader.derive("log_instance")


def register_correlation_keys(reader: Reader, configured: tuple[str, ...]) -> None:
    """The keys that join traces, the configured ones first."""
    keys = dict.fromkeys((*configured, *semconv.CORRELATION_KEYS))
    rows = [
        {"sent_as": prefix + key, "key": key, "rank": rank, "configured": key in configured}
        for rank, key in enumerate(keys)
        for prefix in ("", semconv.BAGGAGE_PREFIX)
    ]
    reader.register("correlation_key", pa.Table.from_pylist(rows))


def register_components(reader: Reader) -> None:
    """Traces that are joined by links alone: each with the smallest row number of its group."""
    linked = reader.arrow("""
        WITH keyless AS (
            SELECT trace.trace_no FROM trace ANTI JOIN trace_correlation USING (trace_no)
        )
        SELECT link.trace_no, link.linked_no
        FROM trace_link AS link
        WHERE link.trace_no IN (SELECT keyless.trace_no FROM keyless)
            AND link.linked_no IN (SELECT keyless.trace_no FROM keyless)
        UNION ALL
        -- One whose links all lead to traces with a key is a group of its own.
        SELECT keyless.trace_no, keyless.trace_no
        FROM keyless
        WHERE keyless.trace_no IN (SELECT link.trace_no FROM trace_link AS link)
            OR keyless.trace_no IN (SELECT link.linked_no FROM trace_link AS link)
    """)
    one, other = linked["trace_no"].to_numpy(), linked["linked_no"].to_numpy()
    traces, places = np.unique(np.concatenate((one, other)), return_inverse=True)
    groups = connected(places[: len(one)], places[len(one) :], len(traces))
    columns = {"trace_no": traces, "component": traces[groups]}
    reader.register("trace_component", pa.table(columns))


def connected(one: Ints, other: Ints, count: int) -> Ints:
    """For each of `count` nodes the smallest of those it is joined with by pairs, at any remove."""
    smallest = np.arange(count)
    while True:
        before = smallest
        smallest = before.copy()
        least = np.minimum(before[one], before[other])
        for ends in (one, other):
            np.minimum.at(smallest, before[ends], least)
        # Follow each to the end: a long chain takes few rounds.
        while not np.array_equal(further := smallest[smallest], smallest):
            smallest = further
        if np.array_equal(smallest, before):
            return smallest
