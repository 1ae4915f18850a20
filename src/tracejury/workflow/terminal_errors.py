"""Terminal errors: failed spans below which nothing failed, by parent or by link.

What an attempt did that was repeated is set aside, and so are cancellations.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.reader import Reader
from tracejury.telemetry import lexicon, semconv
from tracejury.workflow.forest import positions_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def find_terminal_errors(reader: Reader) -> None:
    """Make the table `terminal_error` of all instances with errors that are no background.

    span_no, instance_no; failure_no: span_no of the highest failed span above it that waited for
    it, or itself; item: hash of the item it happened to, 0 for none; on_path: everything up to a
    failure that nobody caught failed too; in_time: it ended before what it would have caused;
    broken_chain: a span between it and the top is not stored; has_entity: it or a span above it
    names its unit of work; slowest_no: span_no of the slowest span below a timeout.
    """
    spans = reader.arrow(
        _SPANS,
        {
            "cancellation_types": sorted(lexicon.CANCELLATION_TYPES),
            "timeout_types": sorted(lexicon.TIMEOUT_TYPES),
            "timeout_message": f"(?i){lexicon.TIMEOUT_MESSAGE.pattern}",
        },
    )
    tree = _Tree(spans, reader.arrow(_LINKS))
    is_terminal = tree.failed & ~tree.has_failed_below()
    is_terminal |= tree.failed & tree.explains_itself(is_terminal)
    at = np.flatnonzero(is_terminal)
    # Few spans lie above an error, and values of attributes are dear to read.
    reader.register("erring_path", pa.table({"span_no": tree.span_no[tree.up_from(at)]}))
    units = reader.arrow(_UNITS, {"unit_keys": list(semconv.UNIT_KEYS)})
    reader.register("terminal_error", _terminal_errors(tree, at, units))


def _terminal_errors(tree: "_Tree", at: Ints, units: pa.Table) -> pa.Table:
    cause_of = tree.highest_failed()
    highest = cause_of[at]
    named = positions_of(units["span_no"].to_numpy(), tree.span_no)
    item, has_entity = np.zeros((2, len(tree.span_no)), dtype=np.int64)
    item[named], has_entity[named] = units["item"].to_numpy(), 1
    lost_parent = tree.inherited(tree.column("lost_parent"), across=~tree.is_boundary)
    return pa.table(
        {
            "span_no": tree.span_no[at],
            "instance_no": tree.column("instance_no")[at],
            "failure_no": tree.span_no[highest],
            "item": tree.inherited(item)[at],
            "on_path": tree.is_unbroken()[at] & tree.is_boundary[highest],
            "in_time": tree.ends_by(at, highest),
            "broken_chain": lost_parent[at].astype(bool),
            "has_entity": tree.inherited(has_entity)[at].astype(bool),
            "slowest_no": tree.slowest_below(at),
        }
    )


class _Tree:
    """The spans of all instances with errors, as columns; every walk goes level by level."""

    def __init__(self, spans: pa.Table, links: pa.Table) -> None:
        self._spans = spans
        self.span_no = self.column("span_no")
        self.parent = positions_of(self.column("parent_no"), self.span_no)
        self._linking = positions_of(links["span_no"].to_numpy(), self.span_no)
        self._linked = positions_of(links["linked_no"].to_numpy(), self.span_no)
        self._levels = _levels(self.column("depth"), self.parent)
        self.failed = self.column("failed").astype(bool) & ~self._repeated()
        self.is_boundary = self._boundaries()

    def column(self, name: str) -> Ints:
        values: Ints = self._spans[name].to_numpy().astype(np.int64)
        return values

    def _boundaries(self) -> Bools:
        """Whose failure nobody above waits for: tops, consumers, and what outlives its parent."""
        start, end = self.column("start_ns"), self.column("end_ns")
        skew = np.where(
            self.column("host") == self.column("host")[self.parent], 0, self.column("skew_ns")
        )
        outlives = (end > end[self.parent] + skew) & (end[self.parent] > 0) & (start > 0)
        # A call that failed did wait for what outlives it, and gave up.
        outlives &= ~self.failed[self.parent]
        waits_not: Bools = (self.parent < 0) | (self.column("is_consumer") == 1) | outlives
        return waits_not

    def _repeated(self) -> Bools:
        """What an attempt did that was tried again."""
        siblings = self.inherited(self.column("repeated")).astype(bool)
        nested = self.column("nested_attempt")  # 0: none, 1: repeated, 2: the last one
        for spans in self._levels:
            inherits = spans[nested[spans] == 0]
            nested[inherits] = nested[self.parent[inherits]]
        repeated: Bools = siblings | (nested == 1)
        return repeated

    def inherited(self, value: Ints, across: Bools | None = None) -> Ints:
        """The `value` at a span, else at the nearest span above it that has one.

        Only the spans of `across` look further up; all do where it is None.
        """
        value = value.copy()
        for spans in self._levels:
            inherits = spans[(value[spans] == 0) & (True if across is None else across[spans])]
            value[inherits] = value[self.parent[inherits]]
        return value

    def up_from(self, spans: Ints) -> Ints:
        """`spans` and everything above them."""
        reached = np.zeros(len(self.span_no), dtype=bool)
        while len(spans):
            reached[spans] = True
            above = self.parent[spans]
            spans = np.unique(above[above >= 0])
            spans = spans[~reached[spans]]
        return np.flatnonzero(reached)

    def has_failed_below(self) -> Bools:
        """Whether something failed below a span, by parent or by link."""
        marked = np.zeros(len(self.span_no), dtype=bool)
        fresh = np.flatnonzero(self.failed)
        while len(fresh):
            above = self._above(fresh)
            fresh = np.unique(above[~marked[above]])
            marked[fresh] = True
        return marked

    def _above(self, spans: Ints) -> Ints:
        parents = self.parent[spans]
        linked = self._linked[np.isin(self._linking, spans)] if len(self._linking) else parents[:0]
        above = np.concatenate((parents, linked))
        return above[above >= 0]

    def explains_itself(self, is_terminal: Bools) -> Bools:
        """Who failed of itself, though something below it failed and was handled.

        None of its children failed, and its own error is of a type that no terminal error has.
        """
        has_failed_child = np.zeros(len(self.span_no), dtype=bool)
        has_failed_child[self._above(np.flatnonzero(self.failed))] = True
        kind, instance = self.column("error_kind"), self.column("instance_no")
        own = np.flatnonzero(self.failed & ~has_failed_child & ~is_terminal & (kind != 0))
        taken = set(zip(instance[is_terminal], kind[is_terminal], strict=True))
        found = np.zeros(len(self.span_no), dtype=bool)
        found[[at for at in own if (instance[at], kind[at]) not in taken]] = True
        return found

    def highest_failed(self) -> Ints:
        """The position of the highest failed span up to the nearest boundary; -1 for none."""
        highest = np.where(self.failed, np.arange(len(self.span_no)), -1)
        for spans in self._levels:
            below = spans[~self.is_boundary[spans]]
            above = highest[self.parent[below]]
            highest[below] = np.where(above >= 0, above, highest[below])
        return highest

    def is_unbroken(self) -> Bools:
        """Whether every span from a failed one up to the highest failed one failed."""
        unbroken = self.failed.copy()
        is_first = self.highest_failed() == np.arange(len(self.span_no))
        for spans in self._levels:
            below = spans[~is_first[spans]]
            unbroken[below] &= unbroken[self.parent[below]]
        return unbroken

    def ends_by(self, spans: Ints, failure: Ints) -> Bools:
        """Whether `spans` ended no later than what they would have caused, up to clock skew."""
        end, host = self.column("end_ns"), self.column("host")
        skew = np.where(host[spans] == host[failure], 0, self.column("skew_ns")[spans])
        in_time: Bools = (end[spans] <= end[failure] + skew) | (end[failure] == 0)
        return in_time

    def slowest_below(self, spans: Ints) -> Ints:
        """The span_no that a timeout in `spans` waited for, in the end; -1 for none."""
        start, end = self.column("start_ns"), self.column("end_ns")
        took = end - start
        is_timeout = self.column("is_timeout") == 1
        given_up = self.inherited(np.where(is_timeout, end + self.column("skew_ns"), 0))
        slowest = np.full(len(took), -1)
        order = np.argsort(took, kind="stable")
        order = order[self.parent[order] >= 0]
        # What a callee began when its caller had given up, nobody waited for.
        order = order[start[order] <= given_up[self.parent[order]]]
        slowest[self.parent[order]] = order  # of several, the last one written is the slowest
        at = np.where(is_timeout[spans], slowest[spans], -1)
        while (slowest[at[at >= 0]] >= 0).any():
            goes_on = (at >= 0) & (slowest[at] >= 0)
            at[goes_on] = slowest[at[goes_on]]
        return np.where(at >= 0, self.span_no[at], -1)


def _levels(depth: Ints, parent: Ints) -> list[Ints]:
    """Positions of the spans that have a parent, by depth."""
    order = np.argsort(depth, kind="stable")
    order = order[parent[order] >= 0]
    return np.split(order, np.flatnonzero(np.diff(depth[order])) + 1) if len(order) else []


_SPANS: Final = """
    WITH erring AS (
        SELECT DISTINCT instance.instance_no
        FROM span_error
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
    ),
    tried AS (
        SELECT
            span_no,
            bool_or(how = 'siblings' AND number < attempts) AS repeated,
            max(CASE WHEN how <> 'nested' THEN 0 WHEN number < attempts THEN 1 ELSE 2 END) AS nested
        FROM attempt_of
        GROUP BY span_no
    ),
    error AS (
        SELECT
            *,
            regexp_extract(error_type, '([^.:/*$]*)\\.?$', 1) AS short_type,
            regexp_matches(message, $timeout_message) AS says_timeout
        FROM span_error
    )
    SELECT
        node.span_no,
        coalesce(forest.parent_no, -1) AS parent_no,
        trace_instance.instance_no,
        forest.depth,
        coalesce(node.start_ns, 0) AS start_ns,
        coalesce(node.end_ns, 0) AS end_ns,
        (hash(node.host, node.service) // 2)::BIGINT AS host,
        (SELECT (value * 1e9)::BIGINT FROM bound WHERE name = 'skew_seconds') AS skew_ns,
        node.kind = 'CONSUMER' AS is_consumer,
        error.span_no IS NOT NULL AND NOT (
            error.short_type IN (SELECT unnest($cancellation_types)) AND NOT error.says_timeout
        ) AS failed,
        coalesce(
            error.says_timeout OR error.short_type IN (SELECT unnest($timeout_types)), false
        ) AS is_timeout,
        CASE WHEN regexp_matches(error.short_type, '^[A-Za-z]')
            THEN (hash(error.short_type) // 2)::BIGINT ELSE 0 END AS error_kind,
        coalesce(tried.repeated, false) AS repeated,
        coalesce(tried.nested, 0) AS nested_attempt,
        orphan.span_no IS NOT NULL AND NOT orphan.external_entry AND node.kind <> 'CONSUMER'
            AS lost_parent
    FROM node
    JOIN forest USING (span_no)
    JOIN trace_instance ON trace_instance.trace_no = node.trace_no
    JOIN erring ON erring.instance_no = trace_instance.instance_no
    LEFT JOIN error ON error.span_no = node.span_no
    LEFT JOIN tried ON tried.span_no = node.span_no
    LEFT JOIN orphan ON orphan.span_no = node.span_no
    ORDER BY node.span_no
"""

# The spans of `erring_path` that name a unit of work, themselves or by a log record.
_UNITS: Final = """
    WITH unit AS (
        SELECT
            attribute.span_no,
            max(hash(attribute.value) // 2) FILTER (attribute.key IN (
                'item.id', 'item.index', 'asset.id', 'order.id', 'document.id', 'aws.s3.key'
            )) AS item
        FROM stored.span_attribute AS attribute
        SEMI JOIN erring_path USING (span_no)
        WHERE attribute.key IN (SELECT unnest($unit_keys))
        GROUP BY attribute.span_no
        UNION ALL
        SELECT log_instance.span_no, 0
        FROM log_instance
        SEMI JOIN erring_path USING (span_no)
        JOIN stored.log_attribute AS attribute USING (log_no)
        WHERE attribute.key IN (SELECT unnest($unit_keys))
    )
    SELECT span_no, max(coalesce(item, 0))::BIGINT AS item
    FROM unit
    GROUP BY span_no
"""

# A link goes back in time; one that does not could close a circle.
_LINKS: Final = """
    SELECT link.span_no, link.linked_no
    FROM linked_span AS link
    JOIN node USING (span_no)
    JOIN node AS linked ON linked.span_no = link.linked_no
    WHERE linked.start_ns < node.start_ns
"""
