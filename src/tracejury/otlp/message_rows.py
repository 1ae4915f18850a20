"""Protobuf messages of one kind as rows of Arrow, by a parser that makes no object of any."""

from collections.abc import Sequence
from typing import Any

import ptars
import pyarrow as pa

from tracejury.otlp.signals import MalformedRequest


def parser_of(descriptor: Any) -> Any:
    """Reads messages of this description; what it does not name is skipped."""
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)


def rows_of(parser: Any, messages: Sequence[bytes]) -> pa.RecordBatch:
    """One row a message. Raises `MalformedRequest`."""
    try:
        return parser.list_to_record_batch(list(messages))
    except ValueError as error:
        reason = str(error).removeprefix("failed to decode Protobuf message: ")
        raise MalformedRequest(f"The body is not an OTLP/protobuf request: {reason}.") from error
