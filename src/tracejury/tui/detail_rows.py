"""What is recorded of one span, ghost or log record, as rows of a name and a value."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tracejury.tui.numbers import date_and_time, short_duration, wall_clock
from tracejury.tui.waterfall_line import severity_word
from tracejury.workflow.browse.log_records import LogLine
from tracejury.workflow.browse.opened_trace import GhostSpan, TraceSpan
from tracejury.workflow.browse.span_details import Link, SpanDetails


@dataclass(frozen=True, slots=True)
class Detail:
    """One row; a heading has no value. `link` is where Enter goes."""

    name: str
    value: str = ""
    style: str = ""
    link: Link | None = None


def span_rows(
    span: TraceSpan, details: SpanDetails | None, logs: Sequence[LogLine] = ()
) -> Iterator[Detail]:
    """Tell everything about a stored span; `logs` are those of its trace, in time order."""
    yield Detail("name", span.name, "bold")
    yield Detail("service", span.service or "(none was sent)")
    if details is not None:
        yield from _status(span, details)
    yield Detail("duration", short_duration(span.duration_ns))
    yield from _oddities(span)
    yield from _gap(span, logs)
    if details is None:
        return
    yield from _attributes("Attributes", details.attributes)
    if details.events:
        yield Detail(f"Events ({len(details.events)})")
    for event in details.events:
        said = "  ".join(f"{key}={value}" for key, value in event.attributes.items())
        yield Detail(wall_clock(event.time_ns), f"{event.name}  {said}".strip())
    yield from _links(details.links)
    yield from _attributes("Resource", details.resource)
    yield Detail("Identity")
    yield from _identity(span, details)


def _status(span: TraceSpan, details: SpanDetails) -> Iterator[Detail]:
    said = f"{details.status} {details.status_message}".strip()
    if span.is_error and details.status != "ERROR":
        said += " (failed by its response, exception or log)"
    yield Detail("status", said, "bold $text-error" if span.is_error else "")
    yield Detail("kind", details.kind)
    ended = wall_clock(details.end_ns) if details.end_ns else "no end was sent"
    yield Detail("time", f"{date_and_time(details.start_ns)} UTC, ended {ended}")


def _oddities(span: TraceSpan) -> Iterator[Detail]:
    if span.critical:
        own = sum(end - start for start, end in span.critical)
        yield Detail("critical path", f"{short_duration(own)} of it", "$text-accent")
    for holds, what in (
        (span.is_in_cycle, "its parents form a cycle; one edge was cut to show it"),
        (span.has_twin, "another span of the trace has the same id"),
        (span.duration_ns is None, "no usable end time: the duration is unknown"),
        (bool(span.missing_parent), f"its parent {span.missing_parent} is not stored"),
    ):
        if holds:
            yield Detail("note", what, "$text-warning")


def _gap(span: TraceSpan, logs: Sequence[LogLine]) -> Iterator[Detail]:
    """Tell what is not accounted for, and the log lines next to it."""
    if span.gap is None:
        return
    start, end = span.gap
    said = f"{short_duration(end - start)} from {wall_clock(start)} that nothing accounts for"
    yield Detail("gap", said, "$text-warning")
    before = next((log for log in reversed(logs) if 0 < log.time_ns <= start), None)
    after = next((log for log in logs if log.time_ns >= end), None)
    for name, log in (("last line before", before), ("first line after", after)):
        if log is not None:
            line = f"{wall_clock(log.time_ns)} {log.service} {severity_word(log)} {log.body}"
            yield Detail(name, line)


def _attributes(title: str, attributes: tuple[tuple[str, str], ...]) -> Iterator[Detail]:
    if attributes:
        yield Detail(f"{title} ({len(attributes)})")
    for key, value in attributes:
        yield Detail(key, value or '""')


def _links(links: Iterable[Link]) -> Iterator[Detail]:
    known = tuple(links)
    if known:
        yield Detail(f"Links ({len(known)}): Enter follows")
    for link in known:
        where = f"{link.service} {link.name}".strip() or "not stored"
        value = f"{where}  {link.trace_id[:8]}… {link.span_id}"
        yield Detail("linked from" if link.is_inbound else "links to", value, "underline", link)


def _identity(span: TraceSpan, details: SpanDetails) -> Iterator[Detail]:
    yield Detail("span id", span.span_id)
    yield Detail("trace id", span.trace_id)
    for name, value in (("scope", details.scope), ("instance", details.instance_id)):
        if value:
            yield Detail(name, value)
    for name, count in (
        ("received again", details.duplicates),
        ("dropped by SDK", details.dropped),
    ):
        if count:
            yield Detail(name, f"{count:,}", "$text-warning")


def ghost_rows(ghost: GhostSpan) -> Iterator[Detail]:
    """Tell why a span that is not stored must have existed."""
    if ghost.cause == "external":
        yield Detail("caller", "outside of this run: nothing is missing")
    else:
        yield Detail("missing", f"{ghost.service} {ghost.name}".strip() or "(step unknown)", "bold")
        yield Detail("likeliest cause", ghost.cause or "not stored", "$text-warning")
    if ghost.evidence:
        yield Detail("evidence", ghost.evidence)
    if ghost.first_ns:
        yield Detail("first sign", wall_clock(ghost.first_ns))
    yield Detail("span id", ghost.span_id)
    yield Detail("trace id", ghost.trace_id)


def log_rows(log: LogLine, attributes: tuple[tuple[str, str], ...]) -> Iterator[Detail]:
    """Tell everything about a log record."""
    yield Detail("message", log.body or '""', "bold")
    yield Detail("severity", f"{severity_word(log)} ({log.severity_number})")
    yield Detail("service", log.service or "(none was sent)")
    yield Detail("time", f"{date_and_time(log.time_ns)} UTC ({wall_clock(log.time_ns)})")
    yield from _attributes("Attributes", attributes)
    for name, value in (("span id", log.span_id), ("trace id", log.trace_id)):
        if value:
            yield Detail(name, value)
    yield Detail("log record", str(log.log_no))
