"""`./run`: quiet traffic, the same with one fault, the same again, and the files that say so."""

import argparse
import csv
import json
import signal
import sys
import time
from pathlib import Path

from stand import pipeline
from stand.console import StandError, say
from stand.faults import FAULTS, rfc3339
from stand.traffic import Traffic

QUIET_SECONDS = 15
WINDOW_SECONDS = 24
RECOVERY_SECONDS = 16
# A broker that was away hands some jobs out late, when their visibility timeout is over.
DRAIN_SECONDS = 45


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
    parser.add_argument("--fault", choices=FAULTS, default="none")
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
    with pipeline.running(arguments.endpoint, output / "console") as running:
        seconds = QUIET_SECONDS + WINDOW_SECONDS + RECOVERY_SECONDS
        size = {"jobs": arguments.jobs, "items": arguments.items}
        with Traffic(running, seconds=seconds, **size) as traffic:
            say(f"quiet traffic for {QUIET_SECONDS} s")
            time.sleep(QUIET_SECONDS)
            say(f"fault {arguments.fault} for {WINDOW_SECONDS} s")
            faults = FAULTS[arguments.fault](running, WINDOW_SECONDS)
            say(f"recovery for {RECOVERY_SECONDS} s")
            time.sleep(RECOVERY_SECONDS)
        _write_faults(output / "faults.json", arguments.fault, faults)
        _drain(running)
        _write_jobs(output / "jobs.csv", running)
        say(f"{traffic.refused} requests were not accepted")


def _drain(running):
    deadline = time.monotonic() + DRAIN_SECONDS
    while (left := running.open_jobs()) and time.monotonic() < deadline:
        time.sleep(0.5)
    if left:
        say(f"{left} jobs have not ended after {DRAIN_SECONDS} s: left as they are")


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


if __name__ == "__main__":
    sys.exit(main())
