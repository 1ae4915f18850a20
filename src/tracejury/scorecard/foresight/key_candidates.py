"""Attributes that could name jobs, items or states, found by how their values are spread."""

from dataclasses import dataclass
from typing import Final

from tracejury.store.reader import Reader
from tracejury.telemetry import semconv

_SHOWN: Final = 3
_LONGEST: Final = 128  # characters of a value: a name is no text

# Keys that say something else, or that name one call, process or person.
_NO_NAMES: Final = sorted(
    {key for keys in semconv.FIELD_KEYS.values() for key in keys}
    | set(semconv.DEPRECATED_KEYS)
    | set(semconv.KEY_TYPES)
    | {
        "client.address",
        "code.line.number",
        "enduser.id",
        "faas.invocation_id",
        "http.request.header.idempotency-key",
        "idempotency-key",
        "session.id",
        "thread.id",
        "thread.name",
        "url.query",
        "user.id",
    }
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An attribute that may be what is looked for: on how many of those that should carry it."""

    key: str
    covered: int
    of: int


def job_keys(reader: Reader) -> tuple[Candidate, ...]:
    """Attributes of which a trace has one value, and a value several traces or services."""
    return _found(
        reader,
        """
        WITH carried AS (
            SELECT attribute.key, attribute.value, node.trace_no, node.service
            FROM stored.span_attribute AS attribute
            JOIN node USING (span_no)
            JOIN trace_instance USING (trace_no)
            JOIN workflow_instance AS instance
                ON instance.instance_no = trace_instance.instance_no
            WHERE attribute.type IN ('string', 'int')
                AND NOT list_contains($no_names, attribute.key)
                AND len(attribute.value) BETWEEN 1 AND $longest
                AND NOT instance.background
        ),
        by_value AS (
            SELECT key, value,
                count(DISTINCT trace_no) > 1 OR count(DISTINCT service) > 1 AS joins
            FROM carried
            GROUP BY key, value
        ),
        by_trace AS (
            SELECT key, trace_no, count(DISTINCT value) AS variety
            FROM carried
            GROUP BY key, trace_no
        ),
        spread AS (
            SELECT key, count(*) AS names, avg(joins::INTEGER) AS joining
            FROM by_value
            GROUP BY key
        ),
        held AS (
            SELECT key, count(*) AS traces, avg((variety = 1)::INTEGER) AS alone
            FROM by_trace
            GROUP BY key
        ),
        run AS (
            SELECT count(DISTINCT trace_instance.trace_no) AS traces
            FROM trace_instance
            JOIN workflow_instance AS instance
                ON instance.instance_no = trace_instance.instance_no
            WHERE NOT instance.background
        )
        SELECT held.key, held.traces AS covered, run.traces AS of
        FROM held
        JOIN spread USING (key)
        CROSS JOIN run
        -- Few values for many traces classify; they name nothing.
        WHERE held.alone >= 0.95 AND spread.joining >= 0.5
            AND spread.names > 1 AND spread.names >= 0.2 * held.traces
        ORDER BY covered DESC, spread.names DESC, held.key
        LIMIT $shown
        """,
        no_names=_NO_NAMES,
        longest=_LONGEST,
    )


def item_keys(reader: Reader) -> tuple[Candidate, ...]:
    """Attributes that tell the turns of a loop apart."""
    return _found(
        reader,
        """
        WITH turn AS (
            SELECT
                span_no,
                trace_no,
                parent_no,
                hash(service, name, kind) AS step,
                count(*) OVER (PARTITION BY parent_no, service, name, kind) AS turns
            FROM node
            WHERE parent_no IS NOT NULL
        ),
        looped AS (
            SELECT turn.*
            FROM turn
            JOIN trace_instance USING (trace_no)
            JOIN workflow_instance AS instance
                ON instance.instance_no = trace_instance.instance_no
            WHERE turn.turns >= 3 AND NOT instance.background
        ),
        told AS (
            SELECT attribute.key, looped.parent_no, looped.step, count(*) AS spans
            FROM stored.span_attribute AS attribute
            JOIN looped USING (span_no)
            WHERE attribute.type IN ('string', 'int')
                AND NOT list_contains($no_names, attribute.key)
                AND len(attribute.value) BETWEEN 1 AND $longest
            GROUP BY attribute.key, looped.parent_no, looped.step
            HAVING count(*) >= 3 AND count(DISTINCT attribute.value) = count(*)
        )
        SELECT told.key, sum(told.spans)::BIGINT AS covered, (SELECT count(*) FROM looped) AS of
        FROM told
        GROUP BY told.key
        ORDER BY covered DESC, told.key
        LIMIT $shown
        """,
        no_names=_NO_NAMES,
        longest=_LONGEST,
    )


def state_keys(reader: Reader) -> tuple[Candidate, ...]:
    """Attributes whose values are all words for the state of a job."""
    return _found(
        reader,
        """
        WITH said AS (
            SELECT DISTINCT key, value
            FROM stored.span_attribute
            WHERE type = 'string' AND len(value) BETWEEN 1 AND $longest
            UNION
            SELECT DISTINCT key, value
            FROM stored.log_attribute
            WHERE type = 'string' AND len(value) BETWEEN 1 AND $longest
        ),
        telling AS (
            SELECT said.key
            FROM said
            LEFT JOIN state_word
                ON state_word.word = regexp_replace(lower(trim(said.value)), '[- ]', '_', 'g')
            WHERE NOT list_contains($executions, said.key)
                AND said.key NOT IN (SELECT state_key.key FROM state_key)
            GROUP BY said.key
            HAVING count(*) = count(state_word.word) AND count(DISTINCT state_word.word) > 1
        ),
        carried AS (
            SELECT attribute.key, trace_instance.instance_no
            FROM stored.span_attribute AS attribute
            JOIN node USING (span_no)
            JOIN trace_instance USING (trace_no)
            WHERE attribute.key IN (SELECT telling.key FROM telling)
            UNION ALL
            SELECT attribute.key, log_instance.instance_no
            FROM stored.log_attribute AS attribute
            JOIN log_instance USING (log_no)
            WHERE attribute.key IN (SELECT telling.key FROM telling)
        )
        SELECT carried.key, count(DISTINCT carried.instance_no) AS covered,
            (SELECT count(*) FROM workflow_instance WHERE NOT background) AS of
        FROM carried
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        GROUP BY carried.key
        ORDER BY covered DESC, carried.key
        LIMIT $shown
        """,
        # How a task or a span ended is the state of an execution, and of no job.
        executions=["celery.state", "task.state", "otel.status_code"],
        longest=_LONGEST,
    )


def _found(reader: Reader, sql: str, **parameters: object) -> tuple[Candidate, ...]:
    return tuple(Candidate(**row) for row in reader.rows(sql, {**parameters, "shown": _SHOWN}))
