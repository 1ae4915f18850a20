"""Services that go by another name than in the clean run.

A service of the clean run that sent nothing, and one that the clean run does not know, which does
what that did for the same callers, are one: its spans are not missing. Neither is concluded where
two may be meant.
"""

from typing import Final

from tracejury.store.reader import Reader
from tracejury.workflow.baseline import Baseline


def renamed_services(reader: Reader, baseline: Baseline) -> dict[str, str]:
    """The names that services have in the run, by those that the clean run knows them by."""
    if not baseline.exists:
        return {}
    reader.register("learnt_step", baseline.steps)
    reader.register("learnt_parent_step", baseline.parent_steps)
    return {row["was"]: row["service"] for row in reader.rows(_RENAMED)}


_RENAMED: Final = """
    WITH gone AS (
        SELECT DISTINCT service FROM learnt_step
        EXCEPT
        SELECT service FROM node
    ),
    come AS (
        SELECT DISTINCT node.service FROM node WHERE node.service <> ''
        EXCEPT
        SELECT service FROM learnt_step
    ),
    -- What each does, and for whom; who calls may have another name, too.
    was AS (
        SELECT DISTINCT
            step.service, step.name, step.kind,
            coalesce(above.parent_name, '') AS parent_name,
            coalesce(above.parent_kind, '') AS parent_kind
        FROM learnt_step AS step
        SEMI JOIN gone USING (service)
        LEFT JOIN learnt_parent_step AS above USING (service, name, kind)
    ),
    done AS (
        SELECT DISTINCT
            node.service, node.name, node.kind,
            coalesce(parent.name, '') AS parent_name,
            coalesce(parent.kind, '') AS parent_kind
        FROM node
        SEMI JOIN come USING (service)
        LEFT JOIN node AS parent ON parent.span_no = node.parent_no
        WHERE node.missing_parent IS NULL
    ),
    sizes AS (
        SELECT service, count(*) AS steps FROM was GROUP BY service
        UNION ALL
        SELECT service, count(*) FROM done GROUP BY service
    ),
    alike AS (
        SELECT was.service AS was, done.service, count(*) AS steps
        FROM was
        JOIN done USING (name, kind, parent_name, parent_kind)
        GROUP BY was.service, done.service
    )
    SELECT alike.was, alike.service
    FROM alike
    JOIN sizes AS had ON had.service = alike.was
    JOIN sizes AS has ON has.service = alike.service
    -- It does nothing else, and most of what was done.
    WHERE alike.steps = has.steps
        AND 2 * alike.steps > had.steps
    QUALIFY count(*) OVER (PARTITION BY alike.was) = 1
        AND count(*) OVER (PARTITION BY alike.service) = 1
    ORDER BY alike.was
"""
