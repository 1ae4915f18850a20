"""What was seen of the queues: deliveries, redeliveries, dead letters, metrics of their depth."""

from typing import Final

from tracejury.scorecard.result import QueueFacts
from tracejury.store.reader import Reader
from tracejury.telemetry.lexicon import DEAD_LETTER_NAME


def queue_facts(reader: Reader) -> QueueFacts | None:
    """Counts over every queue and topic; None where no message was seen."""
    [row] = reader.rows(_MESSAGES, {"dead_letter": f"(?i){DEAD_LETTER_NAME.pattern}"})
    if not row["destinations"] and not row["deliveries"]:
        return None
    return QueueFacts(
        destinations=tuple(row["destinations"] or ()),
        sent=row["sent"] or 0,
        unprocessed=row["unprocessed"] or 0,
        deliveries=row["deliveries"],
        redelivered=row["redelivered"],
        most_deliveries=row["most"] or 0,
        dead_letters=tuple(row["dead_letters"] or ()),
    )


_MESSAGES: Final = """
    WITH named AS (
        SELECT destination FROM sent_message
        UNION
        SELECT destination FROM delivery
    )
    SELECT
        (SELECT list(destination ORDER BY destination) FROM named WHERE destination <> '')
            AS destinations,
        (SELECT list(destination ORDER BY destination) FROM named
            WHERE regexp_matches(destination, $dead_letter)) AS dead_letters,
        (SELECT sum(messages)::BIGINT FROM sent_message WHERE NOT failed) AS sent,
        (SELECT sum(greatest(messages - processed, 0))::BIGINT FROM sent_message
            WHERE NOT failed AND NOT may_vanish) AS unprocessed,
        (SELECT count(*) FROM delivery) AS deliveries,
        (SELECT count(*) FROM delivery WHERE is_again) AS redelivered,
        (SELECT max(number) FROM delivery) AS most
"""
