"""Pagination that does not stop at the last page.

What: A loop that asks for page after page ends when a page is empty, or has fewer rows than those
before (or a body of less than half their size). It fails where two further pages or more are asked
for after an empty one (no rows, 204), or where one page is asked for again and again although it
was answered. Pages are known by a parameter of their query (`page`, `cursor`, `offset`) or an
OFFSET in a statement. A poll that waits a second before it asks for the same again is no
pagination, and without sizes nobody knows which page was the last.

Why: A cursor that does not move, or an end that nobody notices, makes a loop that never ends.

Fix: Stop when a page is empty or shorter than asked for, and when the next cursor is the last one.

Source: the audit's test of loops: an empty page ends pagination.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

# Parameters of a query that say which page is meant.
_PAGE: Final = (
    r"(?i)^(page|page[-_]?(no|num|number|token|offset)|page\[(number|offset|after|cursor)\]|p"
    r"|cursor|next|next[-_]?(page|token|cursor)|offset|skip|start|start[-_]?(at|index|key)|after"
    r"|starting[-_]?after|continuation([-_]?token)?|marker|from)="
)
# The same anywhere in an address.
_ANY_PAGE: Final = _PAGE.replace("^", "[?&]", 1)
_POLL_NS: Final = 1_000_000_000


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow, service and target that was asked for pages."""
    rows = evidence.rows(
        _PAGES + _LOOPS,
        {"page": _PAGE, "any_page": _ANY_PAGE, "poll_ns": _POLL_NS, "shown": SHOWN},
    )
    return Judgement(
        tuple(
            Unit(_name(row), row["ended"] + row["overrun"] + row["unmoved"], _findings(row))
            for row in rows
        ),
        reason="dropped" if any(row["lossy"] for row in rows) else "",
    )


def pages_asked_for(evidence: Evidence) -> int:
    """How many calls ask for one page of several."""
    [row] = evidence.rows(_PAGES + _COUNT, {"page": _PAGE, "any_page": _ANY_PAGE})
    return int(row["pages"])


def _name(row: Row) -> str:
    return f"{row['workflow']}: {row['service']} → {row['target']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    of, by = f"of `{row['workflow']}`", f"by `{row['name']}` of {row['service']}"
    said = []
    if row["overrun"]:
        said.append(
            f"{counted(row['overrun'], 'loop')} {of} went on after an empty page of"
            f" {row['target']}, with up to {counted(row['further'], 'further call')} {by}."
        )
    if row["unmoved"]:
        said.append(
            f"{counted(row['unmoved'], 'loop')} {of} asked for the same page of {row['target']} up"
            f" to {counted(row['repeats'], 'time')} in a row {by}."
        )
    evidence = references(row["evidence"])
    return tuple(
        Finding(message, subject=_name(row), instance=row["instance"], evidence=evidence)
        for message in said
    )


_PAGES: Final = """
    WITH addressed AS (
        SELECT
            field.span_no,
            coalesce(field.url_full, field.url_path) AS url,
            string_split(
                regexp_extract(coalesce(field.url_full, field.url_path), '\\?([^#]*)', 1), '&'
            ) AS parameters
        FROM span_field AS field
        WHERE contains(coalesce(field.url_full, field.url_path), '?')
            -- Most say nothing of pages, and to take them to pieces is dear.
            AND (
                field.db_system IS NOT NULL
                OR regexp_matches(coalesce(field.url_full, field.url_path), $any_page)
            )
    ),
    statement AS MATERIALIZED (
        SELECT span_no, value
        FROM stored.span_attribute
        WHERE key IN ('db.query.text', 'db.statement')
    ),
    asked AS (
        SELECT
            span_no,
            array_to_string(
                list_sort(list_filter(parameters, lambda part: regexp_matches(part, $page))), '&'
            ) AS cursor,
            split_part(url, '?', 1) || '?' || array_to_string(
                list_sort(list_filter(parameters, lambda part: NOT regexp_matches(part, $page))),
                '&'
            ) AS list
        FROM addressed
        UNION ALL
        SELECT
            span_no,
            -- A placeholder says that there are pages, and not which.
            regexp_extract(value, '(?i)\\bOFFSET\\s+(\\d+)', 1),
            regexp_replace(value, '(?i)\\bOFFSET\\s+\\S+', 'OFFSET')
        FROM statement
        WHERE contains(upper(value), 'OFFSET')
            AND NOT contains(upper(value), 'SKIP LOCKED')
    ),
    sized AS (
        SELECT
            attribute.span_no,
            max(try_cast(attribute.value AS BIGINT))
                FILTER (attribute.key = 'db.response.returned_rows') AS rows_returned,
            max(try_cast(attribute.value AS BIGINT))
                FILTER (attribute.key <> 'db.response.returned_rows') AS body_bytes
        FROM stored.span_attribute AS attribute
        SEMI JOIN asked USING (span_no)
        WHERE attribute.key IN ('db.response.returned_rows', 'http.response.body.size',
            'http.response_content_length', 'http.response.header.content-length')
        GROUP BY attribute.span_no
    ),
    page AS (
        SELECT
            call.instance_no, call.service, call.target, call.name, call.trace_id, call.span_id,
            asked.cursor, asked.list,
            coalesce(item.item, '') AS item,
            node.parent_no, node.start_ns, coalesce(node.end_ns, node.start_ns) AS end_ns,
            coalesce(sized.rows_returned = 0 OR field.http_status = '204', false) AS is_empty,
            sized.rows_returned,
            sized.body_bytes
        FROM asked
        JOIN outgoing_call AS call USING (span_no)
        JOIN node USING (span_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN span_field AS field USING (span_no)
        LEFT JOIN sized USING (span_no)
        LEFT JOIN record_item AS item USING (span_no)
        WHERE NOT instance.background
            AND call.kind = 'CLIENT'
            AND NOT call.failed
            AND node.parent_no IS NOT NULL
            AND (asked.cursor <> '' OR call.protocol = 'db')
    )
"""

_COUNT: Final = """
    SELECT count(*) AS pages
    FROM page
"""

_LOOPS: Final = """
    -- Where each page has a span of its own around it, the loop is one higher.
    , held AS (
        SELECT
            page.*,
            CASE
                WHEN parent.kind = 'INTERNAL' AND count(*) OVER below = 1
                THEN coalesce(parent.parent_no, page.parent_no)
                ELSE page.parent_no
            END AS holder_no
        FROM page
        JOIN node AS parent ON parent.span_no = page.parent_no
        WINDOW below AS (
            PARTITION BY page.parent_no, page.service, page.target, page.name, page.list, page.item
        )
    ),
    ordered AS (
        SELECT
            *,
            row_number() OVER pages AS number,
            count(*) OVER whole AS pages,
            cursor <> '' AND cursor IS NOT DISTINCT FROM lag(cursor) OVER pages AS is_same,
            start_ns - lag(end_ns) OVER pages AS pause_ns
        FROM held
        WINDOW
            whole AS (PARTITION BY holder_no, service, target, name, list, item),
            pages AS (
                PARTITION BY holder_no, service, target, name, list, item
                ORDER BY start_ns, span_id
            )
    ),
    measured AS (
        SELECT
            holder_no, service, target, name, list, item,
            max(instance_no) AS instance_no,
            max(pages) AS pages,
            count(DISTINCT cursor) AS cursors,
            min(number) FILTER (is_empty) AS empty_at,
            max(number) FILTER (NOT is_empty) AS filled_at,
            -- How often the last cursor was asked for, one time after the other.
            max(pages) - coalesce(max(number) FILTER (NOT is_same), 0) + 1 AS repeats,
            bool_or(is_same AND pause_ns >= $poll_ns) AS is_poll,
            bool_or(number = pages AND is_empty) AS is_last_empty,
            max(rows_returned) FILTER (number = pages) AS last_rows,
            min(rows_returned) FILTER (number < pages) AS fewest_rows,
            count(*) FILTER (number < pages AND rows_returned IS NULL) AS unsized_rows,
            max(body_bytes) FILTER (number = pages) AS last_bytes,
            min(body_bytes) FILTER (number < pages) AS fewest_bytes,
            count(*) FILTER (number < pages AND body_bytes IS NULL) AS unsized_bodies,
            min(start_ns) AS start_ns,
            arg_min(
                {'trace_id': lower(hex(trace_id)), 'span_id': format('{:016x}', span_id)}, number
            ) AS evidence
        FROM ordered
        WHERE pages > 1
        GROUP BY holder_no, service, target, name, list, item
    ),
    judged AS (
        SELECT
            measured.*,
            pages - empty_at AS further,
            NOT is_poll AND coalesce(pages - empty_at >= 2 AND coalesce(filled_at < empty_at, true),
                false) AS is_overrun,
            NOT is_poll AND (repeats >= 3 OR (repeats = 2 AND cursors > 1))
                AND NOT coalesce(pages - empty_at >= 2, false) AS is_unmoved,
            NOT is_poll AND repeats = 1 AND holder.end_ns IS NOT NULL AND (
                (is_last_empty AND empty_at = pages)
                OR coalesce(unsized_rows = 0 AND last_rows < fewest_rows, false)
                OR coalesce(unsized_bodies = 0 AND 2 * last_bytes < fewest_bytes, false)
            ) AS is_over,
            EXISTS (SELECT 1 FROM ghost WHERE ghost.instance_no = measured.instance_no) AS is_lossy
        FROM measured
        JOIN node AS holder ON holder.span_no = measured.holder_no
        WHERE NOT is_poll
    )
    SELECT
        instance.workflow,
        judged.service,
        judged.target,
        min(judged.name) AS name,
        count(*) FILTER (judged.is_over AND NOT judged.is_lossy) AS ended,
        count(*) FILTER (judged.is_over AND judged.is_lossy) AS lossy,
        count(*) FILTER (judged.is_overrun) AS overrun,
        count(*) FILTER (judged.is_unmoved) AS unmoved,
        max(judged.further) FILTER (judged.is_overrun) AS further,
        max(judged.repeats) FILTER (judged.is_unmoved) AS repeats,
        coalesce(
            arg_min(instance.correlation_id, (judged.start_ns, judged.evidence.span_id))
                FILTER (judged.is_overrun OR judged.is_unmoved),
            ''
        ) AS instance,
        list(judged.evidence ORDER BY judged.start_ns, judged.evidence.span_id)
            FILTER (judged.is_overrun OR judged.is_unmoved)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    GROUP BY instance.workflow, judged.service, judged.target
    ORDER BY instance.workflow, judged.service, judged.target
"""

CHECK = Check(
    id="LOOP-02",
    title="Pagination ends on an empty page",
    severity=Severity.MEDIUM,
    task=7,
    serves=("TEST-RR-SL01",),
    judge=judge,
    remedy="Stop when a page is empty or short, and when the next cursor is the one before.",
)
