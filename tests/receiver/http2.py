"""HTTP/2 frames written by hand, for what no gRPC client sends."""

from tests.receiver.requests import TRACES

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x9
END_HEADERS = 0x4

EXPORT = {
    ":method": "POST",
    ":scheme": "http",
    ":path": TRACES,
    ":authority": "localhost",
    "te": "trailers",
    "content-type": "application/grpc",
}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def header_block(headers: dict[str, str]) -> bytes:
    """Each header as a literal that is not indexed."""
    return b"".join(
        b"\x00" + _text(name.encode()) + _text(value.encode()) for name, value in headers.items()
    )


def _text(text: bytes) -> bytes:
    assert len(text) < 127
    return bytes([len(text)]) + text


def opening() -> bytes:
    return PREFACE + frame(SETTINGS, 0, 0)


def call_headers(stream: int, **differences: str) -> bytes:
    """The headers of an Export call, which its message is still to follow."""
    named = {name.replace("_", "-"): value for name, value in differences.items()}
    return frame(HEADERS, END_HEADERS, stream, header_block(EXPORT | named))
