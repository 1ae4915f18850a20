"""The signal and the encoding of a request, and the refusal of one that cannot be read."""

from enum import StrEnum

from tracejury.errors import InputError


class Signal(StrEnum):
    """The kind of telemetry that a request carries."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class Encoding(StrEnum):
    """How a request is written."""

    PROTOBUF = "protobuf"
    JSON = "json"


class MalformedRequest(InputError):  # noqa: N818 - it is no failure of ours
    """A request that is no OTLP; `request` is its position among those that were decoded together.

    The other requests are unharmed: whoever decodes several at once decodes them again without
    this one.
    """

    def __init__(self, message: str, *, request: int = 0) -> None:
        super().__init__(message, next_step="")
        self.request = request
