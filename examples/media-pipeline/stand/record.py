"""`./record`: run the pipeline against `tracejury serve` and keep what it received as a sample."""

import argparse
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from stand import processes
from stand.console import StandError, say
from stand.trials import TRIALS

HOME = Path(__file__).parent.parent
PROJECT = HOME.parent.parent
SAMPLES = {
    "clean": ("none", "No fault: what the pipeline looks like when all is well."),
    "provider-hang": (
        "provider-hang",
        "The image provider accepts calls and answers none of them for a while.",
    ),
    "bad-item": (
        "bad-item",
        "One job of 20 items; the provider refuses the seventh however often it is asked.",
    ),
    "worker-kill": (
        "worker-kill",
        "The process that works on a job of 12 items gets SIGKILL after the fourth.",
    ),
}
# The audit's tests, each against both variants; the two clean runs are baselines.
MATRIX = {
    f"{variant}-{trial}": (variant, trial)
    for trial in TRIALS
    for variant in ("fragile", "resilient")
}
PORTS = (18317, 18318)

CONFIG = """\
# Bounds as small as {whose}.
[run]
faults = "faults.json"
{baseline}
[correlation]
keys = ["job.id"]

[evidence]
sampling = "none"

[policy]
{policy}
"""

# Whose timeouts the bounds follow, and the bounds.
DECENT = {
    "whose": "the pipeline's own timeouts, which are about a tenth of a real system's",
    "policy": """\
call_seconds = 5
job_seconds = 30
stuck_seconds = 60
redelivery_seconds = 30""",
}
RESILIENT = {
    "whose": "the resilient variant's own timeouts",
    "policy": """\
call_seconds = 4
statement_seconds = 3
storage_seconds = 4
job_seconds = 25
stuck_seconds = 60
redelivery_seconds = 30
recovery_seconds = 30
loop_turns = 40""",
}

README = """\
# {name}

{story}

Recorded from [examples/media-pipeline](../../examples/media-pipeline/README.md) by
`./record {name}`: {spans} spans and {logs} log records. Paths and the host's name in them are
replaced; nothing else is edited.

- `traces.jsonl.gz`, `logs.jsonl.gz`: what `tracejury serve` received, as OTLP JSON lines
- `faults.json`: what was broken, and when
- `jobs.csv`: the jobs as the pipeline's own database has them
- `tracejury.toml`: the configuration to judge it with
"""


def main():
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    output = arguments.output.resolve()
    try:
        for name in arguments.names or (MATRIX if arguments.matrix else SAMPLES):
            if name in MATRIX:
                _record_trial(name, output / name)
            else:
                _record(name, output / name)
    except StandError as error:
        say(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments():
    parser = argparse.ArgumentParser(prog="record", description=__doc__)
    parser.add_argument("--output", required=True, type=Path, help="folder of all samples")
    parser.add_argument(
        "--matrix", action="store_true", help="each test against the fragile and resilient variant"
    )
    known = f"of {', '.join(SAMPLES)}; or of the matrix, like fragile-T01"
    parser.add_argument("names", nargs="*", metavar="name", help=known)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SAMPLES) - set(MATRIX):
        known = ", ".join((*SAMPLES, *MATRIX))
        parser.error(f"no sample {', '.join(sorted(unknown))}; there are {known}")
    return arguments


def _record(name, sample):
    fault, story = SAMPLES[name]
    counts = _recorded(name, ("decent", fault), sample, ("faults.json", "jobs.csv"))
    _configure(sample, DECENT, baseline="" if name == "clean" else "clean")
    (sample / "README.md").write_text(README.format(name=name, story=story, **counts))


def _record_trial(name, sample):
    variant, trial = MATRIX[name]
    _recorded(name, (variant, trial), sample, ("faults.json", "jobs.csv", "provider.json"))
    _configure(sample, RESILIENT, baseline="" if trial == "clean" else f"{variant}-clean")


def _configure(sample, bounds, *, baseline):
    """Write the configuration to judge a sample with, `baseline` the sample of a clean run."""
    clean = f'baseline = ["../{baseline}/traces.jsonl.gz"]\n' if baseline else ""
    (sample / "tracejury.toml").write_text(CONFIG.format(baseline=clean, **bounds))


def _recorded(name, run, sample, kept):
    """Run a variant with a fault, keep what was received and the `kept` files of the run."""
    with tempfile.TemporaryDirectory(prefix="media-record-") as temporary:
        folder = Path(temporary)
        store = folder / "run.duckdb"
        say(f"recording {name}, a minute or two")
        with _serving(store, folder) as endpoint:
            _run(run, endpoint, folder)
        _tracejury("export", "--store", store, "--output", folder / "export")
        sample.mkdir(parents=True, exist_ok=True)
        counts = {
            "spans": _pack(folder / "export" / "traces.jsonl", sample, _spans_in),
            "logs": _pack(folder / "export" / "logs.jsonl", sample, _log_records_in),
        }
        for file in kept:
            shutil.copy(folder / "run" / file, sample / file)
    say(f"{name}: {counts['spans']} spans, {counts['logs']} log records")
    return counts


@contextlib.contextmanager
def _serving(store, folder):
    grpc_port, http_port = (processes.free_port(port) for port in PORTS)
    ports = ["--grpc-port", str(grpc_port), "--http-port", str(http_port)]
    server = processes.start(
        "serve",
        [_program(), "serve", "--store", store, *ports],
        console=folder,
    )
    try:
        processes.wait_until(
            lambda: processes.answers(grpc_port),
            "tracejury serve",
            watched=[server],
        )
        yield f"http://127.0.0.1:{grpc_port}"
        server.check()
    finally:
        server.stop(patience=60)


def _run(run, endpoint, folder):
    variant, fault = run
    # Not `subprocess.run`: that would kill `./run` on Ctrl-C before it has stopped its parts.
    command = [HOME / "run", "--endpoint", endpoint, "--variant", variant, "--fault", fault]
    command += ["--output", folder / "run"]
    process = processes.start("console", command, console=folder)
    try:
        if process.wait():
            tail = process.output.read_text(errors="replace")[-2000:]
            raise StandError(f"./run --fault {fault} failed:\n{tail}")
    finally:
        process.stop(patience=120)


def _tracejury(*arguments):
    done = subprocess.run([_program(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StandError(f"tracejury {arguments[0]} failed: {done.stderr.strip()}")


def _program():
    program = os.environ.get("TRACEJURY", str(PROJECT / ".venv" / "bin" / "tracejury"))
    if not shutil.which(program):
        raise StandError(f"there is no {program}: run `make demo` once, or set TRACEJURY")
    return program


def _pack(source, sample, records_in):
    """Compress one exported file without traces of this machine; give its number of records."""
    text = _anonymous(source.read_text())
    # No time and no name in the header: the same telemetry gives the same bytes.
    (sample / f"{source.name}.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return sum(records_in(json.loads(line)) for line in text.splitlines() if line)


def _anonymous(text):
    """Stack traces name folders of this machine, Celery's spans its host."""
    home = re.search(r"^home = (.*)/bin$", (HOME / ".venv" / "pyvenv.cfg").read_text(), re.M)
    text = text.replace(str(HOME), "/srv/media-pipeline").replace(home[1], "/usr")
    return re.sub(rf"@{re.escape(socket.gethostname())}\b", "@media-host", text)


def _spans_in(line):
    scopes = [scope for group in line.get("resourceSpans", []) for scope in group["scopeSpans"]]
    return sum(len(scope["spans"]) for scope in scopes)


def _log_records_in(line):
    scopes = [scope for group in line.get("resourceLogs", []) for scope in group["scopeLogs"]]
    return sum(len(scope["logRecords"]) for scope in scopes)


if __name__ == "__main__":
    sys.exit(main())
