"""Time of spans that nothing accounts for, by step, with the log lines around the longest."""

from typing import Final

from tracejury.scorecard.result import Gap, GapLine
from tracejury.store.reader import Reader, Row

GAPS_KEPT: Final = 50
_LONGEST_LINE: Final = 300


def gaps(reader: Reader) -> tuple[Gap, ...]:
    """The steps that lost most time in gaps, each with its longest; background left out."""
    rows = reader.rows(_GAPS, {"kept": GAPS_KEPT, "longest": _LONGEST_LINE})
    return tuple(map(_gap, rows))


def _gap(row: Row) -> Gap:
    before, after = (
        None if line is None else GapLine(**line) for line in (row.pop("before"), row.pop("after"))
    )
    return Gap(**row, before=before, after=after)


_GAPS: Final = """
    WITH ranked AS (
        SELECT
            gap.*,
            instance.workflow,
            row_number() OVER of_step AS rank,
            count(*) OVER of_step AS times,
            sum(gap.gap_ns) OVER of_step AS total_ns
        FROM gap
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        WINDOW of_step AS (
            PARTITION BY instance.workflow, gap.service, gap.name
            ORDER BY gap.gap_ns DESC, gap.span_no
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
    ),
    longest AS (
        SELECT *
        FROM ranked
        WHERE rank = 1
        ORDER BY total_ns DESC, workflow, service, name
        LIMIT $kept
    ),
    line AS (
        SELECT
            longest.span_no,
            greatest(log.time_ns, log.observed_ns) AS at_ns,
            greatest(log.time_ns, log.observed_ns) <= longest.start_ns AS is_before,
            {
                'log': log.log_no,
                'time_ns': greatest(log.time_ns, log.observed_ns),
                'severity': log.severity_number,
                'service': log.service,
                'body': substr(coalesce(nullif(log.body, ''), log.event_name), 1, $longest)
            } AS entry
        FROM longest
        JOIN log_instance AS place USING (instance_no)
        JOIN log_record AS log USING (log_no)
        WHERE greatest(log.time_ns, log.observed_ns) <= longest.start_ns
            OR greatest(log.time_ns, log.observed_ns) >= longest.start_ns + longest.gap_ns
    ),
    around AS (
        SELECT
            span_no,
            arg_max(entry, (at_ns, entry.log)) FILTER (is_before) AS before,
            arg_min(entry, (at_ns, entry.log)) FILTER (NOT is_before) AS after
        FROM line
        GROUP BY span_no
    )
    SELECT
        longest.workflow,
        longest.service,
        longest.name,
        longest.times,
        longest.total_ns / 1e6 AS total_ms,
        longest.gap_ns / 1e6 AS longest_ms,
        longest.share,
        lower(hex(trace.trace_id)) AS trace_id,
        format('{:016x}', node.span_id) AS span_id,
        longest.start_ns,
        around.before,
        around.after
    FROM longest
    JOIN node USING (span_no)
    JOIN trace USING (trace_no)
    LEFT JOIN around USING (span_no)
    ORDER BY longest.total_ns DESC, longest.workflow, longest.service, longest.name
"""
