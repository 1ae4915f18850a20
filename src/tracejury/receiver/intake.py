"""What both endpoints do with a request: hold it in memory, and settle it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tracejury.config import REQUEST_LIMIT, Retention
from tracejury.otlp.alert_webhook import Content
from tracejury.otlp.signals import Encoding
from tracejury.receiver.access import Access
from tracejury.receiver.admission import Admission, Hold, OverloadError
from tracejury.receiver.answers import Answer, overloaded
from tracejury.receiver.meter import Meter
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.settlement import Request


@dataclass(frozen=True, slots=True)
class Intake:
    """Where requests go, who may send them, and how large one may be in bytes."""

    pipeline: Pipeline
    admission: Admission = field(default_factory=Admission)
    access: Access = field(default_factory=Access)
    meter: Meter = field(default_factory=Meter)
    request_limit: int = REQUEST_LIMIT
    retention: Retention = field(default_factory=Retention)

    async def take(
        self, signal: Content, encoding: Encoding, read: Callable[[Hold], Awaitable[bytes]]
    ) -> Answer:
        """The answer to the request whose body `read` gives; too many of them are turned away."""
        try:
            with self.admission.admit() as hold:
                body = await hold.arrived(read(hold))
                self.meter.received(signal, len(body))
                return await self.pipeline.submit(Request(signal, encoding, body))
        except OverloadError:
            return overloaded()

    def exposition(self) -> str:
        """What Prometheus reads at /metrics."""
        return self.meter.exposition(
            {
                "waiting_requests": (
                    "Requests in memory, from their first byte to their answer.",
                    self.admission.requests,
                ),
                "waiting_bytes": ("Bytes of their bodies.", self.admission.size),
                "store_writable": (
                    "Whether the last commit was possible.",
                    int(self.pipeline.commit_failure is None),
                ),
                **self._bounds(),
            }
        )

    def _bounds(self) -> dict[str, tuple[str, float]]:
        """What the store is kept within, as far as it is configured."""
        bounds: dict[str, tuple[str, float]] = {}
        if self.retention.max_size is not None:
            room = self.pipeline.room
            bounds = {
                "retention_max_bytes": ("--max-size.", self.retention.max_size),
                "retention_used_bytes": ("What counts against it.", room.used),
                "retention_full": (
                    "Whether requests are turned away until the oldest is removed.",
                    int(room.is_full),
                ),
            }
        if self.retention.max_age_seconds is not None:
            bounds["retention_max_age_seconds"] = ("--max-age.", self.retention.max_age_seconds)
        return bounds
