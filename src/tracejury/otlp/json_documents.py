"""The JSON documents of a file: one a line, or one spread over many lines, or several of those.

They are told apart by what cannot be inside of one document: a line that ends with `}` before a
line that begins with anything but a comma or a closing bracket; and a line that opens a request.
So a broken document costs itself only.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tracejury.otlp.stream import Stream

_OPENS_REQUEST: Final = re.compile(rb'\s*\{\s*"resource_?([sS]pans|[lL]ogs|[mM]etrics)"\s*:')
_CONTINUES: Final = (b",", b"]", b"}")


@dataclass(slots=True)
class _Document:
    line: int = 0
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    last: bytes = b""

    def ends_before(self, line: bytes) -> bool:
        if not self.last:
            return False
        ended = self.last.endswith(b"}") and not line.lstrip().startswith(_CONTINUES)
        return ended or _OPENS_REQUEST.match(line) is not None

    def add(self, line: bytes, limit: int, *, whole: bool) -> None:
        self.size += len(line) if whole else limit + 1
        self.last = line.rstrip()
        if self.size > limit:
            self.parts.clear()
        else:
            self.parts.append(line)


def documents(stream: Stream, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """The line each document starts at, and the document, or None for one beyond the limit."""
    document = _Document()
    number = 0
    while stream.peek(1):
        line, whole = stream.line(limit)
        number += 1
        if stream.damage and not line.endswith(b"\n"):
            break
        if not line.strip():
            continue
        if document.ends_before(line):
            yield document.line, _content(document, limit)
            document = _Document()
        document.line = document.line or number
        document.add(line, limit, whole=whole)
    content = _content(document, limit)
    if document.last and not (stream.damage and _is_cut(content)):
        yield document.line, content


def _content(document: _Document, limit: int) -> bytes | None:
    return None if document.size > limit else b"".join(document.parts)


def _is_cut(content: bytes | None) -> bool:
    try:
        json.loads(content or b"")
    except (ValueError, RecursionError):
        return True
    return False
