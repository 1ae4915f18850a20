"""Say once of each service that its telemetry arrives, so that nobody has to wonder."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch
from tracejury.telemetry.safe_text import safe_text

SERVICES_NAMED: Final = 20
_LONGEST_NAME: Final = 100
_KEY: Final = "service.name"

_STORED: Final = f"SELECT DISTINCT value FROM stored.resource_attribute WHERE key = '{_KEY}'"  # noqa: S608


class FirstSeen:
    """Tells `tell` a line for each service that is new since the start; above a limit, no more."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._sent: set[str] = set()
        self._told: set[str] = set()

    def note(self, store: Store, batches: Sequence[Batch]) -> None:
        """Look at what was just committed to `store`."""
        if len(self._told) > SERVICES_NAMED:
            return
        sent = {name for batch in batches for name in _services(batch)}
        if sent <= self._sent:
            return
        self._sent |= sent
        # Only as they are stored: what was sent and is not may have had a secret in it.
        stored = store.connection().cursor().execute(_STORED).fetchall()
        for name in sorted({name for (name,) in stored} & self._sent - self._told):
            self._told.add(name)
            if len(self._told) > SERVICES_NAMED:
                self._tell("More services send; they are not named here.")
                return
            self._tell(f"Receiving from {safe_text(name[:_LONGEST_NAME])}.")


def _services(batch: Batch) -> Iterator[str]:
    """The services that a batch names."""
    attributes: pa.Table = batch.resource_attributes
    is_name = pc.equal(attributes["key"].cast(pa.string()), pa.scalar(_KEY))
    names = attributes["value"].filter(is_name).drop_null()
    yield from pc.unique(names.cast(pa.string())).to_pylist()
