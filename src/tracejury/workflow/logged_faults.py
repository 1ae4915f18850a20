"""Faults that the injector itself reports, as log events among the telemetry.

An event `chaos.fault.start` begins a fault, and `chaos.fault.stop` of the same `chaos.fault.id`
ends it; one that is never ended lasts to the end of the run. What a fault file may say of a fault
stands in attributes of the start: `chaos.fault.kind`, `chaos.fault.target` and so on.
"""

from typing import Any, Final

from tracejury.store.reader import Reader
from tracejury.workflow.faults import KINDS, Fault

_PREFIX: Final = "chaos.fault."
_TEXTS: Final = ("target", "magnitude", "workflow", "item_injected", "test_id", "failure_mode")
# A sender chooses how many it reports; no run of a person has more.
_MOST: Final = 1000


def with_logged(reader: Reader, injected: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """The faults of the fault file, and of those in the log records the ones it lacks.

    The store need not be rebuilt.
    """
    known = {fault.id for fault in injected}
    return (*injected, *(fault for fault in _logged(reader) if fault.id not in known))


def _logged(reader: Reader) -> tuple[Fault, ...]:
    rows = reader.rows(
        """
        WITH named AS (
            SELECT log_no, event_name
            FROM stored.log_record
            WHERE event_name IN ('chaos.fault.start', 'chaos.fault.stop')
            UNION
            SELECT log_no, value
            FROM stored.log_attribute
            WHERE key = 'event.name' AND value IN ('chaos.fault.start', 'chaos.fault.stop')
        ),
        event AS (
            SELECT
                named.log_no,
                named.event_name = 'chaos.fault.start' AS is_start,
                CASE WHEN log.time_ns = 0 THEN log.observed_ns ELSE log.time_ns END AS time_ns,
                coalesce(attribute.value, '') AS id
            FROM named
            JOIN stored.log_record AS log USING (log_no)
            LEFT JOIN stored.log_attribute AS attribute
                ON attribute.log_no = named.log_no AND attribute.key = 'chaos.fault.id'
        ),
        -- The next event of the same fault ends it, be it another start.
        window_of AS (
            SELECT
                *,
                lead(time_ns) OVER (PARTITION BY id ORDER BY time_ns, NOT is_start, log_no)
                    AS stop_ns
            FROM event
            WHERE time_ns BETWEEN 1 AND 9223372036854775807
        )
        SELECT
            window_of.id,
            window_of.time_ns AS start_ns,
            coalesce(window_of.stop_ns, greatest(
                window_of.time_ns,
                (SELECT max(end_ns) FROM stored.span WHERE end_ns <= 9223372036854775807)
            )) AS end_ns,
            coalesce(
                map_from_entries(list({'key': attribute.key, 'value': attribute.value})
                    FILTER (attribute.key IS NOT NULL)),
                MAP {}
            ) AS said
        FROM window_of
        LEFT JOIN (
            SELECT log_no, key, any_value(value) AS value
            FROM stored.log_attribute
            WHERE starts_with(key, 'chaos.fault.')
            GROUP BY ALL
        ) AS attribute USING (log_no)
        WHERE window_of.is_start
        GROUP BY ALL
        ORDER BY start_ns, window_of.id
        LIMIT $most
        """,
        {"most": _MOST},
    )
    named: dict[str, Fault] = {}
    for row in rows:
        fault = _fault(row, named)
        named[fault.id] = fault
    return tuple(named.values())


def _fault(row: dict[str, Any], named: dict[str, Fault]) -> Fault:
    """What the event says; of what it says wrong, as an unknown kind, nothing."""
    said = {key.removeprefix(_PREFIX): value or "" for key, value in dict(row["said"]).items()}
    kind = said.get("kind", "")
    items = said.get("items_expected", "")
    name, number = row["id"] or kind or "fault", 1
    own = name
    while own in named:
        number += 1
        own = f"{name} ({number})"
    return Fault(
        id=own,
        start_ns=int(row["start_ns"]),
        end_ns=int(row["end_ns"]),
        kind=kind if kind in KINDS else "",
        items_expected=int(items) if items.isdecimal() and len(items) < 19 else None,
        **{key: said.get(key, "") for key in _TEXTS},
    )
