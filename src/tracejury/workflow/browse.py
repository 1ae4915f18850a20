"""Questions that a person who browses a run asks: steps, traces, one trace, one span.

Everything works on a rebuilt store. `prepare` makes the one table that the list of traces needs;
a trace is read when it is opened, a span's details when it is looked at.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tracejury.store.reader import Reader, Row
from tracejury.workflow.trace_filter import TraceFilter

TRACES_SHOWN: Final = 2000
ATTRIBUTES_SHOWN: Final = 400
LONGEST_BODY: Final = 4000  # characters of a log record's text that a list needs

_ORDERS: Final = {
    "newest": "start_ns DESC NULLS LAST, trace_no DESC",
    "slowest": "duration_ns DESC NULLS LAST, trace_no",
    "errors": "errors DESC, ghosts DESC, start_ns DESC NULLS LAST, trace_no DESC",
}
ORDERS: Final = tuple(_ORDERS)


@dataclass(frozen=True, slots=True)
class Step:
    """One step at its place in a workflow; `spans` is 0 where it is only known to be missing.

    `missing` are spans that records of the run name, or that every clean run has, and that are not
    stored; counted once, where the step is seen most. `cause` is the likeliest, '' for none known.
    """

    workflow: str
    depth: int
    service: str
    name: str
    kind: str
    spans: int
    errors: int
    missing: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    critical_share: float | None
    halved_ms: float | None  # how much sooner an instance would end, had it half of its own time
    clean_p95_ms: float | None
    cause: str
    evidence: str


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One trace of the list. `service` and `name` are of its root, else of its earliest orphan."""

    trace_no: int
    trace_id: str
    workflow: str
    correlation_key: str
    correlation_id: str
    service: str
    name: str
    has_root: bool
    spans: int
    errors: int
    ghosts: int
    start_ns: int | None
    duration_ns: int | None
    outcome: str
    is_background: bool


@dataclass(frozen=True, slots=True)
class TraceList:
    """The first traces that a filter lets through, and how many there are."""

    lines: tuple[TraceLine, ...]
    total: int
    background: int  # of the total, those that were left out because they are background


class TraceSpan(NamedTuple):
    """One stored span of an opened trace. Times are None where they are unusable.

    `parent_no` is the row number of its parent, None for a top; of every cycle one edge is cut.
    `critical` are the stretches of the critical path that are its own time.
    """

    span_no: int
    trace_id: str
    span_id: str
    parent_no: int | None
    missing_parent: str
    service: str
    name: str
    kind: str
    is_error: bool
    is_in_cycle: bool
    has_twin: bool  # another span of the trace has the same id
    has_remote_parent: bool
    start_ns: int | None
    duration_ns: int | None
    critical: tuple[tuple[int, int], ...]
    gap: tuple[int, int] | None = None  # from when to when nothing accounts for its time
    followed_no: int | None = None  # of a top: the span that it came of, by its link


@dataclass(frozen=True, slots=True)
class GhostSpan:
    """A span that is known to have existed and is not stored; '' where nothing tells.

    `cause` is 'external' for a caller outside of the run, of whom nothing is missing.
    """

    trace_id: str
    span_id: str
    service: str
    name: str
    cause: str
    evidence: str
    first_ns: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record. `span_id` is '' where it names none."""

    log_no: int
    trace_id: str
    span_id: str
    span_no: int | None
    time_ns: int
    severity_number: int
    severity_text: str
    service: str
    body: str


@dataclass(frozen=True, slots=True)
class OpenTrace:
    """Everything about one trace, or about all traces of a workflow instance, but the details."""

    trace_id: str
    workflow: str
    correlation_key: str
    correlation_id: str
    traces: int
    traces_in_instance: int
    spans: tuple[TraceSpan, ...]
    ghosts: tuple[GhostSpan, ...]
    logs: tuple[LogLine, ...]


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


def prepare(reader: Reader) -> None:
    """Summarise every trace of a rebuilt store, once, for `traces`."""
    summary = reader.arrow("""
        WITH spans AS (
            SELECT
                node.trace_no,
                count(*) AS spans,
                count(error.span_no) AS errors,
                min(node.start_ns) AS start_ns,
                max(coalesce(node.end_ns, node.start_ns)) - min(node.start_ns) AS duration_ns,
                bool_or(node.parent_no IS NULL AND node.missing_parent IS NULL) AS has_root,
                arg_min(
                    node.span_no,
                    (
                        node.parent_no IS NOT NULL, node.missing_parent IS NOT NULL,
                        coalesce(node.start_ns, 9223372036854775807), node.span_no
                    )
                ) AS top_no
            FROM node
            LEFT JOIN span_error AS error USING (span_no)
            GROUP BY node.trace_no
        ),
        ghosts AS (
            SELECT ghost.trace_no, count(*) AS ghosts
            FROM ghost
            GROUP BY ghost.trace_no
        )
        SELECT
            spans.trace_no,
            lower(hex(trace.trace_id)) AS trace_id,
            instance.workflow,
            instance.instance_no,
            instance.correlation_key,
            coalesce(instance.correlation_id, '') AS correlation_id,
            top.service,
            top.name,
            spans.has_root,
            spans.spans,
            spans.errors,
            coalesce(ghosts.ghosts, 0) AS ghosts,
            spans.start_ns,
            spans.duration_ns,
            instance.outcome,
            instance.background AS is_background
        FROM spans
        JOIN trace USING (trace_no)
        JOIN node AS top ON top.span_no = spans.top_no
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance ON instance.instance_no = trace_instance.instance_no
        LEFT JOIN ghosts USING (trace_no)
    """)
    reader.register("trace_summary", summary)


def steps(reader: Reader, workflow: str) -> tuple[Step, ...]:
    """The steps of one workflow from the top down, then those that are only known to be missing."""
    places = reader.rows(
        "SELECT * FROM workflow_step WHERE workflow = $workflow ORDER BY first_start_ns, place",
        {"workflow": workflow},
    )
    missing = {_key(row): row for row in _missing_steps(reader, workflow)}
    main: dict[tuple[str, str, str], Row] = {}
    for place in places:
        if _key(place) not in main or place["spans"] > main[_key(place)]["spans"]:
            main[_key(place)] = place
    seen = [
        _step(place, missing.get(_key(place)) if main[_key(place)] is place else None)
        for place in _from_the_top(places)
    ]
    return (*seen, *(_absent_step(row) for key, row in missing.items() if key not in main))


def _key(row: Row) -> tuple[str, str, str]:
    return row["service"], row["name"], row["kind"]


def _missing_steps(reader: Reader, workflow: str) -> list[Row]:
    return reader.rows(
        """
        SELECT
            instance.workflow, lost.service, lost.name, lost.kind,
            sum(greatest(lost.signs, lost.deficit))::BIGINT AS missing,
            coalesce(mode(lost.cause) FILTER (lost.cause <> ''), '') AS cause,
            coalesce(mode(lost.evidence) FILTER (lost.evidence <> ''), '') AS evidence
        FROM missing_in_instance AS lost
        JOIN likely_workflow AS instance USING (instance_no)
        WHERE instance.workflow = $workflow
        GROUP BY ALL
        ORDER BY lost.service, lost.name, lost.kind
        """,
        {"workflow": workflow},
    )


def _from_the_top(places: list[Row]) -> list[Row]:
    known = {place["place"] for place in places}
    below: dict[int | None, list[Row]] = {}
    for place in places:
        above = place["parent_place"] if place["parent_place"] in known else None
        # A chain that is too deep for places of its own repeats them: it has no place above.
        below.setdefault(None if above == place["place"] else above, []).append(place)
    ordered: list[Row] = []
    stack = [(place, 0) for place in reversed(below.pop(None, []))]
    while stack or below:
        if not stack:  # places above each other: begin anywhere
            stack = [(place, 0) for place in reversed(below.pop(next(iter(below))))]
        place, depth = stack.pop()
        ordered.append({**place, "depth": depth})
        stack.extend((child, depth + 1) for child in reversed(below.pop(place["place"], [])))
    return ordered


def _step(place: Row, missing: Row | None) -> Step:
    return Step(
        workflow=place["workflow"],
        depth=place["depth"],
        service=place["service"],
        name=place["name"],
        kind=place["kind"],
        spans=place["spans"],
        errors=place["errors"],
        missing=missing["missing"] if missing else 0,
        p50_ms=place["p50_ms"],
        p95_ms=place["p95_ms"],
        p99_ms=place["p99_ms"],
        critical_share=place["critical_share"],
        halved_ms=place["halved_ms"],
        clean_p95_ms=place["clean_p95_ms"],
        cause=missing["cause"] if missing else "",
        evidence=missing["evidence"] if missing else "",
    )


def _absent_step(row: Row) -> Step:
    return Step(
        **row,
        depth=0,
        spans=0,
        errors=0,
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
        critical_share=None,
        halved_ms=None,
        clean_p95_ms=None,
    )


def traces(
    reader: Reader, wanted: TraceFilter, *, order: str = "newest", background: bool = False
) -> TraceList:
    """The traces that `wanted` lets through, in one of `ORDERS`; background only on demand."""
    condition, values = wanted.condition()
    counts = reader.rows(
        f"""
        SELECT count(*) AS total, count(*) FILTER (summary.is_background) AS background
        FROM trace_summary AS summary
        WHERE {condition}
        """,  # noqa: S608 - the condition is made of fixed fragments, its values are bound
        values,
    )[0]
    rows = reader.rows(
        f"""
        SELECT * EXCLUDE (instance_no)
        FROM trace_summary AS summary
        WHERE {condition} {"" if background else "AND NOT summary.is_background"}
        ORDER BY {_ORDERS[order]}
        LIMIT {TRACES_SHOWN}
        """,  # noqa: S608
        values,
    )
    hidden = 0 if background else counts["background"]
    lines = tuple(TraceLine(**row) for row in rows)
    return TraceList(lines, counts["total"] - hidden, hidden)


def open_trace(reader: Reader, trace_id: str, *, whole_instance: bool = False) -> OpenTrace | None:
    """One trace, or every trace of its workflow instance; None where it is not stored."""
    found = reader.rows(
        """
        SELECT summary.trace_no, summary.instance_no, summary.workflow, summary.correlation_key,
            summary.correlation_id, instance.traces AS traces_in_instance
        FROM trace_summary AS summary
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE summary.trace_id = $trace_id
        """,
        {"trace_id": trace_id},
    )
    if not found:
        return None
    place = found[0]
    numbers = _traces_of(reader, place["instance_no"]) if whole_instance else [place["trace_no"]]
    return OpenTrace(
        trace_id=trace_id,
        workflow=place["workflow"],
        correlation_key=place["correlation_key"],
        correlation_id=place["correlation_id"],
        traces=len(numbers),
        traces_in_instance=place["traces_in_instance"],
        spans=_spans(reader, numbers),
        ghosts=_ghosts(reader, numbers),
        logs=_logs(reader, numbers),
    )


def _traces_of(reader: Reader, instance_no: int) -> list[int]:
    rows = reader.rows(
        """
        SELECT trace_no
        FROM trace_instance
        WHERE instance_no = $instance_no
        ORDER BY trace_no
        """,
        {"instance_no": instance_no},
    )
    return [row["trace_no"] for row in rows]


def _spans(reader: Reader, trace_numbers: list[int]) -> tuple[TraceSpan, ...]:
    table = reader.arrow(
        """
        WITH path AS (
            SELECT critical.span_no, list((critical.start_ns, critical.end_ns)) AS stretches
            FROM critical
            JOIN node USING (span_no)
            WHERE node.trace_no IN (SELECT unnest($numbers))
            GROUP BY critical.span_no
        )
        SELECT
            node.span_no,
            lower(hex(trace.trace_id)) AS trace_id,
            format('{:016x}', node.span_id) AS span_id,
            forest.parent_no,
            coalesce(format('{:016x}', node.missing_parent), '') AS missing_parent,
            node.service,
            node.name,
            node.kind,
            error.span_no IS NOT NULL AS is_error,
            forest.is_in_cycle,
            count(*) OVER (PARTITION BY node.trace_no, node.span_id) > 1 AS has_twin,
            -- Bit 8 says that bit 9 means something.
            (node.flags & 768) = 768 AS has_remote_parent,
            node.start_ns,
            node.duration_ns,
            path.stretches,
            CASE WHEN gap.span_no IS NOT NULL
                THEN [gap.start_ns::BIGINT, gap.start_ns::BIGINT + gap.gap_ns] END AS gap,
            followed.followed_no
        FROM node
        JOIN trace USING (trace_no)
        JOIN forest USING (span_no)
        LEFT JOIN span_error AS error USING (span_no)
        LEFT JOIN path USING (span_no)
        LEFT JOIN gap ON gap.span_no = node.span_no
        LEFT JOIN followed ON followed.span_no = node.span_no
        WHERE node.trace_no IN (SELECT unnest($numbers))
        ORDER BY node.start_ns NULLS LAST, node.span_no
        """,
        {"numbers": trace_numbers},
    )
    columns = [column.to_pylist() for column in table.columns]
    path, gap = (TraceSpan._fields.index(name) for name in ("critical", "gap"))
    columns[path] = [
        tuple(sorted(tuple(stretch.values()) for stretch in stretches or ()))
        for stretches in columns[path]
    ]
    columns[gap] = [between and tuple(between) for between in columns[gap]]
    return tuple(TraceSpan(*values) for values in zip(*columns, strict=True))


def _ghosts(reader: Reader, trace_numbers: list[int]) -> tuple[GhostSpan, ...]:
    rows = reader.rows(
        """
        SELECT lower(hex(trace.trace_id)) AS trace_id,
            format('{:016x}', ghost.span_id) AS span_id,
            ghost.service, ghost.name, ghost.cause, ghost.evidence, ghost.first_ns
        FROM ghost
        JOIN trace USING (trace_no)
        WHERE ghost.trace_no IN (SELECT unnest($numbers))
        UNION ALL
        SELECT lower(hex(trace.trace_id)), format('{:016x}', orphan.missing_parent),
            '', '', 'external', 'the call came from outside of this run', min(node.start_ns)
        FROM orphan
        JOIN node USING (span_no)
        JOIN trace ON trace.trace_no = orphan.trace_no
        WHERE orphan.external_entry AND orphan.trace_no IN (SELECT unnest($numbers))
            AND NOT EXISTS (
                SELECT 1
                FROM ghost
                WHERE ghost.trace_no = orphan.trace_no AND ghost.span_id = orphan.missing_parent
            )
        GROUP BY trace.trace_id, orphan.missing_parent
        ORDER BY first_ns, span_id
        """,
        {"numbers": trace_numbers},
    )
    return tuple(GhostSpan(**row) for row in rows)


_LOG_COLUMNS: Final = f"""
    log.log_no,
    coalesce(log.trace_id, '') AS trace_id,
    coalesce(log.span_id, '') AS span_id,
    greatest(log.time_ns, log.observed_ns) AS time_ns,
    log.severity_number,
    log.severity_text,
    log.service,
    substr(coalesce(nullif(log.body, ''), log.event_name), 1, {LONGEST_BODY}) AS body
"""


def _logs(reader: Reader, trace_numbers: list[int]) -> tuple[LogLine, ...]:
    rows = reader.rows(
        f"""
        SELECT {_LOG_COLUMNS}, place.span_no
        FROM log_instance AS place
        JOIN log_record AS log USING (log_no)
        WHERE place.trace_no IN (SELECT unnest($numbers))
        ORDER BY greatest(log.time_ns, log.observed_ns), log.log_no
        """,  # noqa: S608 - fixed text
        {"numbers": trace_numbers},
    )
    return tuple(LogLine(**row) for row in rows)


def log_line(reader: Reader, log_no: int) -> LogLine | None:
    """One log record by its number; None where there is none."""
    rows = reader.rows(
        f"SELECT {_LOG_COLUMNS}, NULL AS span_no FROM log_record AS log WHERE log.log_no = $log_no",  # noqa: S608
        {"log_no": log_no},
    )
    return LogLine(**rows[0]) if rows else None


def alert_text(reader: Reader, alert_no: int) -> str | None:
    """What Alertmanager said of one alert, a line each; None where there is no such alert."""
    rows = reader.rows(
        """
        SELECT unnest(list_concat(
            [concat_ws(' ', status, 'since', make_timestamp_ns(starts_ns::BIGINT)::VARCHAR)],
            list_transform(
                json_keys(labels),
                lambda key: key || ': ' || coalesce(labels::JSON ->> key, '')
            ),
            list_transform(
                json_keys(annotations),
                lambda key: key || ': ' || coalesce(annotations::JSON ->> key, '')
            )
        )) AS line
        FROM alert
        WHERE alert_no = $alert_no
        """,
        {"alert_no": alert_no},
    )
    return "\n".join(row["line"] for row in rows) if rows else None


def log_attributes(reader: Reader, log_no: int) -> tuple[tuple[str, str], ...]:
    """The attributes of one log record, by key."""
    rows = reader.rows(
        """
        SELECT key, coalesce(value, '') AS value
        FROM stored.log_attribute
        WHERE log_no = $log_no
        ORDER BY key
        LIMIT $most
        """,
        {"log_no": log_no, "most": ATTRIBUTES_SHOWN},
    )
    return tuple((row["key"], row["value"]) for row in rows)


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
        attributes=_attributes(reader, span_no),
        resource=_resource(reader, span_no),
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


def _attributes(reader: Reader, span_no: int) -> tuple[tuple[str, str], ...]:
    rows = reader.rows(
        """
        SELECT key, coalesce(value, '') AS value
        FROM stored.span_attribute
        WHERE span_no = $span_no
        ORDER BY key
        LIMIT $most
        """,
        {"span_no": span_no, "most": ATTRIBUTES_SHOWN},
    )
    return tuple((row["key"], row["value"]) for row in rows)


def _resource(reader: Reader, span_no: int) -> tuple[tuple[str, str], ...]:
    rows = reader.rows(
        """
        SELECT attribute.key, coalesce(attribute.value, '') AS value
        FROM stored.span AS span
        JOIN stored.resource_attribute AS attribute USING (resource_id)
        WHERE span.span_no = $span_no
        ORDER BY attribute.key
        LIMIT $most
        """,
        {"span_no": span_no, "most": ATTRIBUTES_SHOWN},
    )
    return tuple((row["key"], row["value"]) for row in rows)


def _events(reader: Reader, span_no: int) -> tuple[Event, ...]:
    rows = reader.rows(
        """
        SELECT time_ns, name, attributes
        FROM span_event
        WHERE span_no = $span_no
        ORDER BY time_ns, event_no
        LIMIT $most
        """,
        {"span_no": span_no, "most": ATTRIBUTES_SHOWN},
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
        {"span_no": span_no, "trace_id": trace_id, "span_id": span_id, "most": ATTRIBUTES_SHOWN},
    )
    return tuple(Link(**row) for row in rows)
