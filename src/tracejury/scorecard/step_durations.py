"""How long each step took, with how far its quantiles can be trusted: for comparing two runs.

The interval of a quantile lies between two of the measured durations, chosen by rank so that it
holds the true quantile with 99 %. It assumes nothing of how durations are spread. A step that ran
too seldom for it has no interval.
"""

from dataclasses import dataclass
from typing import Final

from tracejury.store.reader import Reader

# Standard deviations on both sides that hold 99 % of a normal distribution.
CONFIDENCE: Final = 2.576

StepName = tuple[str, str, str, str]  # workflow, service, name, kind


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of durations, in milliseconds. `low` and `high`: None where too few ran."""

    ms: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class StepDurations:
    """What one step took at all its places in a workflow."""

    count: int
    errors: int
    p50: Quantile | None  # None: no span of it has usable times
    p95: Quantile | None


def step_durations(reader: Reader) -> dict[StepName, StepDurations]:
    """Of every step of every workflow of a rebuilt run."""
    rows = reader.rows(
        """
        WITH ran AS (
            SELECT
                step.workflow, node.service, node.name, node.kind,
                node.duration_ns / 1e6 AS ms,
                error.span_no IS NOT NULL AS failed
            FROM step_of AS step
            JOIN node USING (span_no)
            LEFT JOIN span_error AS error USING (span_no)
        ),
        ranked AS (
            SELECT
                *,
                row_number() OVER (
                    PARTITION BY workflow, service, name, kind, ms IS NULL
                    ORDER BY ms
                ) AS place,
                count(ms) OVER (PARTITION BY workflow, service, name, kind) AS timed
            FROM ran
        ),
        bounded AS (
            SELECT
                *,
                floor(0.5 * timed - $z * sqrt(0.25 * timed)) AS p50_low,
                ceil(0.5 * timed + $z * sqrt(0.25 * timed)) + 1 AS p50_high,
                floor(0.95 * timed - $z * sqrt(0.0475 * timed)) AS p95_low,
                ceil(0.95 * timed + $z * sqrt(0.0475 * timed)) + 1 AS p95_high
            FROM ranked
        )
        SELECT
            workflow, service, name, kind,
            count(*) AS spans,
            count(*) FILTER (failed) AS errors,
            quantile_cont(ms, 0.5) AS p50,
            max(ms) FILTER (place = p50_low) AS p50_low,
            max(ms) FILTER (place = p50_high) AS p50_high,
            quantile_cont(ms, 0.95) AS p95,
            max(ms) FILTER (place = p95_low) AS p95_low,
            max(ms) FILTER (place = p95_high) AS p95_high
        FROM bounded
        GROUP BY workflow, service, name, kind
        ORDER BY workflow, service, name, kind
        """,
        {"z": CONFIDENCE},
    )
    return {
        (row["workflow"], row["service"], row["name"], row["kind"]): StepDurations(
            count=row["spans"],
            errors=row["errors"],
            p50=_quantile(row["p50"], row["p50_low"], row["p50_high"]),
            p95=_quantile(row["p95"], row["p95_low"], row["p95_high"]),
        )
        for row in rows
    }


def _quantile(ms: float | None, low: float | None, high: float | None) -> Quantile | None:
    if ms is None:
        return None
    has_both = low is not None and high is not None
    return Quantile(ms, low, high) if has_both else Quantile(ms, None, None)
