"""Drawn traces and log records → the bytes of OTLP requests. The grammar is in README.md."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracejury.otlp.signals import Signal

BASE_NS: Final = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z is second 0 of every drawing

_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_SEVERITIES: Final = {
    name: number
    for number, name in zip(
        (0, 1, 5, 9, 13, 17, 21),
        ("-", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
        strict=True,
    )
}
_WORDS: Final = ("missing", "ERROR", "OK", "local", "remote", "twice", "bad-id")
_SETTINGS: Final = (
    "as", "at", "dropped-attributes", "dropped-events", "dropped-links", "every", "flags", "host",
    "instance", "msg", "name", "scope", "shares", "state", "times",
)  # fmt: skip

_TIME: Final = r"(-?\d+(?:\.\d+)?)(ms|s)?"
_SPAN: Final = re.compile(
    rf"(?P<indent> *)(?P<service>\S+) (?P<name>.*?) ?\b(?P<kind>{'|'.join(_KINDS)})"
    rf" (?P<start>{_TIME})\.\.(?P<end>{_TIME}|\?)(?P<notes>(?: .*)?)$"
)
_LOG: Final = re.compile(rf"(?P<service>\S+) (?P<time>{_TIME}|-) (?P<severity>\S+) (?P<notes>.+)$")
_TOKEN: Final = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')


class DrawingError(Exception):
    """A line of a drawing that says nothing, or something else than it may."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What stands behind a record's times: words, settings, attributes, links and events."""

    words: set[str] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    events: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @classmethod
    def parse(cls, tokens: list[str], line: str) -> Self:
        notes = cls()
        rest = iter(tokens)
        for token in rest:
            key, equals, value = token.partition("=")
            if token in _WORDS:
                notes.words.add(token)
            elif token == "->":
                notes.links.append(_text(next(rest)))
            elif token == "event":
                notes.events.append((_text(next(rest)), {}))
            elif not equals:
                raise DrawingError(f"{token!r} is no note: {line.strip()}")
            elif notes.events:
                notes.events[-1][1][key] = value
            elif key in _SETTINGS:
                notes.settings[key] = _text(value)
            else:
                notes.attributes[key] = value
        return notes

    def under(self, head: Self) -> Self:
        """These notes, and beneath them those of the trace's head line."""
        shared = {key: head.settings[key] for key in head.settings if key not in _ONCE}
        return type(self)(
            self.words | head.words,
            shared | self.settings,
            head.attributes | self.attributes,
            self.links,
            self.events,
        )

    def prefixed(self, prefix: str) -> dict[str, str]:
        """The attributes of `prefix`, without it; of '' those that have none but `attr:`."""
        return {
            key.removeprefix(prefix or "attr:"): value
            for key, value in self.attributes.items()
            if (key.startswith(prefix) if prefix else not key.startswith(("resource:", "scope:")))
        }


_ONCE: Final = ("as", "at", "every", "times")


@dataclass(frozen=True, slots=True)
class DrawnSpan:
    """A span of a drawing with its ids, sent or missing."""

    service: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    trace_id: bytes
    span_id: bytes
    parent: "DrawnSpan | None"
    notes: Notes

    @property
    def process(self) -> tuple[str, str]:
        """What tells whether a parent is remote: service and instance."""
        return self.service, self.notes.settings.get("instance", "")


@dataclass(frozen=True, slots=True)
class DrawnLog:
    """A log record of a drawing; `about` is its span by label or name, '-' or '?'."""

    service: str
    time_ns: int
    severity: str
    about: str
    body: str
    notes: Notes


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a run sent, and the two things about the run that no record says."""

    spans: tuple[DrawnSpan, ...]
    logs: tuple[DrawnLog, ...]
    is_unsampled: bool  # `sampling none`: everything was kept
    seconds_ago: float | None  # `last record 5s ago`: the server still runs; None: it ended

    def requests(self) -> list[tuple[Signal, bytes]]:
        """One request a record, and at the end once more what was sent twice."""
        spans = [span for span in self.spans if "missing" not in span.notes.words]
        again = [span for span in spans if "twice" in span.notes.words]
        logs = [(log, self._context(log)) for log in self.logs]
        return [
            *(_span_request(span, self._links(span)) for span in (*spans, *again)),
            *(_log_request(log, *context) for log, context in logs),
            *(_log_request(log, *context) for log, context in logs if "twice" in log.notes.words),
        ]

    def _find(self, label: str) -> DrawnSpan:
        for key in ("as", "name"):
            for span in self.spans:
                if label == (span.name if key == "name" else span.notes.settings.get(key)):
                    return span
        raise DrawingError(f"no span is called {label!r}")

    def _links(self, span: DrawnSpan) -> list[DrawnSpan]:
        return [self._find(label) for label in span.notes.links]

    def _context(self, log: DrawnLog) -> tuple[bytes, bytes]:
        if log.about == "-":
            return b"", b""
        if log.about == "?":
            return _id("unseen", log.body, size=16), _id("unseen", log.body, size=8)
        span = self._find(log.about)
        return span.trace_id, span.span_id


def draw(traces: str, logs: str = "", *, run: str = "") -> Drawing:
    """Read the blocks `trace` and `logs` of an example. Another `run` has other ids."""
    blocks = [block for block in re.split(r"\n\s*\n", traces.strip("\n")) if block.strip()]
    is_unsampled, seconds_ago = False, None
    spans: list[DrawnSpan] = []
    for number, block in enumerate(blocks):
        lines = []
        for line in block.splitlines():
            if line == "sampling none":
                is_unsampled = True
            elif ago := re.fullmatch(rf"last record {_TIME} ago", line):
                seconds_ago = _nanoseconds(ago[1], ago[2]) / 1e9
            else:
                lines.append(line)
        spans.extend(_trace(lines, f"{run}{number}"))
    drawn = tuple(log for line in logs.splitlines() if line.strip() for log in _logs(line))
    return Drawing(tuple(spans), drawn, is_unsampled, seconds_ago)


def nanoseconds(text: str) -> int:
    """The moment of `12s` or `250ms` in a drawing, since 1970."""
    matched = re.fullmatch(_TIME, text)
    if not matched:
        raise DrawingError(f"{text!r} is no time")
    return BASE_NS + _nanoseconds(matched[1], matched[2])


def _trace(lines: list[str], number: str) -> Iterator[DrawnSpan]:
    """The spans of one block: as often as its head line says, each time a little later."""
    head = Notes()
    if lines and not _SPAN.match(lines[0]):
        words = _TOKEN.findall(lines.pop(0))
        if words[0] != "trace":
            raise DrawingError(f"this is no span: {' '.join(words)}")
        head = Notes.parse(words[2:], " ".join(words))
    every = nanoseconds(head.settings.get("every", "1s")) - BASE_NS
    offset = nanoseconds(head.settings.get("at", "0s")) - BASE_NS
    for turn in range(int(head.settings.get("times", "1"))):
        yield from _tree(lines, head, f"{number}.{turn}", offset + turn * every)


def _tree(lines: list[str], head: Notes, trace: str, offset: int) -> Iterator[DrawnSpan]:
    open_spans: list[tuple[int, DrawnSpan]] = []
    turn = str(int(trace.rpartition(".")[2]) + 1)
    shared: dict[str, bytes] = {}
    for number, line in enumerate(lines):
        matched = _SPAN.match(line)
        if not matched:
            raise DrawingError(f"this is no span: {line}")
        indent = len(matched["indent"])
        while open_spans and open_spans[-1][0] >= indent:
            open_spans.pop()
        text = matched["notes"].replace("{n}", turn)
        notes = Notes.parse(_TOKEN.findall(text), line).under(head)
        span_id = _id(trace, number, size=8)
        if "shares" in notes.settings:
            span_id = shared[notes.settings["shares"]]
        shared[notes.settings.get("as", matched["name"])] = span_id
        start, end = _times(matched)
        span = DrawnSpan(
            service=matched["service"].removeprefix("-"),
            name=notes.settings.get("name", matched["name"].replace("{n}", turn)),
            kind=matched["kind"],
            start_ns=start + offset,
            end_ns=end + offset if end else 0,
            trace_id=_id(trace, size=16),
            span_id=span_id,
            parent=open_spans[-1][1] if open_spans else None,
            notes=notes,
        )
        open_spans.append((indent, span))
        yield span


def _times(matched: re.Match[str]) -> tuple[int, int]:
    """Start and end; a start without a unit has that of the end, which is ms unless it says s."""
    end = re.fullmatch(_TIME, matched["end"])
    start = re.fullmatch(_TIME, matched["start"])
    assert start is not None
    unit = start[2] or (end[2] if end else None)
    return (
        BASE_NS + _nanoseconds(start[1], unit),
        BASE_NS + _nanoseconds(end[1], end[2]) if end else 0,
    )


def _logs(line: str) -> Iterator[DrawnLog]:
    matched = _LOG.match(line.strip())
    if not matched or len(tokens := _TOKEN.findall(matched["notes"])) < 2:
        raise DrawingError(f"this is no log record: {line}")
    notes = Notes.parse(tokens[2:], line)
    for turn in range(int(notes.settings.get("times", "1"))):
        time_ns = 0 if matched["time"] == "-" else nanoseconds(matched["time"])
        yield DrawnLog(
            service=matched["service"].removeprefix("-"),
            time_ns=time_ns and time_ns + turn * 1_000_000,
            severity=matched["severity"],
            about=_text(tokens[0]).replace("{n}", str(turn + 1)),
            body=_text(tokens[1]).replace("{n}", str(turn + 1)),
            notes=notes,
        )


def _span_request(drawn: DrawnSpan, links: list[DrawnSpan]) -> tuple[Signal, bytes]:
    settings = drawn.notes.settings
    span = Span(
        trace_id=b"\1" if "bad-id" in drawn.notes.words else drawn.trace_id,
        span_id=drawn.span_id,
        parent_span_id=drawn.parent.span_id if drawn.parent else b"",
        trace_state=settings.get("state", ""),
        flags=_flags(drawn),
        name=drawn.name,
        kind=Span.SpanKind.ValueType(_KINDS.index(drawn.kind)),
        start_time_unix_nano=drawn.start_ns,
        end_time_unix_nano=drawn.end_ns,
        attributes=pairs(drawn.notes.prefixed("")),
        dropped_attributes_count=int(settings.get("dropped-attributes", 0)),
        events=[event for named in drawn.notes.events for event in _events(*named, drawn)],
        dropped_events_count=int(settings.get("dropped-events", 0)),
        links=[Span.Link(trace_id=link.trace_id, span_id=link.span_id) for link in links],
        dropped_links_count=int(settings.get("dropped-links", 0)),
        status=_status(drawn.notes),
    )
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(resource=resource_of(drawn.service, drawn.notes))
    resource.scope_spans.add(scope=_scope(drawn.notes), spans=[span])
    return Signal.TRACES, request.SerializeToString()


def _log_request(drawn: DrawnLog, trace_id: bytes, span_id: bytes) -> tuple[Signal, bytes]:
    record = LogRecord(
        time_unix_nano=drawn.time_ns,
        observed_time_unix_nano=drawn.time_ns,
        severity_number=SeverityNumber.ValueType(_severity(drawn.severity)),
        severity_text="" if drawn.severity == "-" else drawn.severity,
        body=AnyValue(string_value=drawn.body),
        event_name=drawn.notes.settings.get("name", ""),
        attributes=pairs(drawn.notes.prefixed("")),
        dropped_attributes_count=int(drawn.notes.settings.get("dropped-attributes", 0)),
        flags=int(drawn.notes.settings.get("flags", "1" if trace_id else "0"), 0),
        trace_id=trace_id,
        span_id=span_id,
    )
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(resource=resource_of(drawn.service, drawn.notes))
    resource.scope_logs.add(scope=_scope(drawn.notes), log_records=[record])
    return Signal.LOGS, request.SerializeToString()


def _severity(text: str) -> int:
    return _SEVERITIES[text] if text in _SEVERITIES else int(text)


def _flags(drawn: DrawnSpan) -> int:
    """Bit 8 says that bit 9 is known, bit 9 that the parent lies in another process."""
    if "flags" in drawn.notes.settings:
        return int(drawn.notes.settings["flags"], 0)
    is_remote = drawn.parent is not None and drawn.parent.process != drawn.process
    if "remote" in drawn.notes.words or (is_remote and "local" not in drawn.notes.words):
        return 0x300
    return 0x100


def _status(notes: Notes) -> Status | None:
    code = Status.STATUS_CODE_ERROR if "ERROR" in notes.words else Status.STATUS_CODE_UNSET
    if "OK" in notes.words:
        code = Status.STATUS_CODE_OK
    message = notes.settings.get("msg", "")
    return Status(code=code, message=message) if code or message else None


def _events(name: str, notes: dict[str, str], drawn: DrawnSpan) -> Iterator[Span.Event]:
    attributes = {key: value for key, value in notes.items() if key not in ("at", "times")}
    time_ns = nanoseconds(notes["at"]) if "at" in notes else drawn.end_ns
    for _ in range(int(notes.get("times", "1"))):
        yield Span.Event(name=name, time_unix_nano=time_ns, attributes=pairs(attributes))


def resource_of(service: str, notes: Notes) -> Resource:
    """Who sent it: by default one process a service, all of them on one host."""
    named = {
        "service.name": service,
        "service.instance.id": notes.settings.get("instance", f"{service}-1" if service else ""),
        "host.name": notes.settings.get("host", "host-1"),
    }
    said = {key: json.dumps(value) for key, value in named.items() if value not in ("", "-")}
    return Resource(attributes=pairs(said | notes.prefixed("resource:")))


def _scope(notes: Notes) -> InstrumentationScope:
    return InstrumentationScope(
        name=notes.settings.get("scope", "drawn"), attributes=pairs(notes.prefixed("scope:"))
    )


def pairs(attributes: dict[str, str]) -> list[KeyValue]:
    """Attributes as they are sent."""
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(text: str) -> AnyValue:
    """A value as JSON reads it; what is no JSON is the text itself."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list():
            values = [_value(json.dumps(entry)) for entry in value]
            return AnyValue(array_value=ArrayValue(values=values))
        case _:
            return AnyValue(string_value=str(value))


def _text(token: str) -> str:
    return str(json.loads(token)) if token.startswith('"') else token


def _nanoseconds(number: str, unit: str | None) -> int:
    return round(float(number) * (1e9 if unit == "s" else 1e6))


def _id(*parts: object, size: int) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=size).digest()
