"""The proof: what the audit must say of each trial of two systems, and what it does say.

`python -m tests.samples.proof` audits every recording and writes observed.json and docs/proof.md.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PROOF: Final = ROOT / "sample-traces" / "proof"
OBSERVED: Final = PROOF / "observed.json"
PAGE: Final = ROOT / "docs" / "proof.md"
VARIANTS: Final = ("fragile", "resilient")

Outcomes = dict[str, str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the audit must say of one run, and of what it may say that it passes."""

    trial: str
    variant: str
    why: str
    fail: frozenset[str]
    passes: frozenset[str]
    may_pass: frozenset[str]

    @property
    def run(self) -> str:
        """The folder of its recording."""
        return f"{self.variant}-{self.trial}"

    def outcomes(self, outcome: str) -> frozenset[str]:
        """The checks that must have this outcome."""
        return {"fail": self.fail, "pass": self.passes}.get(outcome, frozenset())

    def wanted(self, check: str) -> str:
        """What is expected of one check, in a word."""
        if check in self.fail:
            return "fail"
        if check in self.passes:
            return "pass"
        return "pass or none" if check in self.may_pass else "none"


@dataclass(frozen=True, slots=True)
class Deviation:
    """A check that says something else of a run than was expected."""

    run: str
    check: str
    expected: str
    observed: str


def read(name: str) -> dict[str, Any]:
    """One of the TOML files of the proof."""
    return tomllib.loads((PROOF / name).read_text(encoding="utf-8"))


def expected() -> tuple[Expected, ...]:
    """Every run of the matrix, with what holds of each run of its variant."""
    matrix = read("expected.toml")
    return tuple(
        _expected(trial, variant, rows[variant], matrix["every"][variant])
        for trial, rows in matrix["trial"].items()
        for variant in VARIANTS
    )


def _expected(trial: str, variant: str, own: dict[str, Any], every: dict[str, Any]) -> Expected:
    def checks(key: str) -> frozenset[str]:
        return frozenset((*own.get(key, ()), *every.get(key, ())))

    fail, passes = checks("fail"), checks("pass")
    return Expected(
        trial, variant, own["why"], fail, passes - fail, checks("may_pass") - fail - passes
    )


def deviations(run: Expected, observed: Outcomes) -> Iterator[Deviation]:
    """Whatever the audit says of the run and was not expected, or the other way round."""
    for check, said in sorted(observed.items()):
        outcome = said.partition("/")[0]
        allowed = {"fail": {"fail"}, "pass": {"pass"}}.get(run.wanted(check))
        if allowed is None:
            decided = {"pass", "fail"} - ({"pass"} if check in run.may_pass else set())
            is_deviation = outcome in decided
        else:
            is_deviation = outcome not in allowed
        if is_deviation:
            yield Deviation(run.run, check, run.wanted(check), said)


def audited(run: str) -> dict[str, Any]:
    """The checks of a recording as `tracejury audit` decides them: outcomes, and what fails."""
    folder = PROOF / run
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tracejury.cli", "audit"),
            *map(str, sorted(folder.glob("*.jsonl.gz"))),
            *("--config", str(folder / "tracejury.toml"), "--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if ran.returncode not in (0, 1):
        raise RuntimeError(ran.stderr)
    checks = json.loads(ran.stdout)["checks"]
    return {
        "outcomes": {
            check["id"]: check["outcome"] + (f"/{check['reason']}" if check["reason"] else "")
            for check in checks
        },
        "findings": {
            check["id"]: _shown(check["findings"][0])
            for check in checks
            if check["outcome"] == "fail" and check["findings"]
        },
    }


def _shown(finding: dict[str, Any]) -> dict[str, str]:
    traces = [entry["trace_id"] for entry in finding["evidence"] if "trace_id" in entry]
    return {"message": finding["message"], "trace_id": traces[0] if traces else ""}


def observed() -> dict[str, dict[str, Any]]:
    """What the audit of this version says of every recording, as it was last written down."""
    document: dict[str, dict[str, Any]] = json.loads(OBSERVED.read_text(encoding="utf-8"))
    return document


def page() -> str:
    """docs/proof.md, from what is written down."""
    matrix, seen, runs = read("expected.toml"), observed(), expected()
    lines = [_INTRODUCTION]
    for trial, rows in matrix["trial"].items():
        lines.append(f"### {trial}: {rows['title']}\n")
        for run in runs:
            if run.trial == trial:
                lines += _section(run, seen.get(run.run))
    return "\n".join(lines)


def _section(run: Expected, seen: dict[str, Any] | None) -> Iterator[str]:
    yield f"**{run.variant}.** {run.why}\n"
    if seen is None:
        yield "Not recorded.\n"
        return
    every = read("expected.toml")["every"][run.variant]
    own = sorted((run.fail | run.passes) - {*every.get("fail", ()), *every.get("pass", ())})
    if own:
        yield "| check | expected | observed | finding | trace |\n|---|---|---|---|---|"
        for check in own:
            yield _row(check, run.wanted(check), seen)
        yield ""
    for deviation in deviations(run, seen["outcomes"]):
        entry = explained(deviation) or {"why": "Not explained yet.", "clause": "-"}
        finding = seen["findings"].get(deviation.check, {"message": "", "trace_id": ""})
        shown = f" {finding['message']}" if finding["message"] else ""
        trace = finding["trace_id"][:16] or entry.get("trace", "")
        shown += f" Trace `{trace}`." if trace else ""
        yield (
            f"- **{deviation.check}**: expected {deviation.expected}, observed"
            f" `{deviation.observed}`.{shown} {entry['why']} ({entry['clause']})"
        )
    yield ""


def _row(check: str, wanted: str, seen: dict[str, Any]) -> str:
    finding = seen["findings"].get(check, {"message": "", "trace_id": ""})
    message = finding["message"].replace("|", "\\|")
    trace = f"`{finding['trace_id'][:16]}`" if finding["trace_id"] else ""
    return f"| {check} | {wanted} | {seen['outcomes'][check]} | {message} | {trace} |"


def explained(deviation: Deviation) -> dict[str, str] | None:
    """Why this deviation is no bug, as deviations.toml says; None where it does not."""
    variant = deviation.run.partition("-")[0]
    for entry in declared():
        if (
            entry["run"] in (deviation.run, f"{variant}-*")
            and entry["check"] == deviation.check
            and entry["observed"] == deviation.observed
        ):
            return entry
    return None


def declared() -> list[dict[str, str]]:
    """Every deviation that is explained."""
    entries: list[dict[str, str]] = read("deviations.toml").get("deviation", [])
    return entries


_INTRODUCTION: Final = """\
# The proof: the same faults, two systems

`examples/media-pipeline` runs in two variants, and each of the audit's tests was injected into both
for real: a killed worker is killed, a call that hangs hangs. The recordings lie in
`sample-traces/proof`.

- What the audit must say was written down in `sample-traces/proof/expected.toml` before anything
  was recorded, from what the application does.
- What it says is in `sample-traces/proof/observed.json`. `make proof` audits every recording again,
  and fails if anything else comes out; `make test` does so with a few of them.
- Where the two differ, the reason stands below the table, with the clause of the catalogue that it
  follows (`tracejury explain ID`).
- The application's database and the provider's call log, recorded beside the traces, are the truth
  that the verdicts are compared with.

`examples/media-pipeline/record --matrix --output sample-traces/proof` records all of it anew.

In every run, ING-01, ING-03, ING-04, OBS-14, OBS-15 and Q-09 pass; OBS-16 fails, since the
instrumentations send some names that are deprecated. OBS-02 passes in the resilient variant and
fails in the fragile one, whose log records carry no trace.

## The other way round: complete traces

The fault injection runs of Nezha (FSE 2023), two systems of others, hold complete traces only. On
five of them (`OB-0822-01`, `OB-0822-02`, `TT-0129-01`, `TT-0129-15`, `TT-0130-11`) and on a minute
without a fault (`normal-2023-01-29`) no check of orphans, halves, clocks or correlation fails;
OBS-01, OBS-03 and OBS-04 pass. What fails is true of the telemetry:

| check | where | why |
|---|---|---|
| OBS-06 | all | calls were recorded without a peer, a method or a status |
| OBS-09 | `TT`, `normal` | ERROR records without a type or the id of what they happened to |
| OBS-16 | all | `db.system` and `rpc.system` have newer names |

## Trials
"""


def main(names: list[str]) -> int:
    """Audit the recordings, write down what came out, and give 1 where something changed."""
    before = observed() if OBSERVED.exists() else {}
    runs = [run.run for run in expected() if (PROOF / run.run / "tracejury.toml").exists()]
    # All of them, or those that are named.
    asked = [run for run in runs if run in (names or runs)]
    with ThreadPoolExecutor(os.cpu_count()) as audits:
        now = before | dict(zip(asked, audits.map(audited, asked), strict=True))
    OBSERVED.write_text(json.dumps(now, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    is_same = now == before
    for run in expected():
        for found in deviations(run, now.get(run.run, {"outcomes": {}})["outcomes"]):
            if explained(found) is None:
                is_same = False
                sys.stdout.write(
                    f"{found.run}: {found.check} expected {found.expected}, got {found.observed}\n"
                )
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
