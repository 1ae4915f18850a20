"""How many rows and numbers a request may become, before any of them takes memory.

Two bytes of a body are a message, and may become a row of twenty columns: a request of the largest
size that is taken could fill a hundred times its size. So what its lists hold is counted first, by
parsers that keep nothing else. The limits are far above what telemetry of that size has.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tracejury.otlp.signals import MalformedRequest

MESSAGE_LIMIT: Final = 15 * 2**18
RECORD_LIMIT: Final = 3 * 2**19
NUMBER_LIMIT: Final = 2**23
# Of what Python reads one by one.
KEY_LIMIT: Final = 2**18
ITEM_LIMIT: Final = 2**20
ODD_LIMIT: Final = 2**19

_RECORDS: Final = frozenset({"spans", "logrecords", "metrics", "datapoints"})
_NUMBERS: Final = frozenset({"bucketcounts", "explicitbounds"})


class Tally:
    """What is known so far of some requests that are decoded together."""

    def __init__(self) -> None:
        self._messages = self._records = self._numbers = 0

    def add_lists(self, rows: pa.StructArray) -> None:
        """Count what the lists of some messages hold, whatever the depth.

        Raises `MalformedRequest` above a limit.
        """
        for member in rows.type:
            column = rows.field(member.name)
            if pa.types.is_list(column.type):
                column = pc.list_flatten(column)
                self._add(member.name.replace("_", "").lower(), len(column))
            if pa.types.is_struct(column.type):
                self.add_lists(column)

    def _add(self, name: str, count: int) -> None:
        if name in _NUMBERS:
            self._numbers += count
            check_numbers(self._numbers)
            return
        self._messages += count
        _refuse_above(self._messages, MESSAGE_LIMIT, "messages")
        if name in _RECORDS:
            self._records += count
            check_records(self._records)


def check_records(count: int) -> None:
    """Refuse more spans, log records or data points than one commit is to take."""
    _refuse_above(count, RECORD_LIMIT, "records")


def check_numbers(count: int) -> None:
    """Refuse more counts and bounds of buckets than one commit is to take."""
    _refuse_above(count, NUMBER_LIMIT, "numbers in lists")


def check_commas(count: int) -> None:
    """Refuse lists inside of values that have so many commas in JSON as no telemetry has."""
    _refuse_above(count, NUMBER_LIMIT, "commas in lists inside of values")


def check_items(count: int) -> None:
    """Refuse a value with more items in all of its lists."""
    _refuse_above(count, ITEM_LIMIT, "items in one value")


def check_keys(count: int) -> None:
    """Refuse attributes with more keys, counting each once."""
    _refuse_above(count, KEY_LIMIT, "different keys of attributes")


def check_odd(count: int) -> None:
    """Refuse more messages that differ, and are not written as every exporter does."""
    _refuse_above(count, ODD_LIMIT, "attributes that are not a key and then a value")


def _refuse_above(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise MalformedRequest(
            f"The body has more than {limit:,} {what}. Send fewer records in a batch."
        )
