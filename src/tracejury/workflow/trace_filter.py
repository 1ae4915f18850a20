"""What a person types to find traces: words and `field:value` terms, all of which must hold.

`worker error` · `service:worker` · `name:"POST /jobs"` · `id:job-7` · `status:error` ·
`http.route=/jobs` · `>1.5s` · `<200ms`. A word without a field is looked for in services, span
names, ids and attribute values.
"""

import re
from dataclasses import dataclass
from typing import Final

FIELDS: Final = ("service", "name", "id", "status", "workflow", "trace")

_TERM: Final = re.compile(
    r"""(?:(?P<key>[^\s:="]+)(?P<sign>[:=]))?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))"""
)
_DURATION: Final = re.compile(r"(?P<side>[<>])(?P<number>\d+(?:\.\d+)?)(?P<unit>us|ms|s|m|h)?$")
_UNIT_NS: Final = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

_IN_SPANS: Final = """summary.trace_no IN (
    SELECT node.trace_no FROM node WHERE contains(lower(node.{column}), {value})
)"""
_BY_ID: Final = """(
    starts_with(summary.trace_id, {value}) OR contains(lower(summary.correlation_id), {value})
)"""
_IN_ATTRIBUTES: Final = """summary.trace_no IN (
    SELECT node.trace_no
    FROM stored.span_attribute AS attribute
    JOIN node USING (span_no)
    WHERE contains(lower(attribute.value), {value}){key}
)"""
_FRAGMENTS: Final = {
    "service": _IN_SPANS.replace("{column}", "service"),
    "name": _IN_SPANS.replace("{column}", "name"),
    "id": _BY_ID,
    "trace": "starts_with(summary.trace_id, {value})",
    "workflow": "lower(summary.workflow) = {value}",
    "status": """CASE {value}
        WHEN 'error' THEN summary.errors > 0
        ELSE starts_with(summary.outcome, {value})
    END""",
    "trouble": "(summary.errors > 0 OR summary.ghosts > 0) = {value}",
    "longer": "summary.duration_ns > {value}",
    "shorter": "summary.duration_ns < {value}",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    `field` is one of `FIELDS`, or 'any', 'attribute', 'longer', 'shorter' (nanoseconds) or
    'trouble' (1: errors or ghosts).
    """

    field: str
    value: str | int
    key: str = ""  # of an attribute


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Terms that must all hold; none lets every trace through. `text` is what was typed."""

    terms: tuple[Term, ...] = ()
    text: str = ""

    def condition(self) -> tuple[str, dict[str, str | int]]:
        """A condition over `trace_summary AS summary`, and the values to bind."""
        fragments, values = ["true"], {}
        for number, term in enumerate(self.terms):
            fragments.append(_fragment(term, number))
            value = term.value
            values[f"value_{number}"] = value.lower() if isinstance(value, str) else value
            if term.key:
                values[f"key_{number}"] = term.key
        return " AND ".join(fragments), values


def parse_filter(text: str) -> TraceFilter:
    """The filter that a person typed. Everything has a meaning: nothing typed is an error."""
    return TraceFilter(tuple(_term(match) for match in _TERM.finditer(text)), text.strip())


def _term(match: re.Match[str]) -> Term:
    key, value = match["key"], match["quoted"]
    if value is None:
        value = match["plain"]
    if key and match["sign"] == ":" and key.lower() in FIELDS:
        return Term(key.lower(), value)
    if key and match["sign"] == "=":
        return Term("attribute", value, key)
    duration = _DURATION.match(match[0])
    if duration:
        limit = float(duration["number"]) * _UNIT_NS[duration["unit"] or "ms"]
        return Term("longer" if duration["side"] == ">" else "shorter", int(limit))
    return Term("any", f"{key}{match['sign']}{value}" if key else value)


def _fragment(term: Term, number: int) -> str:
    value = f"$value_{number}"
    if term.field == "attribute":
        key = f" AND attribute.key = $key_{number}"
        return _IN_ATTRIBUTES.format(value=value, key=key)
    if term.field != "any":
        return _FRAGMENTS[term.field].format(value=value)
    parts = [_FRAGMENTS[name] for name in ("service", "name", "id")]
    return f"({' OR '.join([*parts, _IN_ATTRIBUTES])})".format(value=value, key="")
