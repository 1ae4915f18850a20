r"""Withhold spans from recorded runs, and compare the completeness score with the truth.

    python -m benchmarks.completeness FILE... [--baseline FILE...] [--config tracejury.toml]
        [--every-service]

Works on any OTLP file: put a run's traces, and its logs if it has some, in place of FILE; a clean
run of the same system as the baseline. Without a baseline the score is an upper bound.

    python -m benchmarks.completeness sample-traces/clean/*.gz \
        --baseline sample-traces/clean/*.gz --config sample-traces/clean/tracejury.toml

    python -m benchmarks.completeness --runs DIR [--no-baseline] [--every-service]

judges many runs: DIR has a folder of OTLP files for each row of its `cases.csv` (case_id, system,
date), and `normal-<date>` with the clean run of that date. Two tables: for each run and plan how
many points the estimate lies above the truth, and for each plan the mean and the worst of them.

The plans: 0, 1, 5, 10, 30 and 50 % of the spans at random, all CLIENT spans, the largest leaf
service and the largest one in the middle; with --every-service each service in turn as well. A
service that is not named (it has not the lowest ratio of all) is marked with an exclamation mark.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from benchmarks.withhold import (
    Measured,
    Plan,
    Recorded,
    all_of_kind,
    all_of_service,
    at_random,
    learn,
)

from tracejury.config import Config, load_config
from tracejury.workflow.baseline import Baseline

RATES: Final = (0, 0.01, 0.05, 0.1, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class Line:
    """One plan on one run."""

    system: str
    run: str
    column: str
    measured: Measured


def standard_plans(run: Recorded, *, every_service: bool) -> list[tuple[str, Plan]]:
    """The plans that take something from `run`, each with its column."""
    leaf, middle = run.leaf_and_middle()
    plans = [(f"{rate:.0%}", at_random(rate)) for rate in RATES]
    if "CLIENT" in run.kinds():
        plans.append(("CLIENT", all_of_kind("CLIENT")))
    plans += [("leaf", all_of_service(leaf)), ("middle", all_of_service(middle))]
    if every_service:
        plans += [("each", all_of_service(name)) for name in run.services()]
    return plans


def measured_run(
    name: str, system: str, run: Recorded, baseline: Baseline, *, every_service: bool
) -> list[Line]:
    """Every plan on one run."""
    return [
        Line(system, name, column, run.measure(plan, baseline))
        for column, plan in standard_plans(run, every_service=every_service)
    ]


def one_run(lines: Sequence[Line]) -> str:
    """The measurements of one run for a terminal."""
    width = max(len(line.measured.plan.name) for line in lines)
    head = f"{'withheld':<{width}}  spans left        truth  estimate  points  lowest service"
    rows = [
        f"{one.plan.name:<{width}}  {one.truth.kept:>6} / {one.truth.whole:<6} "
        f"{one.truth.ratio:>8.3f}  {one.estimate:>8.3f}  {100 * one.error:>+6.1f}  {one.lowest}"
        for one in (line.measured for line in lines)
    ]
    return "\n".join([head, *rows])


def points(lines: Sequence[Line]) -> str:
    """One run's row: for each column the points above the truth, the worst where it has several."""
    cells: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: abs(line.measured.error)):
        missed = line.measured.plan.silences and not line.measured.is_named
        cells[line.column] = f"{100 * line.measured.error:+.1f}{'!' if missed else ''}"
    columns = dict.fromkeys(line.column for line in lines)
    return f"| {lines[0].run} | " + " | ".join(cells[column] for column in columns) + " |"


def summary(lines: Sequence[Line]) -> Iterator[str]:
    """A row for each system and column, and one for each system."""
    yield "| system | withheld | n | mean truth | mean points off | worst | named |"
    yield "|---|---|---|---|---|---|---|"
    groups: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for line in lines:
        groups[line.system, line.column].append(line.measured)
        if line.column != "each":
            groups[line.system, "all of these"].append(line.measured)
    for (system, column), group in sorted(groups.items(), key=lambda pair: pair[0][0]):
        worst = max((one.error for one in group), key=abs)
        off = sum(abs(one.error) for one in group) / len(group)
        truth = sum(one.truth.ratio for one in group) / len(group)
        silenced = [one.is_named for one in group if one.plan.silences]
        named = f"{sum(silenced)} of {len(silenced)}" if silenced else ""
        yield (
            f"| {system} | {column} | {len(group)} | {truth:.3f} | {100 * off:.2f} "
            f"| {100 * worst:+.1f} | {named} |"
        )


def many_runs(folder: Path, config: Config, options: argparse.Namespace) -> None:
    """Judge every case of `folder` and print as it goes."""
    with (folder / "cases.csv").open(encoding="utf-8") as file:
        cases = sorted(csv.DictReader(file), key=lambda case: (case["system"], case["date"]))
    lines: list[Line] = []
    for (system, date), of_day in groupby(cases, lambda case: (case["system"], case["date"])):
        clean = [] if options.no_baseline else sorted((folder / f"normal-{date}").glob("*.gz"))
        baseline = learn(clean, config)
        for case in of_day:
            run = Recorded(sorted((folder / case["case_id"]).glob("*.gz")), config)
            of_run = measured_run(
                case["case_id"], system, run, baseline, every_service=options.every_service
            )
            run.close()
            if not lines:
                columns = dict.fromkeys(line.column for line in of_run)
                print(f"| run | {' | '.join(columns)} |")
                print("|---|" + "---|" * len(columns))
            print(points(of_run), flush=True)
            lines += of_run
    print("", *summary(lines), sep="\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--baseline", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--runs", type=Path, metavar="DIR")
    parser.add_argument("--no-baseline", action="store_true")
    parser.add_argument("--every-service", action="store_true")
    options = parser.parse_args()
    config = load_config(options.config, start=Path.cwd())
    if options.runs:
        many_runs(options.runs, config, options)
    elif options.files:
        run = Recorded(options.files, config)
        baseline = learn(options.baseline, config)
        lines = measured_run("", "", run, baseline, every_service=options.every_service)
        print(one_run(lines))
    else:
        parser.error("name OTLP files, or --runs")


if __name__ == "__main__":
    main()
