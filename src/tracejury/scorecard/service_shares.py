"""What was received and what is missing of each service: counted by its SDKs, else estimated.

An SDK that counts the spans it starts says how many there were, and so how many are missing. Where
the counts of every process of a service tell until the end of the run, its share rests on them.
Where only some do (a process was killed after its last count, or another one does not count), they
say how many are missing at least. They tell nothing of workflows, so background is counted along.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.result import Basis, ServiceShare
from tracejury.store.reader import Reader, Row

_UNKNOWN: Final = ""

# Why an absent parent is taken to be missing, where nothing tells more.
NAMED: Final = "not-exported"


@dataclass(slots=True)
class Estimate:
    """What is estimated of a service: spans of workflows, and what is missing, by cause."""

    received: int
    missing: dict[str, float]


@dataclass(frozen=True, slots=True)
class Count:
    """What the SDKs of a service counted. `gap`: spans that are not stored, by cause."""

    processes: int
    counted: int
    stored: int
    gap: dict[str, int]

    @property
    def is_whole(self) -> bool:
        """Whether every process counted, until the end of the run."""
        return self.counted == self.processes


def counts_of(reader: Reader) -> dict[str, Count]:
    """The counts of every service of which a process counted its own spans."""
    gaps: dict[str, dict[str, int]] = defaultdict(dict)
    for row in reader.rows("""
        SELECT service, cause, sum(spans)::BIGINT AS spans
        FROM sdk_gap
        GROUP BY service, cause
        ORDER BY service, spans DESC, cause
    """):
        gaps[row["service"]][row["cause"]] = row["spans"]
    return {
        row["service"]: Count(row["processes"], row["counted"], row["stored"], gaps[row["service"]])
        for row in reader.rows("FROM counted_service ORDER BY service")
    }


def estimates(
    steps: Iterable[Row], missing: dict[tuple[str, str, str], float]
) -> dict[str, Estimate]:
    """What the steps of each service add up to."""
    found: dict[str, Estimate] = {}
    for row in steps:
        estimate = found.setdefault(row["service"], Estimate(0, {}))
        estimate.received += row["observed"]
        lost = missing.get((row["service"], row["name"], row["kind"]), 0.0)
        if lost:
            cause = row["cause"] or "not-exported"
            estimate.missing[cause] = estimate.missing.get(cause, 0.0) + lost
    return found


def named_parents(reader: Reader) -> dict[str, float]:
    """Absent parents that children in other processes name, by the service they are likely of."""
    return {
        row["service"]: row["spans"]
        for row in reader.rows("""
            SELECT step.service, sum(step.share)::DOUBLE AS spans
            FROM ghost_step AS step
            JOIN ghost USING (trace_no, span_id)
            JOIN likely_workflow USING (instance_no)
            WHERE ghost.side IN ('remote', 'unknown')
            GROUP BY step.service
        """)
    }


def service_shares(
    estimated: dict[str, Estimate],
    counts: dict[str, Count],
    named: dict[str, float],
    *,
    untaught: Collection[str],
) -> dict[str, ServiceShare]:
    """Every service by name; under no name what is missing of nobody knows which.

    So is what stored spans have `named` beyond what the counts of the likeliest service leave room
    for. Of those `untaught` no clean run tells what there should have been.
    """
    beyond = sum(
        max(named.get(service, 0.0) - sum(count.gap.values()), 0.0)
        for service, count in counts.items()
        if count.is_whole
    )
    if beyond:
        unknown = estimated.get(_UNKNOWN, Estimate(0, {}))
        missing = {**unknown.missing, NAMED: unknown.missing.get(NAMED, 0.0) + beyond}
        estimated = {**estimated, _UNKNOWN: Estimate(unknown.received, missing)}
    shares = {
        service: _share(
            estimated.get(service, Estimate(0, {})),
            counts.get(service),
            "upper-bound" if service in untaught else "estimated",
        )
        for service in sorted(estimated.keys() | counts.keys())
    }
    if _UNKNOWN in estimated and _UNKNOWN not in counts:
        room = sum(
            max(shares[service].known_missing - _sum(estimated.get(service)), 0.0)
            for service in counts
        )
        shares[_UNKNOWN] = _share(_beyond(estimated[_UNKNOWN], room), None, shares[_UNKNOWN].basis)
    return shares


def _beyond(estimate: Estimate, room: float) -> Estimate:
    """What is left of `estimate` where services lack `room` spans of which nothing else tells."""
    whole = _sum(estimate)
    left = max(whole - room, 0.0)
    return Estimate(
        estimate.received,
        {cause: spans * left / whole for cause, spans in estimate.missing.items()} if left else {},
    )


def _sum(estimate: Estimate | None) -> float:
    return sum(estimate.missing.values()) if estimate else 0.0


def _share(estimate: Estimate, count: Count | None, without_counts: Basis) -> ServiceShare:
    missing = _sum(estimate)
    if count is None:
        return ServiceShare(estimate.received, missing, without_counts, estimate.missing)
    lost = sum(count.gap.values())
    known = float(lost) if count.is_whole else max(missing, lost)
    return ServiceShare(
        received=count.stored,
        known_missing=known,
        basis="counted" if count.is_whole else without_counts,
        gap=_gap(count, estimate, known - lost),
        processes=count.processes,
        counted_processes=count.counted,
    )


def _gap(count: Count, estimate: Estimate, beyond: float) -> dict[str, float]:
    """What is counted, and what is estimated `beyond` it, by the causes of the estimate."""
    gap = {cause: float(spans) for cause, spans in count.gap.items()}
    whole = _sum(estimate)
    for cause, spans in estimate.missing.items() if beyond > 0 else ():
        gap[cause] = gap.get(cause, 0.0) + beyond * spans / whole
    return gap
