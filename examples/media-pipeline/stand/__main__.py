"""`./run`: quiet traffic, the same with one fault, the same again, and the files that say so."""

import argparse
import collections
import csv
import json
import signal
import sys
import time
from pathlib import Path

from pipeline.variant import VARIANTS

from stand import pipeline
from stand.console import StandError, say
from stand.faults import FAULTS, rfc3339
from stand.traffic import Traffic
from stand.trials import TRIALS

QUIET_SECONDS = 15
WINDOW_SECONDS = 24
RECOVERY_SECONDS = 16
# A broker that was away hands some jobs out late, when their visibility timeout is over.
DRAIN_SECONDS = 45
TRIAL_DRAIN_SECONDS = 12


def main():
    arguments = _arguments()
    # Through an exception, so that everything started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _run(arguments)
    except StandError as error:
        say(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments():
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--endpoint", required=True, help="OTLP endpoint that gets the telemetry")
    parser.add_argument("--variant", choices=VARIANTS, default="decent")
    parser.add_argument("--fault", choices=(*FAULTS, *TRIALS), default="none")
    parser.add_argument("--jobs", type=int, default=12, help="jobs over the run (default 12)")
    parser.add_argument("--items", type=int, default=4, help="items in each job (default 4)")
    parser.add_argument("--output", required=True, type=Path, help="folder for faults.json")
    arguments = parser.parse_args()
    if arguments.jobs < 1 or arguments.items < 1:
        parser.error("--jobs and --items must be at least 1")
    return arguments


def _run(arguments):
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    console = output / "console"
    with pipeline.running(arguments.endpoint, console, arguments.variant) as running:
        drive = _try if arguments.fault in TRIALS else _chaos
        faults = drive(running, arguments)
        _write_faults(output / "faults.json", arguments.fault, faults)
        _drain(running, TRIAL_DRAIN_SECONDS if arguments.fault in TRIALS else DRAIN_SECONDS)
        _write_jobs(output / "jobs.csv", running)
        _write_calls(output / "provider.json", running)


def _chaos(running, arguments):
    seconds = QUIET_SECONDS + WINDOW_SECONDS + RECOVERY_SECONDS
    size = {"jobs": arguments.jobs, "items": arguments.items}
    with Traffic(running, seconds=seconds, **size) as traffic:
        say(f"quiet traffic for {QUIET_SECONDS} s")
        time.sleep(QUIET_SECONDS)
        say(f"fault {arguments.fault} for {WINDOW_SECONDS} s")
        faults = FAULTS[arguments.fault](running, WINDOW_SECONDS)
        say(f"recovery for {RECOVERY_SECONDS} s")
        time.sleep(RECOVERY_SECONDS)
    say(f"{traffic.refused} requests were not accepted")
    return faults


def _try(running, arguments):
    trial = TRIALS[arguments.fault]
    # More than any trial takes: it ends when the trial does.
    jobs = 100
    size = {"jobs": jobs, "items": 2, "seconds": jobs * trial.pause_seconds}
    with Traffic(running, exports=False, **size) as traffic:
        time.sleep(trial.quiet_seconds)
        say(f"{arguments.fault} against the {arguments.variant} variant")
        faults = trial.inject(running)
        say(f"recovery for {trial.recovery_seconds} s")
        time.sleep(trial.recovery_seconds)
    say(f"{traffic.refused} requests were not accepted")
    # A cancellation is one of the failure modes of the test S01.
    test = "S01" if arguments.fault == "cancel" else arguments.fault
    return [{"test_id": f"TEST-RR-{test}"} | fault for fault in faults]


def _drain(running, seconds):
    deadline = time.monotonic() + seconds
    while (left := running.open_jobs()) and time.monotonic() < deadline:
        time.sleep(0.5)
    if left:
        say(f"{left} jobs have not ended after {seconds} s: left as they are")


def _write_faults(path, name, faults):
    named = [{"id": name, **fault} for fault in faults]
    path.write_text(json.dumps({"faults": named}, indent=2) + "\n")


def _write_jobs(path, running):
    """The pipeline's own view of its jobs, for `tracejury audit --state`."""
    rows = running.query(
        "SELECT jobs.id, jobs.status, jobs.updated_at,"
        " CASE jobs.kind WHEN 'generate' THEN count(*) FILTER (WHERE assets.status = 'ready')"
        " WHEN 'export' THEN jsonb_array_length(jobs.items) END,"
        " count(*) FILTER (WHERE assets.status = 'failed'), jobs.worker"
        " FROM jobs LEFT JOIN assets ON assets.job_id = jobs.id"
        " GROUP BY jobs.id ORDER BY jobs.created_at"
    )
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["unit", "status", "updated_at", "items_done", "items_failed", "worker"])
        for unit, status, updated_at, *counts in rows:
            writer.writerow([unit, status, rfc3339(updated_at), *counts])


def _write_calls(path, running):
    """What the provider's own log has of each item: how often it was asked for, and made."""
    items = collections.defaultdict(collections.Counter)
    for call in running.provider_calls():
        items[call["item"]][call["outcome"]] += 1
    path.write_text(json.dumps(items, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
