"""Diagnose recorded runs whose fault is known, and count how often the right service is named.

    python -m benchmarks.diagnosis --runs DIR [--only SYSTEM] [--work DIR]

DIR has a folder of OTLP files for each row of its `cases.csv` (case_id, system, date, window_start,
window_end, service, fault_type, traces_pre), and `normal-<date>` with a clean run of that date. The
runs of a system and date are imported into one store by `tracejury import`, which `tracejury
diagnose` judges by a fault file of ids and times alone. What is printed:

- the runs whose service is not first, and how long importing and diagnosing took;
- accuracy at 1, 3 and 5, and how often something stands out;
- the same with windows that begin too late or end too early, and how often `diagnose` says that its
  first suspect stands out beside the window, too; what is named there is the faulty service or not;
- how often something stands out in quiet windows: 75 s before every second injection, all together
  beside the real ones; every minute of the time outside that ends a minute or more before an
  injection, since some faults are at work a minute before the time that was recorded for them; and
  each slice of the time outside, that minute included. The last two are judged one at a time beside
  the real windows, and listed with the first suspect and the services of the faults beside them
  where they stand out;
- what the two fitted bounds are worth: each service's runs judged with the bounds by which most of
  the others' and most of the windows before injections are told rightly.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from tracejury.config import Config
from tracejury.scorecard.suspects import Bounds, Ranking, judge
from tracejury.scorecard.suspicion.observed import Observed, observe
from tracejury.scorecard.suspicion.segments import cut
from tracejury.store.reader import Reader
from tracejury.workflow.rebuild import prepare

BOUNDS: Final = [
    Bounds(least, stands_out)
    for least in (1.0, 1.25, 1.5, 1.75)
    for stands_out in (1.0, 1.25, 1.5, 2.0)
]
_FEWEST_BEFORE: Final = 40  # traces before an injection that make a quiet window
_FEWEST_IN_A_MINUTE: Final = 20
_QUIET_S: Final = (80, 5)  # from and to, before the injection
_MINUTE_NS: Final = 60 * 10**9
_NOWHERE: Final = 99
_WRONG_S: Final = ((0, 0), (20, 0), (30, 0), (60, 0), (0, -60), (0, -90))  # of start and end

Window = tuple[int, int]
Answer = dict[str, list[dict[str, object]]]


@dataclass(frozen=True, slots=True)
class Case:
    """One run: where its fault was, and when."""

    id: str
    system: str
    date: str
    service: str
    kind: str
    window: Window
    traces_before: int

    @classmethod
    def of(cls, row: dict[str, str]) -> "Case":
        window = _ns(row["window_start"]), _ns(row["window_end"])
        before = int(row["traces_pre"])
        return cls(
            *(row[key] for key in ("case_id", "system", "date", "service", "fault_type")),
            window,
            before,
        )

    def moved(self, start_s: int, end_s: int) -> Window:
        """Its window with other times."""
        start, end = self.window
        return start + start_s * 10**9, end + end_s * 10**9


@dataclass(frozen=True, slots=True)
class Day:
    """The runs of a system and date, what was observed of them, and what `diagnose` said."""

    cases: list[Case]
    observed: Observed
    rankings: list[Ranking]

    def rank(self, at: int, rankings: Sequence[Ranking]) -> int:
        names = [suspect.service for suspect in rankings[at].suspects]
        service = self.cases[at].service
        return names.index(service) + 1 if service in names else _NOWHERE


def _ns(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp).timestamp()) * 10**9


def days(options: argparse.Namespace, work: Path) -> Iterator[Day]:
    """Import and diagnose each day by the command itself."""
    with (options.runs / "cases.csv").open(encoding="utf-8") as file:
        cases = [Case.of(row) for row in csv.DictReader(file)]
    groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if options.only in ("", case.system):
            groups[case.system, case.date].append(case)
    for (system, date), of_day in sorted(groups.items()):
        folders = [options.runs / f"normal-{date}", *(options.runs / case.id for case in of_day)]
        files = [str(file) for folder in folders for file in sorted(folder.glob("*.gz"))]
        store = work / f"{system}-{date}.duckdb"
        said = _by_the_command(store, files, of_day)
        with Reader.open(store) as reader:
            prepare(reader, Config())
            observed = observe(reader)
        rankings = list(judge(observed, [case.window for case in of_day]))
        _require_the_same(said, rankings)
        yield Day(of_day, observed, rankings)


def _by_the_command(store: Path, files: list[str], cases: list[Case]) -> Answer:
    """What `import` and `diagnose` say of these files; prints how long they took."""
    faults = store.with_suffix(".json")
    blind = [{"id": one.id, "start": one.window[0], "end": one.window[1]} for one in cases]
    faults.write_text(json.dumps({"faults": blind}), encoding="utf-8")
    began = time.monotonic()
    if not store.exists():
        _tracejury("import", *files, "--store", str(store))
    imported = time.monotonic()
    judged = ["--store", str(store), "--faults", str(faults)]
    said: Answer = json.loads(_tracejury("diagnose", *judged, "--format", "json"))
    print(
        f"{store.stem}: {len(cases)} runs, import {imported - began:.1f} s, "
        f"diagnose {time.monotonic() - imported:.1f} s",
        flush=True,
    )
    return said


def _tracejury(*arguments: str) -> str:
    command = [sys.executable, "-m", "tracejury.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _require_the_same(said: Answer, rankings: list[Ranking]) -> None:
    """What is counted here is what the command says."""
    for fault, ranking in zip(said["faults"], rankings, strict=True):
        if fault["stands_out"] != ranking.stands_out:
            sys.exit(f"diagnose says otherwise of {fault['id']}")


def accuracy(of_all: list[Day]) -> Iterator[str]:
    """The table of both systems, and the runs that were missed."""
    ranks: dict[str, list[int]] = defaultdict(list)
    stand_out: dict[str, list[bool]] = defaultdict(list)
    for day in of_all:
        for at, case in enumerate(day.cases):
            rank = day.rank(at, day.rankings)
            ranks[case.system].append(rank)
            stand_out[case.system].append(day.rankings[at].stands_out)
            if rank > 1:
                first = day.rankings[at].suspects[0].service
                yield f"missed: {case.id} {case.kind} {case.service} ranks {rank}, first {first}"
    yield "| system | runs | @1 | @3 | @5 | stands out |"
    yield "|---|---|---|---|---|---|"
    for system, found in ranks.items():
        shares = [f"{sum(rank <= k for rank in found) / len(found):.1%}" for k in (1, 3, 5)]
        out = stand_out[system]
        yield f"| {system} | {len(found)} | {' | '.join(shares)} | {sum(out)} of {len(out)} |"


def wrong_times(of_all: list[Day]) -> Iterator[str]:
    """How windows with wrong times fare, and how often that is noticed."""
    yield "| start, end | @1 | stands out | stands out before, too | after, too | of these right |"
    yield "|---|---|---|---|---|---|"
    for late, early in _WRONG_S:
        judged = [
            (day.rank(at, rankings), rankings[at])
            for day in of_all
            for rankings in [judge(day.observed, [case.moved(late, early) for case in day.cases])]
            for at in range(len(day.cases))
        ]
        beside = [rank for rank, one in judged if one.changed_before_s or one.changed_after_s]
        cells = [
            f"{sum(rank == 1 for rank, _ in judged) / len(judged):.1%}",
            f"{sum(one.stands_out for _, one in judged)} of {len(judged)}",
            str(sum(bool(one.changed_before_s) for _, one in judged)),
            str(sum(bool(one.changed_after_s) for _, one in judged)),
            f"{sum(rank == 1 for rank in beside)} of {len(beside)}",
        ]
        yield f"| {late:+} s, {early:+} s | {' | '.join(cells)} |"


def quiet(day: Day) -> Iterator[str]:
    """How often something stands out where nothing was injected."""
    real = [case.window for case in day.cases]
    together = _before_injections(day, Bounds())
    out = sum(ranking.stands_out for ranking in together)
    named = f"{day.cases[0].system} {day.cases[0].date}"
    yield f"{named}: {out} of {len(together)} windows before injections stand out"
    yield from _one_by_one(day, "minutes clear of injections", list(_clear(day)))
    segments = cut(day.observed, real)
    yield from _one_by_one(
        day,
        "slices",
        [(int(segments.start_ns[at]), int(segments.end_ns[at]) - 1) for at in segments.slices],
    )


def _before_injections(day: Day, bounds: Bounds) -> tuple[Ranking, ...]:
    """The windows before every second injection, judged together, beside the real ones."""
    real = [case.window for case in day.cases]
    starts = [case.window[0] for case in day.cases if case.traces_before >= _FEWEST_BEFORE][::2]
    before = [tuple(start - seconds * 10**9 for seconds in _QUIET_S) for start in starts]
    return judge(day.observed, [*real, *before], bounds)[len(real) :]


def _clear(day: Day) -> Iterator[Window]:
    """Minutes in which no fault is at work, with traces enough to judge."""
    since = int(day.observed.start_ns[0])
    for case in day.cases:
        end = case.window[0] - _MINUTE_NS
        while end - _MINUTE_NS >= since - _MINUTE_NS // 2:
            window = end - _MINUTE_NS, end - 1
            if _traces(day, *window) >= _FEWEST_IN_A_MINUTE:
                yield window
            end -= _MINUTE_NS
        since = case.window[1] + _MINUTE_NS


def _one_by_one(day: Day, called: str, windows: list[Window]) -> Iterator[str]:
    """How often something stands out in `windows`, each judged as the only one that is not real."""
    real = [case.window for case in day.cases]
    alarms = []
    for window in windows:
        ranking = judge(day.observed, [*real, window])[-1]
        if ranking.stands_out:
            alarms.append(_alarm(day, window, ranking))
    named = f"{day.cases[0].system} {day.cases[0].date}"
    yield f"{named}: {len(alarms)} of {len(windows)} {called} stand out"
    yield from alarms


def _traces(day: Day, start: int, end: int) -> int:
    """How many traces have a span that begins in a window."""
    inside = (day.observed.start_ns >= start) & (day.observed.start_ns <= end)
    return len(np.unique(day.observed.trace[inside]))


def _alarm(day: Day, window: Window, ranking: Ranking) -> str:
    """What stood out in a quiet window, and which faults lie beside it."""
    before = [case for case in day.cases if case.window[1] <= window[0]]
    after = [case for case in day.cases if case.window[0] >= window[1]]
    beside = [
        *(
            f"{case.service} {(window[0] - case.window[1]) // 10**9} s before"
            for case in before[-1:]
        ),
        *(f"{case.service} {(case.window[0] - window[1]) // 10**9} s after" for case in after[:1]),
    ]
    clock = [f"{datetime.fromtimestamp(at / 1e9, UTC):%H:%M:%S}" for at in window]
    return f"  {'-'.join(clock)} {ranking.suspects[0].service} ({', '.join(beside)})"


def left_out(of_all: list[Day]) -> Iterator[str]:
    """Each service's runs by the bounds that are best without them."""
    judged: dict[Bounds, list[tuple[Case, int, bool]]] = defaultdict(list)
    silent: dict[Bounds, int] = defaultdict(int)
    for bounds in BOUNDS:
        for day in of_all:
            silent[bounds] += sum(not one.stands_out for one in _before_injections(day, bounds))
            rankings = judge(day.observed, [case.window for case in day.cases], bounds)
            judged[bounds] += [
                (case, day.rank(at, rankings), rankings[at].stands_out)
                for at, case in enumerate(day.cases)
            ]
    found: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for service in sorted({case.service for day in of_all for case in day.cases}):
        best = max(BOUNDS, key=lambda bounds: _worth(judged[bounds], silent[bounds], service))
        for case, rank, stands_out in judged[best]:
            if case.service == service:
                found[case.system].append((rank, stands_out))
    for system, ranks in found.items():
        shares = [f"@{k} {sum(rank <= k for rank, _ in ranks) / len(ranks):.1%}" for k in (1, 3, 5)]
        out = sum(stands_out for _, stands_out in ranks)
        yield f"{system}, fitted without the service: {', '.join(shares)}, {out} stand out"


def _worth(judged: list[tuple[Case, int, bool]], silent: int, without: str) -> tuple[int, int]:
    """Windows that are told rightly, real and quiet ones, and right services that are first."""
    others = [(rank == 1, out) for case, rank, out in judged if case.service != without]
    return sum(first and out for first, out in others) + silent, sum(first for first, _ in others)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", default="", metavar="SYSTEM")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the stores there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        of_all = list(days(options, work))
    print("", *accuracy(of_all), "", sep="\n")
    print(*wrong_times(of_all), "", sep="\n", flush=True)
    for day in of_all:
        print(*quiet(day), sep="\n", flush=True)
    print("", *left_out(of_all), sep="\n")


if __name__ == "__main__":
    main()
