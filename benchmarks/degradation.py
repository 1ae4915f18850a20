"""Take evidence away from recorded runs, and see whether the difficulty of diagnosis follows.

    python -m benchmarks.degradation --runs DIR [--only SYSTEM] [--samples DIR] [--list]

DIR is as `benchmarks.diagnosis` has it: the runs of a system and date are judged together, each
fault by itself. `--samples` (default: sample-traces) has folders with a run's files, its
faults.json and its tracejury.toml. From each run are taken, one at a time: its log records; its
CLIENT spans; three quarters of its traces; the ids of its log records (of trace and span) and of
the units of work. For each pair of a fault (or a workflow that failed) and what was taken, the
minutes of the whole run are compared with those of what is left:

- fell: by more than the 0.05 minutes that are not shown; must be 5 % of the pairs at most;
- worse: the service that truly has the fault ranks lower than in the whole run; the difficulty must
  have risen in all of these.

Exit status 1 where either does not hold. --list names the pairs that fell or did not rise.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from benchmarks.degrading import DEGRADATIONS, WHOLE, Degradable, Degradation
from benchmarks.diagnosis import Case

from tracejury.config import Config, load_config
from tracejury.scorecard.diagnosis import diagnosis
from tracejury.scorecard.fault_results import fault_results
from tracejury.workflow.faults import Fault, read_faults
from tracejury.workflow.rebuild import prepare

# The rank of whoever is not listed, and the minutes of what cannot be diagnosed at all.
_NOWHERE: Final = 99
_NEVER: Final = float("inf")

# Minutes are shown with one decimal.
_SHOWN: Final = 0.05
_MAY_FALL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Grade:
    """How hard it was to diagnose, and where the service ranked that truly had the fault."""

    minutes: float
    candidates: float
    rank: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A fault or a workflow, what was taken, and both grades."""

    group: str
    name: str
    taken: str
    before: Grade
    after: Grade

    @property
    def fell(self) -> bool:
        """Whether it seems easier with less to go by."""
        return self.after.minutes < self.before.minutes - _SHOWN

    @property
    def is_worse(self) -> bool:
        """Whether the truth ranks lower."""
        return self.after.rank > self.before.rank

    @property
    def rose(self) -> bool:
        """Whether it seems harder."""
        return self.after.minutes > self.before.minutes


Grades = dict[tuple[str, str], Grade]  # by group and name


def grades(
    run: Degradable,
    degradation: Degradation,
    faults: tuple[Fault, ...],
    config: Config,
    system: str,
) -> Grades:
    """Of each fault, and of each workflow that failed."""
    run.degrade(degradation)
    prepare(run.reader, config, injected=faults)
    found: Grades = {}
    for one in fault_results(run.reader, faults):
        rank = one.rank_of_target or _NOWHERE
        if one.difficulty is None:
            found[f"{system} faults", one.id] = Grade(_NEVER, _NEVER, rank)
        else:
            hard = one.difficulty
            found[f"{system} faults", one.id] = Grade(hard.minutes, hard.candidates, rank)
    for name, hard in diagnosis(run.reader).by_workflow.items():
        found[f"{system} workflows", name] = Grade(hard.minutes, hard.candidates, 1)
    return found


def pairs(
    run: Degradable, faults: tuple[Fault, ...], config: Config, system: str
) -> Iterator[Pair]:
    """Every fault and workflow of a run, with each thing taken."""
    whole = grades(run, WHOLE, faults, config, system)
    for degradation in DEGRADATIONS:
        left = grades(run, degradation, faults, config, system)
        for (group, name), before in whole.items():
            # Failures of which no trace is left are not diagnosed at all.
            after = left.get((group, name), Grade(_NEVER, _NEVER, before.rank))
            yield Pair(group, name, degradation.name, before, after)


def recorded(runs: Path, only: str) -> Iterator[Pair]:
    """The runs of each system and date, judged together."""
    with (runs / "cases.csv").open(encoding="utf-8") as file:
        cases = [Case.of(row) for row in csv.DictReader(file)]
    cases = sorted((one for one in cases if only in ("", one.system)), key=_day)
    for (system, date), of_day in groupby(cases, key=_day):
        group = list(of_day)
        folders = [runs / f"normal-{date}", *(runs / case.id for case in group)]
        run = Degradable([file for folder in folders for file in sorted(folder.glob("*.gz"))])
        faults = tuple(Fault(one.id, *one.window, target=one.service) for one in group)
        yield from pairs(run, faults, Config(), system)
        run.close()


def _day(case: Case) -> tuple[str, str]:
    return case.system, case.date


def samples(folder: Path) -> Iterator[Pair]:
    """The recorded runs of the example."""
    for sample in sorted(path.parent for path in folder.glob("*/faults.json")):
        if not (faults := read_faults(sample / "faults.json")):
            continue
        run = Degradable(sorted(sample.glob("*.gz")))
        yield from pairs(
            run, faults, load_config(sample / "tracejury.toml", start=sample), "sample"
        )
        run.close()


def table(found: list[Pair]) -> Iterator[str]:
    """Counts by what was judged and what was taken."""
    head = "| of | taken | pairs | fell | truth ranks lower | of these rose | minutes | after |"
    yield head
    yield "|---|" + "---|" * (head.count("|") - 2)
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in found:
        groups[pair.group, pair.taken].append(pair)
    for (group, taken), members in [*groups.items(), (("all", ""), found)]:
        worse = [pair for pair in members if pair.is_worse]
        seen = [pair for pair in members if pair.after.minutes < _NEVER]
        means = [
            f"{sum(minutes) / len(minutes):.1f}" if minutes else "-"
            for minutes in (
                [pair.before.minutes for pair in seen],
                [pair.after.minutes for pair in seen],
            )
        ]
        counts = (
            len(members),
            sum(pair.fell for pair in members),
            len(worse),
            sum(pair.rose for pair in worse),
        )
        yield f"| {group} | {taken} | {' | '.join(map(str, counts))} | {' | '.join(means)} |"


def main() -> None:
    """Measure, print, and fail where the difficulty does not follow."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, metavar="DIR")
    parser.add_argument("--only", default="", metavar="SYSTEM")
    parser.add_argument("--samples", type=Path, default=Path("sample-traces"), metavar="DIR")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    found = list(samples(options.samples))
    if options.runs:
        found += recorded(options.runs, options.only)
    odd = [pair for pair in found if pair.fell or (pair.is_worse and not pair.rose)]
    if options.list:
        for pair in odd:
            print(f"{pair.group} {pair.name}, {pair.taken}: {pair.before} {pair.after}")
    print(*table(found), sep="\n")
    fell = sum(pair.fell for pair in found)
    if fell > _MAY_FALL * len(found) or any(pair.is_worse and not pair.rose for pair in found):
        sys.exit("the difficulty does not follow")


if __name__ == "__main__":
    main()
