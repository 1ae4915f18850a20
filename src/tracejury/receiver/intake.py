"""What both endpoints do with a request: hold it in memory, and settle it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tracejury.config import REQUEST_LIMIT
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.access import Access
from tracejury.receiver.admission import Admission, Hold, OverloadError
from tracejury.receiver.answers import Answer, overloaded
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.settlement import Request


@dataclass(frozen=True, slots=True)
class Intake:
    """Where requests go, who may send them, and how large one may be in bytes."""

    pipeline: Pipeline
    admission: Admission = field(default_factory=Admission)
    access: Access = field(default_factory=Access)
    request_limit: int = REQUEST_LIMIT

    async def take(
        self, signal: Signal, encoding: Encoding, read: Callable[[Hold], Awaitable[bytes]]
    ) -> Answer:
        """The answer to the request whose body `read` gives; too many of them are turned away."""
        try:
            with self.admission.admit() as hold:
                return await self.pipeline.submit(Request(signal, encoding, await read(hold)))
        except OverloadError:
            return overloaded()
