"""Steps of a workflow that left no span and no log, and time that nothing accounts for.

What: Every step that all clean instances of a workflow have (at least three of the baseline), or
that its declaration names and does not call optional, is there in every instance that went well and
that the baseline was not learnt from: as a span, or as log records of a span that never arrived. No
span has an unexplained gap: a second and a fifth of its time without a child or a log record. Steps
after a failure, or after a circuit breaker refused, did not run: those instances are not asked for
them. A job that has not ended, or was cancelled, may not have got there, and what a crash cut short
may have lost the span with its process: nothing is concluded from what is not there. Nor does a
workflow pass of which a span is missing that no log record tells of, or whose log records are of
fewer spans than steps are absent.

Why: Whoever looks for the cause of a failure takes a step that is not there for one that did not
run. What happened in a gap can only be guessed.

Fix: Give the step a span of its own and end it also when the work raises. Check that its service
exports, samples like the others, and flushes before it exits. Log or add a span where a gap is.

Source: comparison with a clean run (tracejury's baseline) or `[workflow."name"] steps`.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.config import DeclaredWorkflow
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted, either

_CLEAN_INSTANCES = 3


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow and step: the instances that must have it."""
    declared = [workflow for workflow in evidence.config.workflows if workflow.steps]
    if not evidence.has_baseline and not declared:
        return Judgement((), reason="needs-baseline")
    rows = _expected(evidence, declared)
    gaps = {row["unit"]: row for row in evidence.rows(_GAPS, {"shown": SHOWN})}
    units = [
        Unit(
            row["unit"],
            row["instances"] if row["missing"] or not row["cut_short"] else 0,
            _findings(row, gaps.pop(row["unit"], None)),
        )
        for row in rows
    ]
    units += [Unit(name, row["gaps"], _findings(None, row)) for name, row in gaps.items()]
    return Judgement(tuple(units), note=_thin(evidence), reason=_reason(evidence, rows))


def _reason(evidence: Evidence, rows: list[Row]) -> str:
    if not rows and not evidence.rows("FROM taught_workflow"):
        return "needs-baseline"
    if any(row["cut_short"] for row in rows):
        return "export-lag"
    return "dropped" if any(row["holed"] for row in rows) else ""


def _expected(evidence: Evidence, declared: list[DeclaredWorkflow]) -> list[Row]:
    return evidence.rows(
        _EXPECTED,
        {
            "clean_instances": _CLEAN_INSTANCES,
            "optional": [step for workflow in declared for step in workflow.optional],
            "breaker_types": sorted(lexicon.BREAKER_TYPES),
            "breaker_message": f"(?i){lexicon.BREAKER_MESSAGE.pattern}",
            "shown": SHOWN,
        },
    )


def _findings(step: Row | None, gap: Row | None) -> tuple[Finding, ...]:
    found = []
    if step is not None and step["missing"]:
        found.append(
            Finding(
                message=f"{step['missing']} of {counted(step['instances'], 'instance')} of"
                f" `{step['workflow']}` {either(step['missing'], 'has', 'have')} no"
                f" `{step['name']}`{_of(step['service'])}, which {step['source']}.",
                subject=step["unit"],
                instance=step["instance"],
                evidence=references(step["evidence"]),
            )
        )
    if gap is not None:
        found.append(
            Finding(
                message=f"{counted(gap['gaps'], 'span')} `{gap['name']}`{_of(gap['service'])}"
                f" {either(gap['gaps'], 'has', 'have')} gaps without a child or a log record, the"
                f" longest {gap['longest_ms']:.0f} ms.",
                subject=gap["unit"],
                instance=gap["instance"],
                evidence=references(gap["evidence"]),
            )
        )
    return tuple(found)


def _of(service: str) -> str:
    return f" of {service}" if service else ""


def _thin(evidence: Evidence) -> str:
    rows = evidence.rows(
        """
        SELECT DISTINCT entry_name
        FROM baseline_step
        WHERE instances < $clean_instances
        ORDER BY entry_name
        """,
        {"clean_instances": _CLEAN_INSTANCES},
    )
    if not rows:
        return ""
    names = ", ".join(f"`{row['entry_name']}`" for row in rows)
    return f"Fewer than {_CLEAN_INSTANCES} clean instances, so not compared: {names}."


_EXPECTED: Final = """
    WITH stopped AS (
        SELECT DISTINCT trace_instance.instance_no
        FROM span_error AS error
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        WHERE regexp_extract(error.error_type, '([^.:/*$]*)$', 1)
                IN (SELECT unnest($breaker_types::VARCHAR[]))
            OR regexp_matches(error.message, $breaker_message)
        UNION
        -- Somebody may have caught the error of a step, and left out what comes after it.
        SELECT trace_instance.instance_no
        FROM span_error
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        LEFT JOIN attempt_of AS attempt ON attempt.span_no = node.span_no
        WHERE node.kind = 'INTERNAL' AND NOT coalesce(attempt.recovered, false)
    ),
    sound AS (
        SELECT likely.*
        FROM likely_workflow AS likely
        ANTI JOIN stopped USING (instance_no)
        WHERE likely.outcome <> 'failed'
    ),
    demanded AS (
        SELECT sound.instance_no, sound.workflow, step.service, step.name,
            'every clean instance has' AS source
        FROM sound
        JOIN baseline_step AS step USING (entry_service, entry_name)
        -- What every clean instance has, no clean instance lacks: it is not put to the test.
        ANTI JOIN (
            SELECT trace_instance.instance_no
            FROM lesson
            JOIN trace_instance USING (trace_no)
        ) AS taught USING (instance_no)
        WHERE step.fewest > 0
            AND step.instances >= $clean_instances
            AND step.name NOT IN (SELECT unnest($optional::VARCHAR[]))
            AND step.service || ': ' || step.name NOT IN (SELECT unnest($optional::VARCHAR[]))
        UNION
        SELECT sound.instance_no, declared.workflow, declared.service, declared.name,
            'the declaration names'
        FROM declared_step AS declared
        LEFT JOIN sound USING (workflow)
    ),
    seen AS (
        SELECT DISTINCT trace_instance.instance_no, node.service, node.name
        FROM node
        JOIN trace_instance USING (trace_no)
    ),
    -- A span that only log records name has left a trace of itself.
    logged AS (
        SELECT instance_no, service, count(*) AS spans
        FROM ghost
        WHERE logs > 0
        GROUP BY instance_no, service
    ),
    compared AS (
        SELECT
            demanded.*,
            NOT EXISTS (
                SELECT 1
                FROM seen
                WHERE seen.instance_no = demanded.instance_no
                    AND seen.name = demanded.name
                    AND (seen.service = demanded.service OR demanded.service = '')
            ) AS is_unseen
        FROM demanded
    ),
    looked_for AS (
        SELECT
            demanded.*,
            demanded.is_unseen AND logged.spans IS NULL AS is_absent,
            -- Which of several steps the log records are of, nothing tells.
            demanded.is_unseen AND logged.spans < count(DISTINCT demanded.name)
                FILTER (demanded.is_unseen)
                OVER (PARTITION BY demanded.instance_no, demanded.service)
                AS is_unclear,
            coalesce(
                demanded.instance_no IN (
                    SELECT crash_hit.instance_no
                    FROM crash_hit
                    UNION
                    SELECT job.instance_no
                    FROM job
                    WHERE NOT job.is_ended OR job.state IN ('cancelled', 'failed', 'timeout')
                ),
                false
            ) AS is_unfinished,
            instance.correlation_id,
            {
                'trace_id': lower(hex(trace.trace_id)),
                'span_id': format('{:016x}', entry.span_id)
            } AS entry
        FROM compared AS demanded
        LEFT JOIN logged
            ON logged.instance_no = demanded.instance_no AND logged.service = demanded.service
        LEFT JOIN workflow_instance AS instance ON instance.instance_no = demanded.instance_no
        LEFT JOIN node AS entry ON entry.span_no = instance.entry_span_no
        LEFT JOIN trace ON trace.trace_no = entry.trace_no
    ),
    -- What went on in a span that never arrived, and left no record, nobody can say.
    silent AS (
        SELECT DISTINCT instance_no
        FROM ghost
        WHERE logs = 0 AND cause <> 'killed'
    ),
    -- A job that has not ended, or not well, did not get there; of one that crashed, the process
    -- may have taken the span along.
    judged AS (
        SELECT
            *,
            is_absent AND NOT is_unfinished AS is_missing,
            is_absent AND is_unfinished AS is_cut_short,
            coalesce(is_unclear, false) OR instance_no IN (SELECT silent.instance_no FROM silent)
                AS is_holed
        FROM looked_for
    )
    SELECT
        concat(workflow, ' / ', CASE WHEN service = '' THEN '' ELSE service || ': ' END, name)
            AS unit,
        workflow,
        service,
        name,
        min(source) AS source,
        count(DISTINCT instance_no) AS instances,
        count(DISTINCT instance_no) FILTER (is_missing) AS missing,
        count(DISTINCT instance_no) FILTER (is_cut_short) AS cut_short,
        count(DISTINCT instance_no) FILTER (is_holed) AS holed,
        coalesce(min(correlation_id) FILTER (is_missing), '') AS instance,
        list_distinct(list(entry ORDER BY instance_no)
            FILTER (is_missing AND instance_no IS NOT NULL))[:$shown] AS evidence
    FROM judged
    GROUP BY workflow, service, name
    ORDER BY workflow, service, name
"""

_GAPS: Final = """
    SELECT
        instance.workflow || ' / ' || gap.service || ': ' || gap.name AS unit,
        gap.service,
        gap.name,
        count(*) AS gaps,
        max(gap.gap_ns) / 1e6 AS longest_ms,
        arg_max(instance.correlation_id, gap.gap_ns) AS instance,
        list(span.reference ORDER BY gap.gap_ns DESC, gap.span_no)[:$shown] AS evidence
    FROM gap
    JOIN span_reference AS span USING (span_no)
    JOIN workflow_instance AS instance ON instance.instance_no = gap.instance_no
    WHERE NOT instance.background
    GROUP BY instance.workflow, gap.service, gap.name
    ORDER BY unit
"""

CHECK = Check(
    id="OBS-05",
    title="Every step is visible",
    severity=Severity.HIGH,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    judges_absence=True,
    remedy="Give every step a span that ends also when the work raises, and flush before exit.",
)
