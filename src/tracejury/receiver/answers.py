"""What a client is told about its request, before it is written for gRPC or HTTP."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

# Exporters compare the wait they are asked for with what is left of their own timeout, ten seconds
# by default, and drop the batch at once when it is longer.
RETRY_AFTER_OVERLOAD_S: Final = 1
RETRY_AFTER_FAILURE_S: Final = 3


class Code(IntEnum):
    """The codes of google.rpc.Code that are answered here."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Accepted:
    """Everything is on disk, except the `rejected` spans or log records, for `reason`."""

    rejected: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of the request was stored."""

    code: Code
    message: str
    retry_after_s: int | None = None  # None: sending it again cannot help


Answer: TypeAlias = Accepted | Refused


def overloaded() -> Refused:
    return Refused(
        Code.UNAVAILABLE,
        "More telemetry is waiting than fits into memory.",
        retry_after_s=RETRY_AFTER_OVERLOAD_S,
    )


def too_large(limit: int) -> Refused:
    return Refused(
        Code.RESOURCE_EXHAUSTED,
        f"The request is larger than {limit:,} bytes after decompression. "
        "Send fewer records in a batch, or raise --max-request-size.",
    )
