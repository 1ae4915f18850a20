"""Retries that ask for something else.

What: What was recorded of a call's parameters is the same in all attempts at it: the query of its
URL, the size of its body, the parameters of a statement, the settings of a model. It fails where
one of them changed. Signatures, nonces, times and the number of the attempt may change, a body may
be a few bytes longer or shorter, and another model is a fallback. What was redacted tells nothing.
A POST of which only the address was recorded decides nothing, nor does what only one of the
attempts recorded.

Why: An item that is made again with other settings is another item, under the name of the first.

Fix: Store the parameters with the item when it is accepted, and let every attempt read them from
there.

Source: the audit's test of retrying one failed item: same parameters.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# Names in a query whose values belong to one attempt alone.
_VOLATILE: Final = (
    r"(?i)^(x-amz-.*|x-goog-.*|.*signature|sig|.*token|.*nonce|ts|time|.*timestamp|.*expires|expiry"
    r"|date|_|cb|cache_?bust(er)?|rand(om)?|(x[-_])?request[-_]?id|trace.*|se|sp|st|sv|sr|spr"
    r"|.*attempts?|.*retry|.*retries)="
)
# What stands where a value was taken out on its way.
_HIDDEN: Final = r"(?i)redacted|\[(filtered|masked)\]|(^|=)(\?|\*+)(&|$)"
_SIZES: Final = [
    "http.request.body.size",
    "http.request_content_length",
    "http.request.header.content-length",
    "messaging.message.body.size",
    "messaging.message.envelope.size",
    "messaging.message_payload_size_bytes",
]
_URLS: Final = ["url.full", "http.url", "http.target", "url.query"]

# As many bytes as another time or number takes.
_SLACK_BYTES: Final = 32


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target: its calls that were tried again and can be compared."""
    rows = evidence.rows(
        _COMPARED,
        {
            "volatile": _VOLATILE,
            "hidden": _HIDDEN,
            "sizes": _SIZES,
            "urls": _URLS,
            "slack": _SLACK_BYTES,
            "shown": SHOWN,
        },
    )
    return Judgement(
        tuple(Unit(_name(row), row["same"] + row["changed"], _findings(row)) for row in rows)
    )


def _name(row: Row) -> str:
    return f"{row['service']} → {row['target']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["changed"]:
        return ()
    return (
        Finding(
            f"{counted(row['changed'], 'call')} of {row['service']} to {row['target']}"
            f" {either(row['changed'], 'was', 'were')} tried again with other parameters:"
            f" `{row['parameter']}` changed, for one.",
            subject=_name(row),
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_COMPARED: Final = """
    -- The attempts at one call: below one span, or one in each run of an item.
    WITH again AS (
        SELECT run.instance_no, run.item, run.number, run.start_ns,
            coalesce(run.end_ns, run.start_ns) AS end_ns
        FROM item_run AS run
        WHERE NOT run.is_fragment
            AND EXISTS (
                SELECT 1
                FROM item_run AS earlier
                JOIN item_run AS later
                    ON later.instance_no = earlier.instance_no
                    AND later.item = earlier.item
                    AND later.number = earlier.number + 1
                    AND later.service = earlier.service
                    AND later.name = earlier.name
                WHERE earlier.failed
                    AND earlier.instance_no = run.instance_no
                    AND earlier.item = run.item
                    AND run.number IN (earlier.number, later.number)
            )
    ),
    of_item AS (
        SELECT
            again.instance_no, again.item, again.number, call.service, call.target, call.name,
            call.operation, call.span_no
        FROM again
        JOIN record_item ON record_item.item = again.item
        JOIN external_call AS call
            ON call.span_no = record_item.span_no
            AND call.instance_no = again.instance_no
            AND call.start_ns::BIGINT BETWEEN again.start_ns AND again.end_ns
        -- Of several calls of a step in one run nobody can tell which is which.
        QUALIFY count(*) OVER (
            PARTITION BY again.instance_no, again.item, again.number, call.service, call.target,
                call.name, call.operation
        ) = 1
    ),
    attempt AS (
        SELECT
            's' || attempt.group_no AS thing, attempt.number, attempt.span_no
        FROM attempt_of AS attempt
        JOIN external_call AS call USING (span_no)
        WHERE attempt.how = 'siblings'
        UNION ALL
        SELECT
            concat_ws(chr(31), 'i' || instance_no, item, service, target, name, operation),
            number, span_no
        FROM of_item
    ),
    thing AS (
        SELECT
            thing,
            count(*) AS attempts,
            arg_max(span_no, number) AS span_no,
            bool_and(coalesce(upper(field.http_method) IN ('GET', 'HEAD', 'DELETE', 'OPTIONS'),
                false)) AS is_in_address
        FROM attempt
        LEFT JOIN span_field AS field USING (span_no)
        GROUP BY thing
        HAVING count(*) > 1
    ),
    recorded AS (
        SELECT
            attempt.thing,
            attempt.number,
            CASE WHEN attribute.key IN (SELECT unnest($urls)) THEN 'url.query'
                ELSE attribute.key END AS parameter,
            attribute.key IN (SELECT unnest($sizes)) AS is_size,
            CASE WHEN attribute.key IN (SELECT unnest($urls)) THEN
                array_to_string(
                    list_sort(list_filter(
                        string_split(
                            CASE WHEN attribute.key = 'url.query' THEN attribute.value
                                ELSE regexp_extract(attribute.value, '\\?([^#]*)', 1) END,
                            '&'
                        ),
                        lambda part: NOT regexp_matches(part, $volatile)
                    )),
                    '&'
                )
                WHEN attribute.key IN (SELECT unnest($sizes)) THEN
                    regexp_extract(attribute.value, '\\d+')
                ELSE attribute.value
            END AS value
        FROM attempt
        SEMI JOIN thing USING (thing)
        JOIN stored.span_attribute AS attribute USING (span_no)
        WHERE attribute.key IN (SELECT unnest($urls))
            OR attribute.key IN (SELECT unnest($sizes))
            -- A moment is that of the attempt, and names of parameters are often numbers.
            OR (regexp_matches(attribute.key, '^db\\.(query|operation)\\.parameter\\.')
                AND NOT regexp_matches(attribute.value, '^\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d'))
            OR (attribute.key LIKE 'gen_ai.request.%' AND attribute.key <> 'gen_ai.request.model')
    ),
    -- Of several addresses of one call the one with the most to say.
    told AS (
        SELECT
            thing, number, parameter, bool_or(is_size) AS is_size, max(value) AS value,
            regexp_matches(max(value), $hidden) AS is_hidden
        FROM recorded
        GROUP BY thing, number, parameter
    ),
    compared AS (
        SELECT
            told.thing,
            told.parameter,
            thing.is_in_address OR told.parameter <> 'url.query' AS is_telling,
            count(*) < thing.attempts OR bool_or(told.is_hidden) AS is_partly_told,
            count(DISTINCT told.value) > 1 AS is_different,
            bool_or(told.is_size)
                AND max(try_cast(told.value AS DOUBLE)) - min(try_cast(told.value AS DOUBLE))
                    <= $slack AS is_near
        FROM told
        JOIN thing USING (thing)
        GROUP BY told.thing, told.parameter, thing.attempts, thing.is_in_address
    ),
    judged AS (
        SELECT
            compared.thing,
            bool_or(is_different AND NOT coalesce(is_near, false)) AS is_changed,
            min(parameter) FILTER (is_different AND NOT coalesce(is_near, false)) AS parameter,
            bool_or(is_telling)
                AND NOT bool_or(is_partly_told)
                AND NOT bool_or(is_different) AS is_same
        FROM compared
        GROUP BY compared.thing
    )
    SELECT
        call.service,
        call.target,
        count(*) FILTER (judged.is_same) AS same,
        count(*) FILTER (judged.is_changed) AS changed,
        arg_min(judged.parameter, (call.start_ns, call.span_id)) FILTER (judged.is_changed)
            AS parameter,
        arg_min(instance.correlation_id, (call.start_ns, call.span_id))
            FILTER (judged.is_changed) AS instance,
        list(
            {'trace_id': call.trace_id, 'span_id': call.span_id}
            ORDER BY call.start_ns, call.span_id
        ) FILTER (judged.is_changed)[:$shown] AS evidence
    FROM judged
    JOIN thing USING (thing)
    JOIN external_call AS call ON call.span_no = thing.span_no
    JOIN workflow_instance AS instance USING (instance_no)
    WHERE NOT instance.background
    GROUP BY call.service, call.target
    ORDER BY call.service, call.target
"""

CHECK = Check(
    id="RET-05",
    title="A retry has the same parameters",
    severity=Severity.MEDIUM,
    task=5,
    serves=("TEST-RR-R01",),
    judge=judge,
    remedy="Store the parameters with the item, and let every attempt read them from there.",
)
