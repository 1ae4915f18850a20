"""A moment that a person or another program wrote down: RFC 3339, or Unix nanoseconds."""

from datetime import UTC, datetime
from typing import Final

from tracejury.errors import InputError

LAST_NS: Final = 2**63 - 1

# Whatever bound of the policy is added to it, 63 bits hold the sum.
_LATEST_NS: Final = 8_200_000_000_000_000_000
_OUTSIDE: Final = "lies outside the years 1970 to 2229"
_WRITE_A_TIME: Final = "Write RFC 3339 (2026-01-31T12:00:00Z) or Unix nanoseconds."


def moment_ns(value: object, where: str) -> int:
    """Nanoseconds since 1970. Raises `InputError` that says `where` it stands."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        if value <= _LATEST_NS:
            return value
        raise InputError(f"{where} {_OUTSIDE}.", next_step=_WRITE_A_TIME)
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime):
        raise InputError(f"{where} is {value!r}.", next_step=_WRITE_A_TIME)
    if moment.tzinfo is None:
        raise InputError(f"{where} has no time zone.", next_step="Append Z for UTC.")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    time_ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
    if not 0 < time_ns <= _LATEST_NS:
        raise InputError(f"{where} {_OUTSIDE}.", next_step=_WRITE_A_TIME)
    return time_ns
