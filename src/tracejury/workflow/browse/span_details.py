"""What is recorded of one span beside its place in the trace."""

import json
from dataclasses import dataclass, field
from typing import Any

from tracejury.store.reader import Reader
from tracejury.workflow.browse.attributes import (
    MOST_SHOWN,
    resource_attributes,
    span_attributes,
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a span."""

    time_ns: int
    name: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a span to another, or of another to it. '' where the other end is not stored."""

    trace_id: str
    span_id: str
    is_inbound: bool
    service: str
    name: str


@dataclass(frozen=True, slots=True)
class SpanDetails:
    """What is recorded of one span beside its place in the trace."""

    status: str
    status_message: str
    kind: str
    scope: str
    instance_id: str
    start_ns: int
    end_ns: int
    duplicates: int
    dropped: int  # attributes, events and links that the SDK dropped
    attributes: tuple[tuple[str, str], ...]
    resource: tuple[tuple[str, str], ...]
    events: tuple[Event, ...] = field(default=())
    links: tuple[Link, ...] = field(default=())


def span_details(reader: Reader, span_no: int) -> SpanDetails | None:
    """Attributes, events and links of one span; None where there is no such span."""
    rows = reader.rows(
        """
        SELECT
            span.trace_id, span.span_id, span.status, span.status_message, span.kind,
            trim(span.scope_name || ' ' || span.scope_version) AS scope,
            coalesce(span.instance_id, '') AS instance_id,
            span.start_ns, span.end_ns, span.duplicates,
            span.dropped_attributes + span.dropped_events + span.dropped_links AS dropped
        FROM span
        WHERE span.span_no = $span_no
        """,
        {"span_no": span_no},
    )
    if not rows:
        return None
    span = rows[0]
    links = _links(reader, span_no, span.pop("trace_id"), span.pop("span_id"))
    return SpanDetails(
        **span,
        attributes=span_attributes(reader, span_no),
        resource=resource_attributes(reader, span_no),
        events=_events(reader, span_no),
        links=links,
    )


def names_of(reader: Reader, span_no: int) -> tuple[str, ...]:
    """What a fault at a span may be called after: its service, or who it called outside the run."""
    rows = reader.rows(
        """
        SELECT service AS name
        FROM node
        WHERE span_no = $span_no
        UNION
        SELECT target
        FROM external_call
        WHERE span_no = $span_no AND is_external
        ORDER BY name
        """,
        {"span_no": span_no},
    )
    return tuple(row["name"] for row in rows)


def _events(reader: Reader, span_no: int) -> tuple[Event, ...]:
    rows = reader.rows(
        """
        SELECT time_ns, name, attributes
        FROM span_event
        WHERE span_no = $span_no
        ORDER BY time_ns, event_no
        LIMIT $most
        """,
        {"span_no": span_no, "most": MOST_SHOWN},
    )
    return tuple(Event(row["time_ns"], row["name"], _texts(row["attributes"])) for row in rows)


def _texts(document: str) -> dict[str, str]:
    entries: dict[str, Any] = json.loads(document)
    return {key: "" if value is None else str(value) for key, value in entries.items()}


def _links(reader: Reader, span_no: int, trace_id: str, span_id: str) -> tuple[Link, ...]:
    rows = reader.rows(
        """
        WITH link AS (
            SELECT linked_trace_id AS trace_id, linked_span_id AS span_id, false AS is_inbound
            FROM span_link
            WHERE span_no = $span_no
            UNION ALL
            SELECT trace_id, span_id, true
            FROM span_link
            WHERE linked_trace_id = $trace_id AND linked_span_id = $span_id
        )
        SELECT link.trace_id, link.span_id, link.is_inbound,
            coalesce(any_value(node.service), '') AS service,
            coalesce(any_value(node.name), '') AS name
        FROM link
        LEFT JOIN trace ON lower(hex(trace.trace_id)) = link.trace_id
        LEFT JOIN node
            ON node.trace_no = trace.trace_no AND format('{:016x}', node.span_id) = link.span_id
        GROUP BY ALL
        ORDER BY link.is_inbound, link.trace_id, link.span_id
        LIMIT $most
        """,
        {"span_no": span_no, "trace_id": trace_id, "span_id": span_id, "most": MOST_SHOWN},
    )
    return tuple(Link(**row) for row in rows)
