"""What it takes to find out what caused a failure, priced in seconds of an operator.

The minutes are a lower bound: the look-ups that the evidence forces on an expert who makes no
mistake, priced with published operator times. Sources: Card, Moran and Newell's keystroke-level
model (1980); Brysbaert's reading rate of 238 words a minute (2019). Marked prices are assumptions.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Final

from tracejury.store.reader import Reader
from tracejury.workflow.failure_points import DARK_BOUNDARY, NO_CANDIDATE, FailedInstance

_READ_S: Final = 0.25  # a word
_LINE_WORDS: Final = 15
_LINES: Final = 20  # of a screen, or of what a trace logged
_HIT_WORDS: Final = 25
_ERROR_WORDS: Final = 145  # a message and a stack
_ENTITY_WORDS: Final = 40


@dataclass(frozen=True, slots=True)
class Prices:
    """Seconds for each of the steps that a search consists of."""

    inspect_s: float  # look at one thing
    query_s: float  # ask for something
    think_s: float  # rule out one candidate
    dark_s: float  # find out about a hop that nothing is recorded of


# Think, point, click and wait 2 s (assumed); think twice, home twice, type 20 characters and wait
# 5 s (assumed); the rest is assumed.
USUAL: Final = Prices(inspect_s=4.65, query_s=14.1, think_s=27.0, dark_s=300.0)

# The same without all that is assumed.
PUBLISHED: Final = Prices(inspect_s=2.65, query_s=9.1, think_s=0.0, dark_s=0.0)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for a cause has to go by."""

    candidates: float  # effective number
    is_specific: bool  # each candidate has a type and a message
    has_entity: bool  # what it happened to is named where it failed
    has_logs: bool  # log records name the trace
    lines: int  # log records that name no trace
    alike: int  # traces that would have to be looked through, where no log record names one
    kept: float  # share of the traces that are stored, of those that log records name
    dark: float  # hops of which a half, or nothing at all, is recorded


@dataclass(frozen=True, slots=True)
class Around:
    """What the run has to go by, whichever instance failed."""

    lines: int  # log records that name no trace
    kept: float  # of the traces that are named
    half_hops: float  # share of the hops between services of which one side alone is recorded
    alike: Counter[str]  # failed instances by workflow


def around(reader: Reader, failed: Iterable[FailedInstance]) -> Around:
    """What the whole run recorded of its logs and hops, and how many instances failed alike."""
    [logs] = reader.rows(_LOGS)
    [hops] = reader.rows(_HOPS)
    return Around(
        lines=logs["lines"],
        kept=logs["kept"] / logs["named"] if logs["kept"] else 1.0,
        half_hops=hops["half"] / hops["hops"] if hops["hops"] else 0.0,
        alike=Counter(instance.workflow for instance in failed),
    )


def search_of(instance: FailedInstance, run: Around) -> Search:
    """What there is to go by for one failed instance.

    Where nothing says what failed in it, each of its services is a candidate.
    """
    return Search(
        candidates=instance.effective or float(max(instance.services, 1)),
        is_specific=bool(instance.candidates)
        and all(candidate.error_type and candidate.message for candidate in instance.candidates),
        has_entity=instance.has_entity,
        has_logs=instance.logs > 0,
        lines=run.lines,
        alike=max(run.alike[instance.workflow], 1),
        kept=run.kept,
        dark=float(sum(blocker in _DARK for blocker in instance.blockers) + instance.lost_below),
    )


# Where nothing in a failed instance failed, its cause lies where nothing is recorded.
_DARK: Final = (DARK_BOUNDARY, NO_CANDIDATE)


def effort(search: Search, prices: Prices = USUAL) -> dict[str, float]:
    """Minutes by cause."""
    look = prices.inspect_s + _HIT_WORDS * _READ_S
    read_logs = prices.query_s + _LINES * _LINE_WORDS * _READ_S
    # Whoever finds nothing recorded has to ask, or to make it happen again.
    ask = max(prices.dark_s, read_logs)
    if search.is_specific:
        explain = _ERROR_WORDS * _READ_S
    elif search.has_logs:
        explain = read_logs
    elif search.lines:
        steps = ceil(log2(max(search.lines / _LINES, 1))) + 1
        explain = min(steps * read_logs, ask)
    else:
        explain = ask
    is_named = search.is_specific or search.has_entity
    seconds = {
        "find": _find(search, prices, look),
        "localise": (search.candidates + 1) / 2 * (look + prices.think_s),
        "explain": explain,
        "dark": search.dark * prices.dark_s,
        "entity": 0.0 if is_named else prices.query_s + _ENTITY_WORDS * _READ_S,
    }
    return {cause: second / 60 for cause, second in seconds.items()}


def _find(search: Search, prices: Prices, look: float) -> float:
    """A log record names the trace, or one looks through half of those like it; kept or not."""
    one_look = prices.inspect_s if search.has_logs else (search.alike + 1) / 2 * look
    return (prices.query_s + one_look) / search.kept


def savings(search: Search) -> dict[str, float]:
    """Minutes that each fix would save alone, for those that would save any."""
    fixes = {
        "one failure point instead of several": replace(search, candidates=1.0),
        "specific error types and messages": replace(search, is_specific=True),
        "log records that name their trace": replace(search, has_logs=True),
        "keep the traces that fail": replace(search, kept=1.0),
        "record both halves of every call": replace(search, dark=0.0),
        "put the entity's id on the failing span": replace(search, has_entity=True),
    }
    now = sum(effort(search).values())
    saved = {fix: now - sum(effort(fixed).values()) for fix, fixed in fixes.items()}
    return {fix: minutes for fix, minutes in saved.items() if minutes > 0}


_LOGS: Final = """
    SELECT
        count(*) FILTER (log.trace_id IS NULL) AS lines,
        count(DISTINCT log.trace_id) AS named,
        count(DISTINCT trace.trace_id) AS kept
    FROM stored.log_record AS log
    LEFT JOIN trace ON trace.trace_id = log.trace_id
"""

# A hop is half recorded if its caller has no span of the call, or its callee none though it has
# others.
_HOPS: Final = """
    SELECT count(*) AS hops, count(*) FILTER (is_half) AS half
    FROM (
        SELECT parent.span_no IS NULL OR parent.kind NOT IN ('CLIENT', 'PRODUCER') AS is_half
        FROM node
        LEFT JOIN node AS parent ON parent.span_no = node.parent_no
        LEFT JOIN orphan ON orphan.span_no = node.span_no
        WHERE node.kind IN ('SERVER', 'CONSUMER')
            AND (node.parent_no IS NOT NULL OR node.missing_parent IS NOT NULL)
            AND NOT coalesce(orphan.external_entry, false)
        UNION ALL
        SELECT true
        FROM external_call
        WHERE NOT is_external AND NOT has_server_half
    )
"""
