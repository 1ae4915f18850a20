"""Failed items that nobody can tell the cause of.

What: Every item that failed says which one it is and why: its span, a span below it or a log record
in it has an error type or a message that tells one error from another. It passes only where nothing
is known to be missing of its job: what made the item good after all may be among what is. A call
that failed before another step of its item went well was an attempt, and the item has not failed,
unless its last state or an error that is logged later says so. Where only a row was written, or a
step tells of it, the item may have come out either way, and nothing passes.

Why: Of twenty items one has failed. Without its cause, whether to repeat it, to correct it or to
give it up has to be found out by hand.

Fix: Record the exception on the item's span, and write the item's id and the cause into its log
record.

Source: the audit's test of a batch that fails at item 7 of 20.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow and item step: its failed items."""
    rows = evidence.rows(
        _FAILED,
        {
            "generic_types": sorted(lexicon.GENERIC_TYPES),
            "generic_message": f"(?i){lexicon.GENERIC_MESSAGE.pattern}",
            "shown": SHOWN,
        },
    )
    units = tuple(Unit(_name(row), row["failed"] - row["unseen"], _findings(row)) for row in rows)
    if any(row["unclear"] for row in rows):
        return Judgement(units, reason="uninstrumented")
    is_exposed = any(unit.exposures for unit in units)
    return Judgement(units, reason="dropped" if units and not is_exposed else "")


def _name(row: Row) -> str:
    return f"{row['workflow']}: {row['service']} {row['name']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["unexplained"]:
        return ()
    return (
        Finding(
            f"{row['unexplained']} of {counted(row['failed'], 'failed item')} of"
            f" `{row['workflow']}` {either(row['unexplained'], 'says', 'say')} nothing of"
            f" {either(row['unexplained'], 'its', 'their')} cause, `{row['item']}` for one.",
            subject=_name(row),
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_FAILED: Final = """
    -- What an item came to by the last word of its state, where no span of its run failed: another
    -- call of it did, or only its state tells.
    WITH ended AS (
        SELECT
            instance_no,
            unit AS item,
            arg_max(state, (time_ns, is_final, state)) AS state,
            max(time_ns) AS at_ns
        FROM state_record
        WHERE level = 'item'
        GROUP BY instance_no, unit
    ),
    said_failed AS (
        SELECT arg_max(run.span_no, run.number) AS span_no
        FROM item_run AS run
        JOIN ended USING (instance_no, item)
        WHERE ended.state IN ('failed', 'timeout')
        GROUP BY run.instance_no, run.item
        -- What began after that word may have made it good.
        HAVING NOT bool_or(run.failed) AND max(run.start_ns) <= max(ended.at_ns)
    ),
    -- What was recorded in an item: on its span, below it, or in a log record of it.
    told AS (
        SELECT run.span_no, error.error_type, error.message
        FROM item_run AS run
        JOIN span_error AS error USING (span_no)
        UNION ALL
        SELECT run.span_no, error.error_type, error.message
        FROM item_run AS run
        JOIN trace_instance USING (instance_no)
        JOIN record_item AS named ON named.item = run.item
        JOIN node ON node.span_no = named.span_no AND node.trace_no = trace_instance.trace_no
        JOIN span_error AS error ON error.span_no = node.span_no
        WHERE node.start_ns BETWEEN run.start_ns AND coalesce(run.end_ns, run.start_ns)
            OR run.span_no IN (SELECT said_failed.span_no FROM said_failed)
        UNION ALL
        SELECT run.span_no, '', log.body
        FROM item_run AS run
        JOIN log_instance ON log_instance.instance_no = run.instance_no
        JOIN record_item AS named ON named.log_no = log_instance.log_no AND named.item = run.item
        JOIN stored.log_record AS log ON log.log_no = named.log_no
        WHERE log.severity_number >= 13
    ),
    holed AS (
        SELECT DISTINCT instance_no
        FROM missing_in_instance
        WHERE signs > 0
    ),
    explained AS (
        SELECT DISTINCT span_no
        FROM told
        WHERE regexp_extract(rtrim(error_type, '.'), '[^.:/*$]*$')
                NOT IN (SELECT unnest($generic_types))
            OR NOT regexp_full_match(trim(message), $generic_message)
    )
    SELECT
        instance.workflow,
        run.service,
        run.name,
        count(*) FILTER (NOT run.is_unclear) AS failed,
        count(*) FILTER (run.is_unclear) AS unclear,
        count(*) FILTER (explained.span_no IS NULL AND NOT run.is_unclear) AS unexplained,
        count(*) FILTER (
            explained.span_no IS NOT NULL
            AND NOT run.is_unclear
            AND run.instance_no IN (SELECT holed.instance_no FROM holed)
        ) AS unseen,
        arg_min(run.item, (instance.correlation_id, run.item))
            FILTER (explained.span_no IS NULL AND NOT run.is_unclear) AS item,
        min(instance.correlation_id)
            FILTER (explained.span_no IS NULL AND NOT run.is_unclear) AS instance,
        list(span.reference ORDER BY run.span_no)
            FILTER (explained.span_no IS NULL AND NOT run.is_unclear)[:$shown] AS evidence
    FROM item_run AS run
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span USING (span_no)
    LEFT JOIN explained ON explained.span_no = run.span_no
    WHERE (run.failed AND NOT run.went_on)
        OR run.span_no IN (SELECT said_failed.span_no FROM said_failed)
    GROUP BY instance.workflow, run.service, run.name
    ORDER BY instance.workflow, run.service, run.name
"""

CHECK = Check(
    id="PAR-02",
    title="A failed item carries its specific error",
    severity=Severity.HIGH,
    task=4,
    serves=("TEST-RR-P01",),
    judge=judge,
    remedy="Record the exception on the item's span, and the item's id beside it.",
)
