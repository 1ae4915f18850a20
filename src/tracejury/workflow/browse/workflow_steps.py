"""The steps of one workflow: how long they took, how often they failed, how many are missing."""

from dataclasses import dataclass

from tracejury.store.reader import Reader, Row


@dataclass(frozen=True, slots=True)
class Step:
    """One step at its place in a workflow; `spans` is 0 where it is only known to be missing.

    `missing` are spans that records of the run name, or that every clean run has, and that are not
    stored; counted once, where the step is seen most. `cause` is the likeliest, '' for none known.
    """

    workflow: str
    depth: int
    service: str
    name: str
    kind: str
    spans: int
    errors: int
    missing: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    critical_share: float | None
    halved_ms: float | None  # how much sooner an instance would end, had it half of its own time
    clean_p95_ms: float | None
    cause: str
    evidence: str


def steps_of(reader: Reader, workflow: str) -> tuple[Step, ...]:
    """The steps of one workflow from the top down, then those that are only known to be missing."""
    places = reader.rows(
        "SELECT * FROM workflow_step WHERE workflow = $workflow ORDER BY first_start_ns, place",
        {"workflow": workflow},
    )
    missing = {_key(row): row for row in _missing_steps(reader, workflow)}
    main: dict[tuple[str, str, str], Row] = {}
    for place in places:
        if _key(place) not in main or place["spans"] > main[_key(place)]["spans"]:
            main[_key(place)] = place
    seen = [
        _step(place, missing.get(_key(place)) if main[_key(place)] is place else None)
        for place in _from_the_top(places)
    ]
    return (*seen, *(_absent_step(row) for key, row in missing.items() if key not in main))


def _key(row: Row) -> tuple[str, str, str]:
    return row["service"], row["name"], row["kind"]


def _missing_steps(reader: Reader, workflow: str) -> list[Row]:
    return reader.rows(
        """
        SELECT
            instance.workflow, lost.service, lost.name, lost.kind,
            sum(greatest(lost.signs, lost.deficit))::BIGINT AS missing,
            coalesce(mode(lost.cause) FILTER (lost.cause <> ''), '') AS cause,
            coalesce(mode(lost.evidence) FILTER (lost.evidence <> ''), '') AS evidence
        FROM missing_in_instance AS lost
        JOIN likely_workflow AS instance USING (instance_no)
        WHERE instance.workflow = $workflow
        GROUP BY ALL
        ORDER BY lost.service, lost.name, lost.kind
        """,
        {"workflow": workflow},
    )


def _from_the_top(places: list[Row]) -> list[Row]:
    known = {place["place"] for place in places}
    below: dict[int | None, list[Row]] = {}
    for place in places:
        above = place["parent_place"] if place["parent_place"] in known else None
        # A chain that is too deep for places of its own repeats them: it has no place above.
        below.setdefault(None if above == place["place"] else above, []).append(place)
    ordered: list[Row] = []
    stack = [(place, 0) for place in reversed(below.pop(None, []))]
    while stack or below:
        if not stack:  # places above each other: begin anywhere
            stack = [(place, 0) for place in reversed(below.pop(next(iter(below))))]
        place, depth = stack.pop()
        ordered.append({**place, "depth": depth})
        stack.extend((child, depth + 1) for child in reversed(below.pop(place["place"], [])))
    return ordered


def _step(place: Row, missing: Row | None) -> Step:
    return Step(
        workflow=place["workflow"],
        depth=place["depth"],
        service=place["service"],
        name=place["name"],
        kind=place["kind"],
        spans=place["spans"],
        errors=place["errors"],
        missing=missing["missing"] if missing else 0,
        p50_ms=place["p50_ms"],
        p95_ms=place["p95_ms"],
        p99_ms=place["p99_ms"],
        critical_share=place["critical_share"],
        halved_ms=place["halved_ms"],
        clean_p95_ms=place["clean_p95_ms"],
        cause=missing["cause"] if missing else "",
        evidence=missing["evidence"] if missing else "",
    )


def _absent_step(row: Row) -> Step:
    return Step(
        **row,
        depth=0,
        spans=0,
        errors=0,
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
        critical_share=None,
        halved_ms=None,
        clean_p95_ms=None,
    )
