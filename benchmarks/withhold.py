"""Withhold spans from a run that is loaded once, and judge the completeness of what is left.

The truth is kept spans over all spans of those traces of which at least one span is left: a trace
that vanished whole leaves no sign. A span that was sent twice counts once. Background (polls,
health checks; as classified in the whole run) is counted in neither. Log records stay, as they do
when a span queue overflows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tracejury.config import Config
from tracejury.receiver.inputs import open_inputs
from tracejury.scorecard.completeness import completeness
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.rebuild import prepare, rebuild

KINDS: Final = ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which spans are withheld: a condition over service, kind and span_id, and its values."""

    name: str
    gone: str
    values: Mapping[str, object] = field(default_factory=dict)
    silences: str = ""  # the service of which nothing is left, if it is one


@dataclass(frozen=True, slots=True)
class Truth:
    """What is left of the traces that can be seen, background aside."""

    kept: int
    whole: int

    @property
    def ratio(self) -> float:
        """The share that a perfect score would show."""
        return self.kept / self.whole if self.whole else 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One plan: the truth, and what the score says."""

    plan: Plan
    truth: Truth
    estimate: float
    lowest: str
    by_service: dict[str, float]

    @property
    def error(self) -> float:
        """Estimate minus truth."""
        return self.estimate - self.truth.ratio

    @property
    def is_named(self) -> bool:
        """Whether the service that was silenced has the lowest ratio of all."""
        return self.lowest == self.plan.silences


def at_random(rate: float, seed: int = 1) -> Plan:
    """Lose spans with no regard to what they are; what a lower rate loses, a higher loses too."""
    return Plan(
        f"{rate:.0%} at random",
        "md5_number_lower($seed || ' ' || span_id) < $rate * 18446744073709551616.0",
        {"seed": seed, "rate": rate},
    )


def all_of_kind(kind: str) -> Plan:
    """Lose every span of a kind."""
    return Plan(f"all {kind}", "kind = $kind", {"kind": kind})


def all_of_service(service: str) -> Plan:
    """Lose every span of a service."""
    return Plan(f"service {service}", "service = $service", {"service": service}, service)


class Recorded:
    """A run in memory, of which spans can be withheld again and again."""

    def __init__(self, paths: Sequence[Path], config: Config) -> None:
        self._config = config
        self._reader = open_inputs(paths, lambda *_: None, lambda _: lambda *_: None)
        self._sql = self._reader.connection().execute
        rebuild(self._reader, config)
        self._sql(_WHOLE)

    def services(self) -> dict[str, int]:
        """Spans by service, background aside."""
        return self._counts("service")

    def kinds(self) -> dict[str, int]:
        """Spans by kind, background aside."""
        return self._counts("kind")

    def leaf_and_middle(self) -> tuple[str, str]:
        """The largest service that is called and calls none, and the largest that calls, too."""
        calls = self._reader.rows("""
            SELECT DISTINCT parent.service AS caller, child.service AS callee
            FROM whole.what AS child
            JOIN whole.what AS parent
                ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id
            WHERE parent.service <> child.service
        """)
        callers = {row["caller"] for row in calls}
        sizes = self.services()
        called = sorted({row["callee"] for row in calls}, key=lambda name: sizes.get(name, 0))
        leaf = [name for name in called if name not in callers][-1]
        return leaf, [name for name in called if name in callers][-1]

    def measure(self, plan: Plan, baseline: Baseline) -> Measured:
        """Withhold by `plan`, and judge what is left."""
        self._withhold(plan)
        prepare(self._reader, self._config, baseline=baseline)
        score = completeness(self._reader, ())
        ratios = {
            name: share.ratio for name, share in score.by_service.items() if share.ratio is not None
        }
        # Of several that lack everything, the one that lacks most: a service that did not run at
        # all may be thought to lack a part of a span.
        lowest = min(
            ratios,
            key=lambda name: (ratios[name], -score.by_service[name].known_missing),
            default="",
        )
        return Measured(plan, self._truth(), score.total.ratio or 0.0, lowest, ratios)

    def close(self) -> None:
        """Free its memory."""
        self._reader.close()

    def _counts(self, column: str) -> dict[str, int]:
        rows = self._reader.rows(f"""
            SELECT {column} AS name, count(DISTINCT (trace_id, span_id)) AS spans
            FROM whole.what
            WHERE NOT background
            GROUP BY ALL
            ORDER BY ALL
        """)
        return {row["name"]: row["spans"] for row in rows}

    def _withhold(self, plan: Plan) -> None:
        self._sql(
            f"""
            CREATE OR REPLACE TEMP TABLE gone AS
            SELECT span_no
            FROM whole.what
            WHERE {plan.gone}
            """,
            plan.values or None,
        )
        for table in _SPAN_TABLES:
            self._sql(f"""
                CREATE OR REPLACE TABLE stored.{table} AS
                FROM whole.{table}
                WHERE span_no NOT IN (FROM gone)
                ORDER BY ALL
            """)

    def _truth(self) -> Truth:
        row = self._reader.rows("""
            WITH kept AS (
                FROM whole.what
                WHERE span_no NOT IN (FROM gone) AND NOT background
            )
            SELECT
                (SELECT count(DISTINCT (trace_id, span_id)) FROM kept) AS kept,
                count(DISTINCT (trace_id, span_id)) AS whole
            FROM whole.what
            WHERE NOT background AND trace_id IN (SELECT kept.trace_id FROM kept)
        """)[0]
        return Truth(row["kept"], row["whole"])


def learn(paths: Sequence[Path], config: Config) -> Baseline:
    """What the clean run in `paths` teaches; nothing where there is none."""
    if not paths:
        return Baseline.empty()
    with open_inputs(paths, lambda *_: None, lambda _: lambda *_: None) as reader:
        rebuild(reader, config)
        return Baseline.learn(reader)


_SPAN_TABLES: Final = ("span", "span_value", "span_event", "span_link")

_WHOLE: Final = """
    CREATE SCHEMA whole;
    CREATE TABLE whole.span AS FROM stored.span;
    CREATE TABLE whole.span_value AS FROM stored.span_value;
    CREATE TABLE whole.span_event AS FROM stored.span_event;
    CREATE TABLE whole.span_link AS FROM stored.span_link;
    CREATE TABLE whole.what AS
    SELECT
        span.span_no, span.trace_id, span.span_id, span.parent_span_id, node.service, node.kind,
        instance.background
    FROM stored.span AS span
    JOIN node USING (span_no)
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no);
"""
