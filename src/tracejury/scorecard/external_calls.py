"""What was recorded of the calls to other processes, target by target."""

from tracejury.scorecard.result import ExternalCalls, Target
from tracejury.store.reader import Reader


def external_calls(reader: Reader) -> ExternalCalls:
    """Counts and shares over every call of a workflow; background polls are left out."""
    rows = reader.rows("""
        SELECT
            call.service,
            call.target,
            bool_and(call.is_external) AS is_external,
            count(*) AS calls,
            count(*) FILTER (call.has_request) AS with_request,
            count(*) FILTER (call.has_response) AS with_response,
            count(*) FILTER (call.implicit) AS implicit_response,
            count(*) FILTER (call.has_duration) AS with_duration,
            count(*) FILTER (
                call.has_request AND call.has_response AND call.has_duration
            ) AS complete,
            list_sort(list_distinct(flatten(list(call.missing)))) AS missing
        FROM external_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        GROUP BY call.service, call.target
        ORDER BY call.service, call.target
    """)
    calls = sum(row["calls"] for row in rows)
    complete = sum(row["complete"] for row in rows)
    return ExternalCalls(
        share=complete / calls if calls else None,
        calls=calls,
        complete=complete,
        unrecorded=_unrecorded(reader),
        targets=tuple(
            Target(
                service=row["service"],
                target=row["target"],
                is_external=row["is_external"],
                calls=row["calls"],
                with_request=row["with_request"],
                with_response=row["with_response"],
                implicit_response=row["implicit_response"],
                with_duration=row["with_duration"],
                missing=tuple(row["missing"] or ()),
            )
            for row in rows
        ),
    )


def _unrecorded(reader: Reader) -> int:
    """Calls that must have been made, since what they called is stored, and were not recorded."""
    return int(
        reader.value("""
            SELECT count(*)
            FROM ghost
            WHERE kind IN ('CLIENT', 'PRODUCER')
                OR (side = 'remote' AND kind = '')
        """)
    )
