"""The OTLP requests in a file, whatever OTLP format it has: told by its content, not its name.

Read are OTLP/JSON (one object, also over many lines, or one object a line) and OTLP/protobuf (one
request, or many, each after its length as a varint); each also compressed with gzip or zstd. Among
the objects may be Alertmanager's webhooks, as an export has them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracejury.errors import InputError
from tracejury.otlp import wire
from tracejury.otlp.alert_webhook import Content
from tracejury.otlp.json_documents import documents
from tracejury.otlp.signals import Encoding, Signal
from tracejury.otlp.stream import Stream
from tracejury.telemetry.numbers import counted

REQUEST_LIMIT: Final = 64 << 20

_ACCEPTED: Final = (
    "Accepted are OTLP/JSON (one request, or one a line) and OTLP/protobuf (one request, or "
    "several, each after its length), also compressed with gzip or zstd."
)
_HEAD: Final = 1024
_BOM: Final = b"\xef\xbb\xbf"
_CONTROLS: Final = frozenset(range(32)) - frozenset(b"\t\n\r")

_KEYS: Final = {
    Signal.TRACES: re.compile(rb'"resource_?[sS]pans"\s*:'),
    Signal.LOGS: re.compile(rb'"resource_?[lL]ogs"\s*:'),
    Signal.METRICS: re.compile(rb'"resource_?[mM]etrics"\s*:'),
}
_ALERTS: Final = re.compile(rb'"alerts"\s*:\s*\[')


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One request as it stands in the file; decoding it may still fail."""

    signal: Content
    encoding: Encoding
    body: bytes
    position: str  # "line 12", "byte 4711"; of the decompressed content


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A place in the file that holds no request, and why, in one sentence."""

    position: str
    reason: str


Record = FileRequest | BrokenRecord


def read_requests(
    path: Path, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Record]:
    """The requests of a file in order, none kept; what is broken between them is said and passed.

    A JSON object with several signals is one request per signal, each with the whole object as its
    body. `on_progress` is told how many bytes of the file have been read, and how many there are.
    Raises `InputError` where the file cannot be read or is no OTLP at all.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            stream = Stream(file, lambda read: on_progress(read, size) if on_progress else None)
            yield from _records(path, stream)
    except IsADirectoryError:
        raise InputError(
            f"{path} is a directory.", next_step="Name the files in it instead."
        ) from None
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.", next_step="Check the path.") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", next_step="Check its permissions."
        ) from error


def _records(path: Path, stream: Stream) -> Iterator[Record]:
    head = stream.peek(_HEAD)
    if not head:
        why = f"is damaged: {stream.damage}" if stream.damage else "is empty"
        raise InputError(f"{path} {why}.", next_step="Export the telemetry again.")
    requests = broken = 0
    for record in _format(path, head)(stream):
        requests += isinstance(record, FileRequest)
        broken += isinstance(record, BrokenRecord)
        yield record
    if stream.damage:
        reason = f"The rest of the file cannot be read: {stream.damage}."
        yield BrokenRecord(f"byte {stream.position}", reason)
    elif broken and not requests:
        raise InputError(f"{path} holds no OTLP request.", next_step=_ACCEPTED)


def _format(path: Path, head: bytes) -> Callable[[Stream], Iterator[Record]]:
    if _is_json(head):
        return _json_records
    if wire.starts_delimited(head):
        return _delimited_records
    if wire.starts_request(head, 0, None):
        return _single_record
    raise InputError(f"{path} is not OTLP.", next_step=_ACCEPTED)


def _is_json(head: bytes) -> bool:
    # Even a request of 123 bytes, whose length looks like "{", has control characters in it.
    text = head.removeprefix(_BOM).lstrip()
    return text.startswith(b"{") and _CONTROLS.isdisjoint(head)


def _single_record(stream: Stream) -> Iterator[Record]:
    body = stream.read(REQUEST_LIMIT + 1)
    if len(body) > REQUEST_LIMIT:
        yield _too_large("byte 0")
        stream.skip_all()
    elif not stream.damage:
        yield _protobuf_record(body, "byte 0")


def _delimited_records(stream: Stream) -> Iterator[Record]:
    while head := stream.peek(10):
        position = f"byte {stream.position}"
        try:
            size, start = wire.varint(head, 0)
        except wire.WireError as error:
            if not stream.damage:
                yield BrokenRecord(position, f"The length of a request is unreadable: {error}.")
            return
        stream.skip(start)
        body = stream.read(size) if size <= REQUEST_LIMIT else b""
        if size > REQUEST_LIMIT:
            yield _too_large(position)
            stream.skip(size)
        elif len(body) == size:
            yield _protobuf_record(body, position)
        elif not stream.damage:
            missing = size - len(body)
            yield BrokenRecord(
                position, f"The file ends {counted(missing, 'byte')} before the request does."
            )


def _protobuf_record(body: bytes, position: str) -> Record:
    try:
        signal = wire.signal_of(body)
    except wire.WireError as error:
        return BrokenRecord(position, f"The request is not OTLP/protobuf: {error}.")
    return FileRequest(signal, Encoding.PROTOBUF, body, position)


def _json_records(stream: Stream) -> Iterator[Record]:
    for line, document in documents(stream, REQUEST_LIMIT):
        position = f"line {line}"
        if document is None:
            yield _too_large(position)
            continue
        signals: list[Content] = [name for name, key in _KEYS.items() if key.search(document)]
        if not signals and _ALERTS.search(document):
            signals = ["alerts"]
        for signal in signals:
            yield FileRequest(signal, Encoding.JSON, document, position)
        if not signals and document.strip() != b"{}":
            reason = "There is none of resourceSpans, resourceLogs and resourceMetrics here."
            yield BrokenRecord(position, reason)


def _too_large(position: str) -> BrokenRecord:
    return BrokenRecord(position, f"The request is larger than {REQUEST_LIMIT >> 20} MiB.")
